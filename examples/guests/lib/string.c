// SPDX-License-Identifier: GPL-2.0
/* Strings and memory, as short as they can be. */
#include "guest.h"

void *memset(void *to, int byte, size_t size)
{
	void *p = to;

	asm volatile("rep stosb" : "+D" (p), "+c" (size) : "a" (byte)
		     : "memory");
	return to;
}

void *memcpy(void *to, const void *from, size_t size)
{
	void *p = to;

	asm volatile("rep movsb" : "+D" (p), "+S" (from), "+c" (size)
		     : : "memory");
	return to;
}

void *memmove(void *to, const void *from, size_t size)
{
	char *last_to = (char *)to + size - 1;
	const char *last_from = (const char *)from + size - 1;

	if ((uintptr_t)to <= (uintptr_t)from)
		return memcpy(to, from, size);
	asm volatile("std; rep movsb; cld"
		     : "+D" (last_to), "+S" (last_from), "+c" (size)
		     : : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const uint8_t *x = a, *y = b;

	for (; size; size--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t strlen(const char *s)
{
	size_t length = 0;

	while (s[length])
		length++;
	return length;
}

int strncmp(const char *a, const char *b, size_t size)
{
	for (; size; size--, a++, b++)
		if (*a != *b || !*a)
			return (uint8_t)*a - (uint8_t)*b;
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, SIZE_MAX);
}

/* Decimal, or hexadecimal after "0x". Stops at the first other character. */
uint32_t parse_number(const char *s)
{
	uint32_t base = 10, value = 0;

	if (s[0] == '0' && s[1] == 'x') {
		base = 16;
		s += 2;
	}
	for (;; s++) {
		uint32_t digit = (uint8_t)*s - '0';

		if (digit > 9)
			digit = ((uint8_t)*s | 0x20) - 'a' + 10;
		if (digit >= base || (digit >= 10 && *s < 'A'))
			return value;
		value = value * base + digit;
	}
}

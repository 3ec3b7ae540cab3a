// SPDX-License-Identifier: GPL-2.0
/*
 * A small snprintf(): %d %u %x %c %s %p %%, with a width, "0" to pad with
 * zeros, and "#" for a leading 0x. It never writes beyond the buffer, always
 * ends it with a NUL, and returns the length that all of the text would have.
 */
#include "guest.h"

struct output {
	char *to;
	size_t size;
	size_t used;
};

static void put(struct output *out, char c)
{
	if (out->used + 1 < out->size)
		out->to[out->used] = c;
	out->used++;
}

static void put_string(struct output *out, const char *s, size_t length,
		       size_t width)
{
	for (; width > length; width--)
		put(out, ' ');
	for (; length; length--)
		put(out, *s++);
}

/* The digits come out last first, so fill a buffer from its end. */
static void put_number(struct output *out, uint32_t value, uint32_t base,
		       const char *prefix, size_t width, bool zeros)
{
	char buffer[40];
	char *p = buffer + sizeof(buffer);
	size_t prefix_length = strlen(prefix);
	size_t digits = 1;

	if (zeros && width > prefix_length)
		digits = width - prefix_length;
	if (digits > 32)
		digits = 32;
	while (value || digits) {
		*--p = "0123456789abcdef"[value % base];
		value /= base;
		if (digits)
			digits--;
	}
	p -= prefix_length;
	memcpy(p, prefix, prefix_length);
	put_string(out, p, buffer + sizeof(buffer) - p, width);
}

int vsnprintf(char *to, size_t size, const char *format, va_list args)
{
	struct output out = { to, size, 0 };

	for (; *format; format++) {
		bool zeros = false, prefix = false;
		size_t width = 0;
		const char *s;
		int32_t number;
		char c;

		if (*format != '%') {
			put(&out, *format);
			continue;
		}
		for (format++; *format == '#' || *format == '0'; format++) {
			prefix |= *format == '#';
			zeros |= *format == '0';
		}
		for (; *format >= '0' && *format <= '9'; format++)
			width = width * 10 + *format - '0';
		while (*format == 'l')	/* a long is as long as an int */
			format++;

		switch (*format) {
		case 'd':
			number = va_arg(args, int32_t);
			put_number(&out, number < 0 ? -(uint32_t)number :
				   (uint32_t)number, 10,
				   number < 0 ? "-" : "", width, zeros);
			break;
		case 'u':
			put_number(&out, va_arg(args, uint32_t), 10, "",
				   width, zeros);
			break;
		case 'x':
			put_number(&out, va_arg(args, uint32_t), 16,
				   prefix ? "0x" : "", width, zeros);
			break;
		case 'p':
			put_number(&out, va_arg(args, uint32_t), 16, "0x",
				   10, true);
			break;
		case 'c':
			c = va_arg(args, int);
			put_string(&out, &c, 1, width);
			break;
		case 's':
			s = va_arg(args, const char *);
			put_string(&out, s, strlen(s), width);
			break;
		case '%':
			put(&out, '%');
			break;
		default:
			/* Show what is not understood, and end there. */
			put_string(&out, "%?", 2, 0);
			goto end;
		}
	}
end:
	if (size)
		out.to[out.used < size ? out.used : size - 1] = '\0';
	return out.used;
}

int snprintf(char *to, size_t size, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(to, size, format, args);
	va_end(args);
	return length;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * A small snprintf(): %d %u %x %c %s %p %%, with a width, "-" to fill it on
 * the right, "0" to fill it with zeros, and "#" for a leading 0x. It never writes beyond the buffer, always
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

/* What stands between "%" and the letter. */
struct field {
	size_t width;
	bool left;		/* "-" */
	bool zeros;		/* "0" */
	bool prefix;		/* "#" */
};

static void put_string(struct output *out, const char *s, size_t length,
		       const struct field *field)
{
	size_t fill = field->width > length ? field->width - length : 0;

	for (; !field->left && fill; fill--)
		put(out, ' ');
	for (; length; length--)
		put(out, *s++);
	for (; fill; fill--)
		put(out, ' ');
}

/* The digits come out last first, so fill a buffer from its end. */
static void put_number(struct output *out, uint32_t value, uint32_t base,
		       const char *prefix, const struct field *field)
{
	char buffer[40];
	char *p = buffer + sizeof(buffer);
	size_t prefix_length = strlen(prefix);
	size_t digits = 1;

	if (field->zeros && field->width > prefix_length)
		digits = field->width - prefix_length;
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
	put_string(out, p, buffer + sizeof(buffer) - p, field);
}

int vsnprintf(char *to, size_t size, const char *format, va_list args)
{
	struct output out = { to, size, 0 };

	for (; *format; format++) {
		struct field field = { 0 };
		const char *s;
		int32_t number;
		char c;

		if (*format != '%') {
			put(&out, *format);
			continue;
		}
		for (format++; *format == '-' || *format == '0' ||
		     *format == '#'; format++) {
			field.left |= *format == '-';
			field.zeros |= *format == '0';
			field.prefix |= *format == '#';
		}
		for (; *format >= '0' && *format <= '9'; format++)
			field.width = field.width * 10 + *format - '0';
		while (*format == 'l')	/* a long is as long as an int */
			format++;

		switch (*format) {
		case 'd':
			number = va_arg(args, int32_t);
			put_number(&out, number < 0 ? -(uint32_t)number :
				   (uint32_t)number, 10,
				   number < 0 ? "-" : "", &field);
			break;
		case 'u':
			put_number(&out, va_arg(args, uint32_t), 10, "",
				   &field);
			break;
		case 'x':
			put_number(&out, va_arg(args, uint32_t), 16,
				   field.prefix ? "0x" : "", &field);
			break;
		case 'p':
			field.width = 10;
			field.zeros = true;
			put_number(&out, va_arg(args, uint32_t), 16, "0x",
				   &field);
			break;
		case 'c':
			c = va_arg(args, int);
			put_string(&out, &c, 1, &field);
			break;
		case 's':
			s = va_arg(args, const char *);
			put_string(&out, s, strlen(s), &field);
			break;
		case '%':
			put(&out, '%');
			break;
		default:
			/* Show what is not understood, and end there. */
			put(&out, '%');
			put(&out, '?');
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

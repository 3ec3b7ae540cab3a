// SPDX-License-Identifier: GPL-2.0
/* What a guest has to say to its host. */
#include "guest.h"

struct lguest_data lguest_data = {
	.kernel_address = 0xc0000000,	/* as in Linux: users are below */
	.syscall_vec = 0x80,		/* as in Linux */
};

/* The host accepts no other call before this one. */
void lguest_init(void)
{
	/* No asynchronous call waits in the ring: 0xff is "free". */
	memset(lguest_data.hcall_status, 0xff,
	       sizeof(lguest_data.hcall_status));
	hcall(LHCALL_LGUEST_INIT, (uint32_t)&lguest_data, 0, 0, 0);
}

/* The two halves of a descriptor, as in the processor's manual. */
void load_gdt_entry(uint32_t index, uint32_t low, uint32_t high)
{
	hcall(LHCALL_LOAD_GDT_ENTRY, index, low, high, 0);
}

/* The host reads the whole buffer, so all of it is ours. */
static char last_words[LGUEST_MESSAGE_SIZE];

_Noreturn void shutdown(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(last_words, sizeof(last_words), format, args);
	va_end(args);
	hcall(LHCALL_SHUTDOWN, (uint32_t)last_words,
	      LGUEST_SHUTDOWN_POWEROFF, 0, 0);
	__builtin_unreachable();
}

_Noreturn void restart(const char *reason)
{
	snprintf(last_words, sizeof(last_words), "%s", reason);
	hcall(LHCALL_SHUTDOWN, (uint32_t)last_words,
	      LGUEST_SHUTDOWN_RESTART, 0, 0);
	__builtin_unreachable();
}

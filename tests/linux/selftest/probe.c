// SPDX-License-Identifier: GPL-2.0
/*
 * Accesses that may end in a signal, and what the signal says of them.
 */
#include "selftest.h"
#include <setjmp.h>

struct fault fault;

static sigjmp_buf back;
static volatile bool armed;
static unsigned short own_gs;

static const int caught[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };

/* Segment registers and flags may be odd when it comes here: they are first. */
static void handler(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	greg_t *regs = uc->uc_mcontext.gregs;

	asm volatile("movw %0, %%gs; pushl $0x202; popfl" : : "m" (own_gs)
		     : "cc");
	fault.signal = signal;
	fault.code = info->si_code;
	fault.address = (uintptr_t)info->si_addr;
	fault.trap = regs[REG_TRAPNO];
	fault.error = regs[REG_ERR];
	fault.cr2 = uc->uc_mcontext.cr2;
	fault.eip = regs[REG_EIP];
	fault.esp = regs[REG_ESP];
	fault.eflags = regs[REG_EFL];
	if (!armed) {
		expect(false, "signal %d, code %d, address %#x, trap %u, error %#x at %#x",
		       signal, fault.code, fault.address, fault.trap,
		       fault.error, fault.eip);
		leave();
	}
	armed = false;
	siglongjmp(back, 1);
}

/* Handlers have their own stack, for those that lose theirs. */
void probe_begin(void)
{
	static char stack[32768];
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };

	asm volatile("movw %%gs, %0" : "=m" (own_gs));
	works(sigaltstack(&alternate, NULL));
	for (size_t i = 0; i < ARRAY_SIZE(caught); i++)
		on_signal(caught[i], handler, SA_NODEFER | SA_ONSTACK);
}

/* Nothing is saved of the signal mask: that would be a system call. */
#define PROBE(access)							\
({									\
	fault.signal = 0;						\
	if (!sigsetjmp(back, 0)) {					\
		armed = true;						\
		access;							\
	}								\
	armed = false;							\
	fault.signal;							\
})

int probe_read(const volatile void *address, uint32_t *value)
{
	return PROBE(asm volatile("movl (%1), %0" : "=r" (*value)
				  : "r" (address) : "memory"));
}

int probe_write(volatile void *address, uint32_t value)
{
	return PROBE(asm volatile("movl %0, (%1)" : : "r" (value),
				  "r" (address) : "memory"));
}

int probe_call(const void *code)
{
	return PROBE(asm volatile("pushal; call *%0; popal" : : "a" (code)
				  : "memory", "cc"));
}

void expect_fault(int signal, int code, const volatile void *address,
		  uint32_t error, const char *what)
{
	uint32_t there = (uintptr_t)address;

	expect(fault.signal == signal && fault.code == code &&
	       fault.address == there && fault.cr2 == there &&
	       fault.trap == 14 && fault.error == error,
	       "%s: got signal %d, code %d, address %#x, cr2 %#x, trap %u, error %#x; wanted signal %d, code %d, address %#x, trap 14, error %#x",
	       what, fault.signal, fault.code, fault.address, fault.cr2,
	       fault.trap, fault.error, signal, code, there, error);
}

void must_fault_read(const volatile void *address, int code, uint32_t error,
		     const char *what)
{
	uint32_t value;

	probe_read(address, &value);
	expect_fault(SIGSEGV, code, address, error | PF_USER, what);
}

void must_fault_write(volatile void *address, int code, uint32_t error,
		      const char *what)
{
	probe_write(address, 0xdeadbeef);
	expect_fault(SIGSEGV, code, address, error | PF_USER | PF_WRITE, what);
}

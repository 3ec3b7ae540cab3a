// SPDX-License-Identifier: GPL-2.0
/*
 * Floating point: everybody's own.
 *
 * x87, MMX and SSE registers, MXCSR and the x87 control word belong to
 * whoever computes: a guest, its launcher, another process, the kernel's own
 * crypto. AVX's upper halves the guest cannot even name.
 *
 * Vulnerable: a guest finds a key of its launcher, of the kernel or of another
 * guest in a register, or somebody's sum comes out wrong.
 * Expected: a guest begins with empty registers, and nobody, at any time,
 * sees a register that another one loaded.
 */
#include "host.h"
#include <cpuid.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>

/* The guest's memory: what it loads, what came of that, what it finds. */
#define LOAD		0x6000
#define KEPT		0x6200
#define FOUND		0x6400

/* All that a guest can save, but for the last instruction's address. */
#define SAVED_BYTES	288
#define SAME(offset, words)						\
	"movl $" TEXT_OF(KEPT) " + " #offset ", %esi;"			\
	"movl $" TEXT_OF(FOUND) " + " #offset ", %edi;"			\
	"movl $" #words ", %ecx; repe cmpsl; jne 9f;"

/* DATA counts rounds; DATA + 4 ends it; DATA + 8 is the hypercall, or none. */
GUEST_CODE(keep_code, GUEST_INIT
	   "fxsave " TEXT_OF(FOUND) "; fxrstor " TEXT_OF(LOAD) ";"
	   "fxsave " TEXT_OF(KEPT) ";"
	   "1: movl " TEXT_OF(DATA) "+8, %eax; testl %eax, %eax; js 2f;"
	   "int $0x1f;"
	   "2: fxsave " TEXT_OF(FOUND) "; cld;"
	   SAME(0, 2) SAME(24, 66)
	   "incl " TEXT_OF(DATA) ";"
	   "cmpl $0, " TEXT_OF(DATA) "+4; je 1b;"
	   GUEST_OFF
	   "9: movl $0x21, " TEXT_OF(MESSAGE) ";"	/* "!" */
	   GUEST_OFF);

/* What it finds first of all. */
GUEST_CODE(look_code, "fxsave " TEXT_OF(FOUND) ";" GUEST_INIT GUEST_OFF);

/* An x87 exception that nobody has asked about yet, through many exits. */
GUEST_CODE(pending_code, GUEST_INIT
	   "pushl $0x37b; fldcw (%esp);"	/* zero divide is not masked */
	   "fld1; fldz; fdivrp;"
	   "movl $1000, %edi;"
	   "1: xorl %eax, %eax; int $0x1f; decl %edi; jnz 1b;"
	   GUEST_OFF);

static struct lguest_exit end;

/* --- the launcher's registers ------------------------------------------- */

#define AREA_SIZE	32768

struct area {
	uint8_t bytes[AREA_SIZE] __attribute__((aligned(64)));
};

static unsigned int avx_offset, avx_size;	/* 0: no AVX */

/*
 * int run_with(fd, request, end, in, out, own): load "in", make the call, store
 * "out", and give the caller its own back. One for FXSAVE, one for XSAVE with
 * x87, SSE and AVX: bits 0 to 2.
 */
typedef long run_with_fn(int fd, unsigned long request,
			 struct lguest_exit *end, const void *in, void *out,
			 void *own);
run_with_fn run_with_fxsave, run_with_xsave;
asm("run_with_fxsave:\n"
    "	fxsave64 (%r9); fxrstor64 (%rcx)\n"
    "	movl $16, %eax; syscall\n"
    "	fxsave64 (%r8); fxrstor64 (%r9); ret\n"
    "run_with_xsave:\n"
    "	pushq %rbx; movq %rdx, %r10; movl $7, %eax; xorl %edx, %edx\n"
    "	xsave64 (%r9); xrstor64 (%rcx)\n"
    "	movq %r10, %rdx\n"
    "	movl $16, %eax; syscall\n"
    "	movq %rax, %rbx; movl $7, %eax; xorl %edx, %edx\n"
    "	xsave64 (%r8); xrstor64 (%r9)\n"
    "	movq %rbx, %rax; popq %rbx; ret\n");

static void find_avx(void)
{
	unsigned int a, b, c, d;

	__cpuid(1, a, b, c, d);
	if (!(c & bit_OSXSAVE))
		return;
	asm volatile("xgetbv" : "=a" (a), "=d" (d) : "c" (0));
	if ((a & 7) == 7)
		__cpuid_count(0xd, 2, avx_size, avx_offset, c, d);
}

/* The old 512 bytes: control words, eight times x87, 16 (or 8) times SSE. */
static void fill_legacy(uint8_t *area, uint8_t seed, int sse)
{
	memset(area, 0, 512);
	*(uint16_t *)(area + 0) = 0x027f | (seed & 3) << 10;	/* rounding */
	area[4] = 0xff;				/* all eight in use */
	*(uint32_t *)(area + 24) = 0x1f80 | (seed & 3) << 13;
	for (int i = 0; i < 8; i++) {
		*(uint64_t *)(area + 32 + i * 16) =
			0x8000000000000000 + 0x01010101010101ull * seed + i;
		*(uint16_t *)(area + 40 + i * 16) = 0x3fff + i;
	}
	for (int i = 0; i < 16 * sse; i++)
		area[160 + i] = i ^ seed;
}

static void fill(struct area *area, uint8_t seed)
{
	memset(area, 0, sizeof(*area));
	fill_legacy(area->bytes, seed, 16);
	if (!avx_size)
		return;
	*(uint64_t *)(area->bytes + 512) = 7;
	for (unsigned int i = 0; i < avx_size; i++)
		area->bytes[avx_offset + i] = i ^ ~seed;
}

static bool same(const struct area *a, const struct area *b)
{
	return same_legacy(a->bytes, b->bytes) &&
	       memcmp(a->bytes + avx_offset, b->bytes + avx_offset,
		      avx_size) == 0;
}

/*
 * One RUN by a launcher whose registers hold the seed's pattern. Its result;
 * *intact becomes false if the pattern did not survive.
 */
static long run_once_with(const struct vm *vm, uint8_t seed, bool *intact,
			  struct lguest_exit *end)
{
	static __thread struct area in, out, own;
	run_with_fn *run_with = avx_size ? run_with_xsave : run_with_fxsave;
	long result;

	fill(&in, seed);
	memset(&out, 0, sizeof(out));
	result = run_with(vm->fd, LGUEST_RUN, end, &in, &out, &own);
	*intact &= same(&in, &out);
	return result;
}

/* To its end, through all signals. */
static bool run_with_seed(const struct vm *vm, uint8_t seed, bool *intact,
			  struct lguest_exit *end)
{
	long result;

	do {
		result = run_once_with(vm, seed, intact, end);
	} while (result == -EINTR);
	return result == 0;
}

/* --- guests -------------------------------------------------------------- */

#define NO_CALL	0xffffffff

static struct vm keeper(uint8_t seed, uint32_t call)
{
	struct vm vm = NEW_VM(keep_code);

	fill_legacy(vm.memory + LOAD, seed, 8);
	*word(&vm, DATA + 8) = call;
	return vm;
}

static const uint8_t *first_state(void)
{
	static uint8_t state[512];

	*(uint16_t *)state = 0x37f;
	*(uint32_t *)(state + 24) = 0x1f80;
	return state;
}

/* Are these bytes, at FOUND, what a guest should find first? */
static bool is_first_state(const struct vm *vm)
{
	const uint8_t *found = vm->memory + FOUND;
	bool good = true;

	for (int i = 0; i < SAVED_BYTES; i++)
		if (found[i] != first_state()[i] && (i < 28 || i > 31)) {
			note("byte %d is %#x, not %#x", i, found[i],
			     first_state()[i]);
			good = false;
		}
	return good;
}

static void test_first_state(void)
{
	for (int seed = 0; seed < 4; seed++) {
		struct vm vm = NEW_VM(look_code);
		bool intact = true;

		ok(run_with_seed(&vm, 0x51 + seed, &intact, &end) &&
		   powered_off(&end, "done") && is_first_state(&vm),
		   "a guest begins with empty registers");
		ok(intact, "and its launcher keeps its own%s",
		   avx_size ? ", AVX too" : "");
		free_vm(&vm);
	}
}

/* After a guest that filled all it has, the next one finds nothing. */
static void test_next_guest(void)
{
	struct vm vm = keeper(0x77, LHCALL_FLUSH_ASYNC), next;
	bool intact = true;

	*word(&vm, DATA + 4) = 1;
	ok(run_with_seed(&vm, 0x13, &intact, &end) &&
	   powered_off(&end, "done") && intact,
	   "a guest fills its registers; its launcher's are intact");
	next = NEW_VM(look_code);
	ok(run(&next, &end) == 0 && powered_off(&end, "done") &&
	   is_first_state(&next), "the next guest finds nothing of them");
	free_vm(&next);
	free_vm(&vm);
}

static void test_pending(void)
{
	struct vm vm = NEW_VM(pending_code);
	struct lguest_regs regs;
	bool intact = true;

	get_regs(&vm, &regs);
	regs.esp = STACK;
	set_regs(&vm, &regs);
	ok(run_with_seed(&vm, 0x29, &intact, &end) &&
	   powered_off(&end, "done") && intact,
	   "an x87 exception that is pending hurts nobody (%.127s)",
	   end.message);
	free_vm(&vm);
}

/* --- all at once ----------------------------------------------------------- */

static volatile bool over;

/* Its handler uses what it likes: the kernel saves it for whom it struck. */
static void computing_handler(int signal NOT_USED)
{
	asm volatile("fninit; fldpi; xorps %%xmm0, %%xmm0; pcmpeqd %%xmm7, %%xmm7"
		     : : : "xmm0", "xmm7");
	if (avx_size)
		asm volatile("vzeroall" : : :
			     "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
			     "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
			     "xmm12", "xmm13", "xmm14", "xmm15");
}

struct run {
	pthread_t thread;
	struct vm vm;
	uint8_t seed;			/* the launcher's */
	bool intact, done;
	struct lguest_exit end;
};

static void *run_thread(void *argument)
{
	struct run *r = argument;

	r->intact = true;
	r->done = run_with_seed(&r->vm, r->seed, &r->intact, &r->end);
	return NULL;
}

/* An ordinary thread: does it keep its registers through being preempted? */
static void *compute_thread(void *argument)
{
	static __thread struct area in, out, own;
	bool *intact = argument;

	fill(&in, 0x99);
	while (!over) {
		/* No such call: it only goes into the kernel and back. */
		if (avx_size)
			run_with_xsave(-1, 0, NULL, &in, &out, &own);
		else
			run_with_fxsave(-1, 0, NULL, &in, &out, &own);
		*intact &= same(&in, &out);
	}
	return NULL;
}

/* The kernel computes as well: its random numbers need hashes. */
static void *random_thread(void *argument NOT_USED)
{
	int fd = open("/dev/urandom", O_RDWR);
	char bytes[4096];

	while (!over)
		if (read(fd, bytes, sizeof(bytes)) < 0 ||
		    write(fd, bytes, sizeof(bytes)) < 0)
			bail_out("/dev/urandom");
	close(fd);
	return NULL;
}

static void storm_of_signals(unsigned int us)
{
	struct itimerval timer = { { 0, us }, { 0, us } };

	setitimer(ITIMER_REAL, &timer, NULL);
}

#define GUESTS	4
#define ROUNDS	3000

/* Everybody on one processor, so that each finds what the last one left. */
static void test_all_at_once(void)
{
	struct sigaction action = { .sa_handler = computing_handler };
	pthread_t computer, randomizer;
	struct run runs[GUESTS];
	bool intact = true;

	sigaction(SIGALRM, &action, NULL);
	over = false;
	for (int i = 0; i < GUESTS; i++) {
		runs[i].vm = keeper(0x31 * (i + 1), i % 2 ? NO_CALL :
				    LHCALL_FLUSH_ASYNC);
		runs[i].seed = 0xc1 + i;
		pthread_create(&runs[i].thread, NULL, run_thread, &runs[i]);
	}
	pthread_create(&computer, NULL, compute_thread, &intact);
	pthread_create(&randomizer, NULL, random_thread, NULL);
	storm_of_signals(5000);
	for (int i = 0; i < GUESTS; i++)
		for (int n = 0; n < 10; n++) {
			uint32_t now = *word(&runs[i].vm, DATA);

			if (now < ROUNDS)
				n = 0;
			if (!wait_for_change(word(&runs[i].vm, DATA), now))
				break;
		}
	for (int i = 0; i < GUESTS; i++)
		*word(&runs[i].vm, DATA + 4) = 1;
	for (int i = 0; i < GUESTS; i++) {
		pthread_join(runs[i].thread, NULL);
		ok(runs[i].done && powered_off(&runs[i].end, "done"),
		   "guest %d kept its registers %u times (%.127s)", i,
		   *word(&runs[i].vm, DATA), runs[i].end.message);
		ok(runs[i].intact, "and its launcher its own");
		free_vm(&runs[i].vm);
	}
	storm_of_signals(0);
	over = true;
	pthread_join(computer, NULL);
	pthread_join(randomizer, NULL);
	ok(intact, "and a thread that has no guest");
}

/* --- a debugger -------------------------------------------------------------- */

static uint8_t *shared;			/* the guest's memory */

static int debugged(void *argument NOT_USED)
{
	struct vm vm = NEW_VM_IN(shared, MEMORY, keep_code);
	bool intact = true;

	fill_legacy(vm.memory + LOAD, 0x44, 8);
	*word(&vm, DATA + 8) = NO_CALL;
	if (!run_with_seed(&vm, 0xdb, &intact, &end))
		return 1;
	return intact && powered_off(&end, "done") ? 7 : 2;
}

/* What it sees of a launcher in RUN are the launcher's registers. */
static void test_debugger(void)
{
	struct user_fpregs_struct regs;
	uint8_t expected[512];
	int status;
	pid_t pid;

	shared = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		bail_out("mmap");
	fflush(stdout);
	fill_legacy(expected, 0xdb, 16);
	pid = start_child(debugged, NULL);
	if (ptrace(PTRACE_SEIZE, pid, 0, 0))
		bail_out("PTRACE_SEIZE");
	for (int i = 0; i < 20; i++) {
		uint32_t now = *(volatile uint32_t *)(shared + DATA);

		if (!wait_for_change((uint32_t *)(shared + DATA), now))
			break;
		ptrace(PTRACE_INTERRUPT, pid, 0, 0);
		waitpid(pid, &status, 0);
		memset(&regs, 0, sizeof(regs));
		ptrace(PTRACE_GETFPREGS, pid, 0, &regs);
		if (!same_legacy(expected, (uint8_t *)&regs)) {
			ok(false, "a debugger sees other registers, look %d",
			   i);
			break;
		}
		/* And what it sets, the launcher has, not the guest. */
		ptrace(PTRACE_SETFPREGS, pid, 0, &regs);
		ptrace(PTRACE_CONT, pid, 0, 0);
	}
	*(uint32_t *)(shared + DATA + 4) = 1;
	status = end_child(pid);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 7,
	   "a debugger looks 20 times, and nothing is mixed up (%#x)", status);
	munmap(shared, MEMORY);
}

int main(void)
{
	find_avx();
	stay_here();
	test_first_state();
	test_next_guest();
	test_pending();
	test_all_at_once();
	test_debugger();
	ok(good_guest_runs(), "a good guest runs after all this");
	return tap_end();
}

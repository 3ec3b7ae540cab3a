// SPDX-License-Identifier: GPL-2.0
/*
 * Eight guests at once, as eight processes and as eight threads of one.
 *
 * Each has a pattern of its own in its registers and its memory, and looks
 * after every hypercall, and between them, whether it is still there.
 *
 * Vulnerable: something of one guest stays on the processor for the next.
 * Expected: each ends with its own last words.
 */
#include "host.h"
#include <pthread.h>

#define GUESTS	8
#define ROUNDS	20000

/* DATA: the pattern. DATA + 4: rounds left. 0x6000 on: a page of patterns. */
GUEST_CODE(code, GUEST_INIT
	   "movl " TEXT_OF(DATA) ", %ebx; movl %ebx, %ecx; movl %ebx, %edx;"
	   "movl %ebx, %esi; movl %ebx, %edi; movl %ebx, %ebp;"
	   "1: xorl %eax, %eax; int $0x1f;"
	   "cmpl " TEXT_OF(DATA) ", %ebx; jne 2f;"
	   "cmpl %ebx, %ecx; jne 2f; cmpl %ebx, %edx; jne 2f;"
	   "cmpl %ebx, %esi; jne 2f; cmpl %ebx, %edi; jne 2f;"
	   "cmpl %ebx, %ebp; jne 2f;"
	   "movl " TEXT_OF(DATA) "+4, %eax; andl $0xffc, %eax;"
	   "cmpl 0x6000(%eax), %ebx; jne 2f;"
	   "decl " TEXT_OF(DATA) "+4; jnz 1b;"
	   GUEST_OFF
	   "2: movl $0x21, " TEXT_OF(MESSAGE) ";"	/* "!" */
	   GUEST_OFF);

static bool run_one(uint32_t number)
{
	struct vm vm = NEW_VM(code);
	uint32_t pattern = 0x01010101 * (number + 1);
	struct lguest_exit end;
	char words[32];
	bool good;

	*word(&vm, DATA) = pattern;
	*word(&vm, DATA + 4) = ROUNDS;
	for (uint32_t at = 0x6000; at < 0x7000; at += 4)
		*word(&vm, at) = pattern;
	snprintf(words, sizeof(words), "I am guest %u", number);
	strcpy((char *)vm.memory + MESSAGE, words);
	good = run(&vm, &end) == 0 && powered_off(&end, words);
	if (!good)
		note("guest %u ended with %u: %.127s", number, end.reason,
		     end.message);
	free_vm(&vm);
	return good;
}

static int run_process(void *argument)
{
	return !run_one((uintptr_t)argument);
}

static void *run_thread(void *argument)
{
	return (void *)(uintptr_t)run_one((uintptr_t)argument);
}

int main(void)
{
	pthread_t threads[GUESTS];
	pid_t pids[GUESTS];
	int good = 0;

	for (uintptr_t i = 0; i < GUESTS; i++)
		pids[i] = start_child(run_process, (void *)i);
	for (int i = 0; i < GUESTS; i++)
		good += end_child(pids[i]) == 0;
	ok(good == GUESTS, "%d of %d guests in processes", good, GUESTS);

	good = 0;
	for (uintptr_t i = 0; i < GUESTS; i++)
		pthread_create(&threads[i], NULL, run_thread, (void *)i);
	for (int i = 0; i < GUESTS; i++) {
		void *result;

		pthread_join(threads[i], &result);
		good += (uintptr_t)result;
	}
	ok(good == GUESTS, "%d of %d guests in threads", good, GUESTS);
	return tap_end();
}

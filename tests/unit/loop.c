// SPDX-License-Identifier: GPL-2.0
/*
 * The loop: who is called, and who is not any more.
 *
 * Uses: loop.c
 */
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "loop.h"
#include "unit.h"

static unsigned int calls[2];
static int files[2];

static void count(void *data, uint32_t events)
{
	(void)events;
	++*(unsigned int *)data;
}

static void remove_other(void *data, uint32_t events)
{
	count(data, events);
	loop_remove(files[data == &calls[0]]);
}

static int ready_file(void)
{
	return eventfd(1, EFD_NONBLOCK);
}

static void turns(unsigned int n)
{
	calls[0] = 0;
	calls[1] = 0;
	while (n--)
		loop_turn(0);
}

static void add_two(loop_handler *handler)
{
	for (int n = 0; n < 2; n++) {
		files[n] = ready_file();
		loop_add(files[n], EPOLLIN, handler, &calls[n]);
	}
}

static void remove_both(void)
{
	for (int n = 0; n < 2; n++) {
		loop_remove(files[n]);
		close(files[n]);
	}
}

static void test_calls(void)
{
	add_two(count);
	turns(10);
	ok(calls[0] == 5 && calls[1] == 5, "two that are ready take turns");
	loop_remove(files[0]);
	turns(10);
	ok(calls[0] == 0 && calls[1] == 10, "one that is removed has none");
	loop_add(files[0], EPOLLIN, count, &calls[0]);
	turns(10);
	ok(calls[0] == 5, "it may come back");
	remove_both();
	ok(!loop_turn(0), "then there is nobody");

	add_two(remove_other);
	turns(10);
	ok(calls[0] + calls[1] == 10 && (!calls[0] || !calls[1]),
	   "one may remove the other");
	remove_both();
	ok(pthread_mutex_trylock(&machine_lock) == 0,
	   "the lock is not held afterwards");
	pthread_mutex_unlock(&machine_lock);
}

static void test_always_ready(void)
{
	int fd = open("/proc/self/exe", O_RDONLY);

	ok(!loop_add(fd, EPOLLIN, count, &calls[0]),
	   "nobody can wait for a file that is always ready");
	turns(1);
	ok(!calls[0], "nor is anybody called");
	close(fd);
	fd = ready_file();
	ok(loop_add(fd, EPOLLIN, count, &calls[0]), "another is none such");
	loop_remove(fd);
	close(fd);
}

static void test_many(void)
{
	volatile unsigned int count_of_them = 0;

	while (count_of_them < 1000 &&
	       !DIES(loop_add(ready_file(), EPOLLIN, count, &calls[0])))
		count_of_them++;
	ok(count_of_them == 128 && strstr(words, "too many"),
	   "there is room for 128");
}

int main(void)
{
	test_calls();
	test_always_ready();
	test_many();
	return tap_end();
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The I/O thread, which waits for everything at once: for the outside world,
 * and for the guest to notify a device.
 */
#ifndef LOOP_H
#define LOOP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Protects the state of all devices. The vCPU's thread takes it around each
 * access to a port or a device page, the I/O thread around each handler.
 */
extern pthread_mutex_t machine_lock;

typedef void loop_handler(void *data, uint32_t events);

bool loop_add(int fd, uint32_t epoll_events, loop_handler *handler,
	      void *data);
void loop_remove(int fd);
void loop_start(void);
bool loop_turn(int milliseconds);	/* for tests: without the thread */

#endif

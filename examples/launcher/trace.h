/* SPDX-License-Identifier: GPL-2.0 */
/* What happens when: for ui.perfetto.dev, chrome://tracing and make trace. */
#ifndef TRACE_H
#define TRACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* False costs its readers one comparison. */
extern atomic_bool tracing;

void trace_open(const char *path);

/* Nanoseconds; 0 if nobody traces. */
uint64_t trace_now(void);

/*
 * Something took from "start" until "end", in this thread. "details" are more
 * fields in JSON, such as "\"port\":233", and may be "".
 */
void trace_span(const char *name, uint64_t start, uint64_t end,
		const char *details, ...)
	__attribute__((format(printf, 4, 5)));

/* Something happened, and took no time worth noting. */
void trace_event(const char *name, const char *details, ...)
	__attribute__((format(printf, 2, 3)));

/* trace_run.c: around each LGUEST_RUN; "exit" is NULL if it failed. */
struct guest;
struct lguest_exit;
void trace_entry(void);
void trace_exit(struct guest *guest, const struct lguest_exit *exit);

#endif

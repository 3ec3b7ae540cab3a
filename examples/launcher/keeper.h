/* SPDX-License-Identifier: GPL-2.0 */
/* The keeper, a process that can what the launcher soon cannot: keeper.c. */
#ifndef KEEPER_H
#define KEEPER_H

#include <stdbool.h>

/* What is opened each time that the guest starts. */
enum kept { KEPT_DEVICE, KEPT_KERNEL, KEPT_INITRD, KEPT_FILES };

void keeper_start(const char *const paths[KEPT_FILES]);
int keeper_open(enum kept which);
void keeper_terminal(bool raw);

#endif

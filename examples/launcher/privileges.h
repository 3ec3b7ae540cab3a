/* SPDX-License-Identifier: GPL-2.0 */
/* What the launcher gives up before the guest runs: privileges.c. */
#ifndef PRIVILEGES_H
#define PRIVILEGES_H

#include <sys/types.h>

struct user {
	uid_t uid;
	gid_t gid;
};

void find_user(const char *name, struct user *user);
void become_user(const struct user *user);

/* Who wants to do more than the others while the guest runs, says so before. */
#define NEEDS_SOCKETS	1	/* makes connections */
#define NEEDS_READING	2	/* reads files that have a name */
#define NEEDS_NAMES	4	/* removes a socket by its name */
void keep_right(unsigned int needs);
void restrict_calls(void);

#endif

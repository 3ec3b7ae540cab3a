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

#define NEEDS_SOCKETS	1	/* makes connections while the guest runs */
#define NEEDS_READING	2	/* reads files that have a name */
#define NEEDS_NAMES	4	/* removes a socket by its name */
void restrict_calls(unsigned int needs);

#endif

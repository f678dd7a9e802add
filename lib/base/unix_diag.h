/* What the kernel tells of a Unix socket that somebody has bound: sock_diag(7). */
#ifndef IPC_UNIX_DIAG_H
#define IPC_UNIX_DIAG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct ipc_unix_diag {
	int type; /* SOCK_STREAM, ... */
	bool listening;
	bool counted;	      /* the next two are known */
	uint32_t queue;	      /* listening: connections that wait to be accepted; else bytes that wait to be read */
	uint32_t limit;	      /* listening: listen(2)'s backlog */
	bool owned;	      /* uid is known: Linux 5.3 */
	uid_t uid;	      /* who made it */
	unsigned connections; /* that were accepted from it and are open */
};

/*
 * Finds the socket that is bound to the inode, among those of our own network namespace: 0, -ENOENT if nobody has it,
 * -EAGAIN if there are too many sockets to look through, or another -errno.
 */
int ipc_unix_diag(dev_t, ino_t, struct ipc_unix_diag *);

#endif

/* POSIX message queues by name: mq_overview(7). Names in this interface are the kernel's, without the slash. */
#ifndef IPC_MQ_NAMES_H
#define IPC_MQ_NAMES_H

#include <mqueue.h>

#include "ipc.h"

/* The mqueue file system of our IPC namespace as a directory descriptor, or -1 where we may not see it. */
int mq_names_open(void);

/* 0 or -errno; dir is mq_names_open()'s. */
int mq_names_stat(int dir, const char *name, struct stat *);
/* ino: of the queue that is meant, else -ESTALE; 0: whichever has the name. */
int mq_names_chattr(int dir, const char *name, ino_t ino, const struct stat *, unsigned set);
/* Opens by mq_open(3), O_CLOEXEC and O_NONBLOCK added. Returns the descriptor or -errno. */
int mq_names_queue(const char *name, int flags, mode_t mode, struct mq_attr *attr);
/* Some descriptor of the queue, whichever way its mode lets us in; -errno. */
int mq_names_any(const char *name);
/*
 * Makes a queue; maxmsg and msgsize 0 are the kernel's defaults, with fewer messages where the user's account has no
 * room for so many. Returns the descriptor or -errno; when a limit of the kernel was met, why says which, its value and
 * how to raise it.
 */
int mq_names_create(const char *name, mode_t mode, int64_t maxmsg, int64_t msgsize, char *why, size_t why_size);

#endif

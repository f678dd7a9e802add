/*
 * How io_uring reads a file. It takes a short read of a regular file for one that is to be continued, at the same
 * offset, and waits for more by polling; and it reads in the caller's own thread, after a poll that promised something
 * to read. Both are told from a program's own poll(2) and read(2) by the events that are asked for: those of poll,
 * select and epoll hold POLLHUP.
 */
#ifndef FS_RING_H
#define FS_RING_H

#include <stdbool.h>
#include <sys/types.h>

/* All 0 at first. */
struct fs_ring {
	pid_t reader; /* whose read is below; 0: none that could be continued */
	size_t size, got;
	pid_t promised; /* who was told that there is something, and reads without waiting */
};

/* A thread polls for `asked`, of which `events` are there; notify: it waits for them. Returns what to answer. */
unsigned fs_ring_poll(struct fs_ring *, pid_t, unsigned asked, unsigned events, bool notify);
/* A thread reads: whether the kernel merely continues a short read, and is to be told the end; whether it must not
 * wait, and goes on behind the last read: the kernel does not move the position. */
bool fs_ring_continues(const struct fs_ring *, pid_t, size_t size);
bool fs_ring_takes_promise(struct fs_ring *, pid_t);
/* What the read was answered: bytes or -errno. */
void fs_ring_read(struct fs_ring *, pid_t, size_t size, ssize_t result);

#endif

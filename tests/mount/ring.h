/* One io_uring with room for one request, by the system calls alone. */
#ifndef TESTS_MOUNT_RING_H
#define TESTS_MOUNT_RING_H

#include <limits.h>
#include <sys/types.h>

struct ring;

enum { RING_NOTHING = INT_MIN };

/* Skips the test where the kernel has none for us. Lives until the test ends. */
struct ring *ring_start(void);
void ring_submit_read(struct ring *, int fd, void *buf, unsigned size, off_t offset);
/* The result of what was submitted: bytes or -errno; RING_NOTHING: not within that time. */
int ring_done(struct ring *, int milliseconds);
/* Both; fails the test after T_PATIENCE. */
int ring_read(struct ring *, int fd, void *buf, unsigned size, off_t offset);

#endif

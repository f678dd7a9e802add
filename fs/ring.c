/* Reads by io_uring: ring.h. */
#include "ring.h"

#include <poll.h>

unsigned fs_ring_poll(struct fs_ring *ring, pid_t thread, unsigned asked, unsigned events, bool notify)
{
	/* Thread 0 is one that we cannot see (another PID namespace): several of them cannot be told apart. */
	if (thread <= 0 || !(asked & POLLIN) || asked & POLLHUP)
		return events;
	if (ring->reader == thread)
		events |= POLLIN | POLLRDNORM; /* the end of what it has read */
	if (!notify && events & POLLIN)
		ring->promised = thread;
	return events;
}

bool fs_ring_continues(const struct fs_ring *ring, pid_t thread, size_t size)
{
	return thread > 0 && ring->promised == thread && ring->reader == thread && ring->size - ring->got == size;
}

bool fs_ring_takes_promise(struct fs_ring *ring, pid_t thread)
{
	bool promised = thread > 0 && ring->promised == thread;

	if (promised)
		ring->promised = 0;
	return promised;
}

void fs_ring_read(struct fs_ring *ring, pid_t thread, size_t size, ssize_t result)
{
	bool more = result > 0 && (size_t)result < size;

	ring->reader = more ? thread : 0;
	ring->size = size;
	ring->got = more ? (size_t)result : 0;
}

/* io_uring(7) without liburing: ring.h. */
#include "ring.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness.h"

struct ring {
	int fd;
	struct io_uring_params params;
	char *rings; /* both, IORING_FEAT_SINGLE_MMAP */
	struct io_uring_sqe *sqes;
};

struct ring *ring_start(void)
{
	static struct ring ring; /* a test is a process of its own */
	struct ring *r = &ring;
	struct io_uring_params *p = &r->params;
	size_t sq, cq;

	r->fd = (int)syscall(SYS_io_uring_setup, 1, p);
	if (r->fd < 0)
		cr_skip_test("io_uring: %s", strerror(errno));
	if (!(p->features & IORING_FEAT_SINGLE_MMAP))
		cr_skip_test("io_uring: too old");
	sq = p->sq_off.array + p->sq_entries * sizeof(unsigned);
	cq = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
	r->rings = mmap(NULL, sq > cq ? sq : cq, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, IORING_OFF_SQ_RING);
	r->sqes = mmap(NULL, sizeof(*r->sqes) * p->sq_entries, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
		       IORING_OFF_SQES);
	cr_assert(r->rings != MAP_FAILED && (void *)r->sqes != MAP_FAILED);
	return r;
}

static unsigned *ring_word(struct ring *r, unsigned offset)
{
	return (unsigned *)(void *)(r->rings + offset);
}

void ring_submit_read(struct ring *r, int fd, void *buf, unsigned size, off_t offset)
{
	unsigned *tail = ring_word(r, r->params.sq_off.tail);

	r->sqes[0] = (struct io_uring_sqe){
		.opcode = IORING_OP_READ, .fd = fd, .addr = (uintptr_t)buf, .len = size, .off = (uint64_t)offset};
	ring_word(r, r->params.sq_off.array)[*tail & *ring_word(r, r->params.sq_off.ring_mask)] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	cr_assert_eq(syscall(SYS_io_uring_enter, r->fd, 1, 0, 0, NULL, 0), 1);
}

int ring_done(struct ring *r, int milliseconds)
{
	unsigned *head = ring_word(r, r->params.cq_off.head);
	const struct io_uring_cqe *cqes = (void *)(r->rings + r->params.cq_off.cqes);
	struct pollfd p = {.fd = r->fd, .events = POLLIN};
	int result;

	if (poll(&p, 1, milliseconds) != 1)
		return RING_NOTHING;
	/* What poll armed may have to be run by us. */
	syscall(SYS_io_uring_enter, r->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
	result = cqes[*head & *ring_word(r, r->params.cq_off.ring_mask)].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return result;
}

int ring_read(struct ring *r, int fd, void *buf, unsigned size, off_t offset)
{
	int result;

	ring_submit_read(r, fd, buf, size, offset);
	result = ring_done(r, T_PATIENCE);
	if (result == RING_NOTHING)
		t_fail("a read by io_uring did not end");
	return result;
}

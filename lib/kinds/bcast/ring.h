/*
 * The last messages of a broadcast, numbered from 0 on; adding one drops the oldest for which there is no more room.
 *
 * Each lies there with a byte behind it: the delimiter with which it was written, or a newline. So lines come in as
 * they were written and go out as they are read, many in one copy. That byte is no part of the message, and takes none
 * of the room that the size promises.
 */
#ifndef IPC_BCAST_RING_H
#define IPC_BCAST_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A message is taken to be this long on average: a ring of N bytes holds at most N / 16 messages, however short. */
enum { BCAST_RING_AVERAGE = 16 };

struct bcast_ring {
	size_t size;	      /* of bytes, without those behind the messages */
	char *bytes;	      /* NULL: no memory yet, and no messages */
	uint64_t *starts;     /* of the messages, in bytes since the beginning of all */
	uint64_t first, next; /* kept is [first, next) */
	uint64_t end;	      /* bytes since the beginning of all */
	/* Messages were dropped, and no byte of them has been written over yet; or NULL. */
	void (*dropped)(struct bcast_ring *);
	uint64_t lines, nuls; /* behind the last message that has a newline behind it; a NUL */
};

/* The memory that a ring of `size` bytes takes. */
size_t bcast_ring_memory(size_t size);
/* Sets another size; the newest messages that fit stay. Returns 0 or -ENOMEM. */
int bcast_ring_resize(struct bcast_ring *, size_t size);
/*
 * delim: what stands behind the message; -1: nothing. n must not be above size, and the ring must have its memory
 * (bcast_ring_resize()).
 */
void bcast_ring_add(struct bcast_ring *, const char *data, size_t n, int delim);
/*
 * Adds messages of at most `max` bytes from data, where each has delim behind it, as far as it is done in few steps.
 * Returns how many bytes that were, 0 if none: the next message is then for bcast_ring_add(), or is not whole.
 */
size_t bcast_ring_add_several(struct bcast_ring *, const char *data, size_t n, char delim, size_t max);
/* seq must be kept. */
size_t bcast_ring_len(const struct bcast_ring *, uint64_t seq);
/* The bytes of the messages [seq, end), which are kept. */
size_t bcast_ring_span(const struct bcast_ring *, uint64_t seq, uint64_t end);
/*
 * The end of those messages from seq on that fit into `room` together, each with `extra` bytes more: at least one, at
 * most `most`. seq must be kept.
 */
uint64_t bcast_ring_fit(const struct bcast_ring *, uint64_t seq, uint64_t most, size_t room, size_t extra);
/*
 * Copies the messages [seq, end), each with delim behind it (-1: none). Returns the end of what was written to `to`.
 * They must be kept.
 */
char *bcast_ring_copy(const struct bcast_ring *, uint64_t seq, uint64_t end, int delim, char *to);
/* Where what that would copy lies in just that form, in one piece, until it is dropped; or NULL: it does not. */
const char *bcast_ring_at(const struct bcast_ring *, uint64_t seq, uint64_t end, int delim);
/* Bytes of the messages kept. */
size_t bcast_ring_bytes(const struct bcast_ring *);
void bcast_ring_free(struct bcast_ring *);

#endif

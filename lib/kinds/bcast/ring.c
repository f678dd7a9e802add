/* The last messages of a broadcast: ring.h. */
#include "ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t ring_slots(const struct bcast_ring *ring)
{
	return ring->size / BCAST_RING_AVERAGE;
}

static uint64_t ring_start(const struct bcast_ring *ring, uint64_t seq)
{
	return seq == ring->next ? ring->end : ring->starts[seq % ring_slots(ring)];
}

/* The longest piece from `at` on that neither wraps around nor exceeds n. */
static size_t ring_piece(const struct bcast_ring *ring, uint64_t at, size_t n)
{
	size_t left = ring->size - (size_t)(at % ring->size);

	return n < left ? n : left;
}

static void ring_put(struct bcast_ring *ring, uint64_t at, const char *data, size_t n)
{
	size_t piece = ring_piece(ring, at, n);

	memcpy(ring->bytes + at % ring->size, data, piece);
	memcpy(ring->bytes, data + piece, n - piece);
}

static void ring_drop(struct bcast_ring *ring, size_t bytes, uint64_t slots)
{
	while (ring->first < ring->next &&
	       (ring->end - ring_start(ring, ring->first) > bytes || ring->next - ring->first > slots))
		ring->first++;
}

size_t bcast_ring_memory(size_t size)
{
	return size + size / BCAST_RING_AVERAGE * sizeof(uint64_t);
}

int bcast_ring_resize(struct bcast_ring *ring, size_t size)
{
	struct bcast_ring to = *ring;
	uint64_t at;

	to.size = size;
	to.bytes = malloc(size);
	to.starts = malloc(ring_slots(&to) * sizeof(*to.starts));
	if (!to.bytes || !to.starts) {
		free(to.bytes);
		free(to.starts);
		return -ENOMEM;
	}
	ring_drop(ring, size, ring_slots(&to));
	to.first = ring->first;
	for (uint64_t seq = to.first; seq < to.next; seq++)
		to.starts[seq % ring_slots(&to)] = ring_start(ring, seq);
	at = ring_start(ring, ring->first);
	while (at < ring->end) {
		size_t piece = ring_piece(ring, at, (size_t)(ring->end - at));

		ring_put(&to, at, ring->bytes + at % ring->size, piece);
		at += piece;
	}
	bcast_ring_free(ring);
	*ring = to;
	return 0;
}

void bcast_ring_add(struct bcast_ring *ring, const char *data, size_t n)
{
	ring_drop(ring, ring->size - n, ring_slots(ring) - 1);
	ring->starts[ring->next % ring_slots(ring)] = ring->end;
	ring_put(ring, ring->end, data, n);
	ring->next++;
	ring->end += n;
}

size_t bcast_ring_len(const struct bcast_ring *ring, uint64_t seq)
{
	return (size_t)(ring_start(ring, seq + 1) - ring_start(ring, seq));
}

size_t bcast_ring_span(const struct bcast_ring *ring, uint64_t seq, uint64_t end)
{
	return (size_t)(ring_start(ring, end) - ring_start(ring, seq));
}

uint64_t bcast_ring_fit(const struct bcast_ring *ring, uint64_t seq, uint64_t most, size_t room, size_t extra)
{
	uint64_t kept = ring->next - seq, fits = 1;
	uint64_t above = (most < kept ? most : kept) + 1; /* so many are too many */

	while (above - fits > 1) {
		uint64_t half = fits + (above - fits) / 2;

		if (bcast_ring_span(ring, seq, seq + half) + half * extra <= room)
			fits = half;
		else
			above = half;
	}
	return seq + fits;
}

char *bcast_ring_copy(const struct bcast_ring *ring, uint64_t seq, uint64_t end, int delim, char *to)
{
	uint64_t slots = ring_slots(ring), slot = seq % slots, start = ring->starts[slot];
	size_t at = (size_t)(start % ring->size);

	for (; seq < end; seq++) {
		uint64_t next;
		size_t n, piece;

		slot = slot + 1 == slots ? 0 : slot + 1;
		next = seq + 1 == ring->next ? ring->end : ring->starts[slot];
		n = (size_t)(next - start);
		piece = n < ring->size - at ? n : ring->size - at;
		memcpy(to, ring->bytes + at, piece);
		if (n > piece)
			memcpy(to + piece, ring->bytes, n - piece);
		to += n;
		at = at + n < ring->size ? at + n : at + n - ring->size;
		start = next;
		if (delim >= 0)
			*to++ = (char)delim;
	}
	return to;
}

size_t bcast_ring_bytes(const struct bcast_ring *ring)
{
	return (size_t)(ring->end - ring_start(ring, ring->first));
}

void bcast_ring_free(struct bcast_ring *ring)
{
	free(ring->bytes);
	free(ring->starts);
	ring->bytes = NULL;
	ring->starts = NULL;
}

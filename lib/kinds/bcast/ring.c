/* The last messages of a broadcast: ring.h. */
#include "ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t ring_slots(const struct bcast_ring *ring)
{
	return ring->size / BCAST_RING_AVERAGE;
}

/* Bytes that it has room for, with one behind each message. */
static size_t ring_room(const struct bcast_ring *ring)
{
	return ring->size + (size_t)ring_slots(ring);
}

static uint64_t ring_start(const struct bcast_ring *ring, uint64_t seq)
{
	return seq == ring->next ? ring->end : ring->starts[seq % ring_slots(ring)];
}

/* The longest piece from `at` on that neither wraps around nor exceeds n. */
static size_t ring_piece(const struct bcast_ring *ring, uint64_t at, size_t n)
{
	size_t left = ring_room(ring) - (size_t)(at % ring_room(ring));

	return n < left ? n : left;
}

static void ring_put(struct bcast_ring *ring, uint64_t at, const char *data, size_t n)
{
	size_t piece = ring_piece(ring, at, n);

	memcpy(ring->bytes + at % ring_room(ring), data, piece);
	memcpy(ring->bytes, data + piece, n - piece);
}

static void ring_get(const struct bcast_ring *ring, uint64_t at, char *to, size_t n)
{
	size_t piece = ring_piece(ring, at, n);

	memcpy(to, ring->bytes + at % ring_room(ring), piece);
	memcpy(to + piece, ring->bytes, n - piece);
}

/* Until no more than so many bytes and messages are kept. */
static void ring_drop(struct bcast_ring *ring, size_t bytes, uint64_t most)
{
	uint64_t slots = ring_slots(ring), before = ring->first, slot;

	if (before == ring->next)
		return;
	slot = before % slots;
	while (ring->first < ring->next && (ring->next - ring->first > most ||
					    ring->end - ring->starts[slot] - (ring->next - ring->first) > bytes)) {
		ring->first++;
		slot = slot + 1 == slots ? 0 : slot + 1;
	}
	if (ring->dropped && ring->first > before)
		ring->dropped(ring);
}

size_t bcast_ring_memory(size_t size)
{
	return size + size / BCAST_RING_AVERAGE * (sizeof(uint64_t) + 1);
}

int bcast_ring_resize(struct bcast_ring *ring, size_t size)
{
	struct bcast_ring to = *ring;
	uint64_t at;

	to.size = size;
	to.bytes = malloc(ring_room(&to));
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

		ring_put(&to, at, ring->bytes + at % ring_room(ring), piece);
		at += piece;
	}
	bcast_ring_free(ring);
	*ring = to;
	return 0;
}

static void ring_ended_by(struct bcast_ring *ring, int delim)
{
	if (delim == '\0')
		ring->nuls = ring->next;
	else
		ring->lines = ring->next;
}

void bcast_ring_add(struct bcast_ring *ring, const char *data, size_t n, int delim)
{
	char end = delim < 0 ? '\n' : (char)delim;

	ring_drop(ring, ring->size - n, ring_slots(ring) - 1);
	ring->starts[ring->next % ring_slots(ring)] = ring->end;
	ring_put(ring, ring->end, data, n);
	ring->end += n;
	ring_put(ring, ring->end, &end, 1);
	ring->end++;
	ring->next++;
	ring_ended_by(ring, delim);
}

enum { SEVERAL = 256 };

/* How many whole messages data begins with, `most` at most, and of `max` bytes at most; ends[]: behind each. */
static unsigned ring_cut(const char *data, size_t n, char delim, size_t max, size_t ends[], unsigned most)
{
	unsigned count = 0;
	size_t at = 0;

	while (count < most && at < n) {
		const char *end = memchr(data + at, delim, n - at);

		if (!end || (size_t)(end - data) - at > max)
			break;
		at = (size_t)(end - data) + 1;
		ends[count++] = at;
	}
	return count;
}

size_t bcast_ring_add_several(struct bcast_ring *ring, const char *data, size_t n, char delim, size_t max)
{
	uint64_t slots = ring_slots(ring), slot = ring->next % slots;
	size_t ends[SEVERAL], at = 0;
	/* What is dropped for them must not be one of them. */
	unsigned most = slots < SEVERAL ? (unsigned)slots : SEVERAL;
	unsigned count = ring_cut(data, n < ring->size ? n : ring->size, delim, max, ends, most);

	if (!count)
		return 0;
	ring_drop(ring, ring->size - (ends[count - 1] - count), slots - count);
	for (unsigned i = 0; i < count; i++) {
		ring->starts[slot] = ring->end + at;
		at = ends[i];
		slot = slot + 1 == slots ? 0 : slot + 1;
	}
	ring_put(ring, ring->end, data, at);
	ring->end += at;
	ring->next += count;
	ring_ended_by(ring, delim);
	return at;
}

size_t bcast_ring_len(const struct bcast_ring *ring, uint64_t seq)
{
	return bcast_ring_span(ring, seq, seq + 1);
}

size_t bcast_ring_span(const struct bcast_ring *ring, uint64_t seq, uint64_t end)
{
	return (size_t)(ring_start(ring, end) - ring_start(ring, seq) - (end - seq));
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

/* Whether the messages from seq on have that delimiter behind them. */
static bool ring_all_end_by(const struct bcast_ring *ring, uint64_t seq, int delim)
{
	return seq >= (delim == '\0' ? ring->lines : ring->nuls);
}

/* Sets the byte behind each of the messages [seq, end), which lie at `to`. */
static void ring_end_by(const struct bcast_ring *ring, uint64_t seq, uint64_t end, char delim, char *to)
{
	uint64_t start = ring_start(ring, seq);

	while (seq < end)
		to[ring_start(ring, ++seq) - start - 1] = delim;
}

char *bcast_ring_copy(const struct bcast_ring *ring, uint64_t seq, uint64_t end, int delim, char *to)
{
	uint64_t start = ring_start(ring, seq);
	size_t n = (size_t)(ring_start(ring, end) - start);

	if (delim < 0) {
		for (; seq < end; seq++) {
			n = bcast_ring_len(ring, seq);
			ring_get(ring, ring_start(ring, seq), to, n);
			to += n;
		}
		return to;
	}
	ring_get(ring, start, to, n);
	if (!ring_all_end_by(ring, seq, delim))
		ring_end_by(ring, seq, end, (char)delim, to);
	return to + n;
}

const char *bcast_ring_at(const struct bcast_ring *ring, uint64_t seq, uint64_t end, int delim)
{
	uint64_t start = ring_start(ring, seq);
	size_t n = (size_t)(ring_start(ring, end) - start);

	if (delim < 0 ? end - seq > 1 : !ring_all_end_by(ring, seq, delim))
		return NULL;
	return ring_piece(ring, start, n) == n ? ring->bytes + start % ring_room(ring) : NULL;
}

size_t bcast_ring_bytes(const struct bcast_ring *ring)
{
	return bcast_ring_span(ring, ring->first, ring->next);
}

void bcast_ring_free(struct bcast_ring *ring)
{
	free(ring->bytes);
	free(ring->starts);
	ring->bytes = NULL;
	ring->starts = NULL;
}

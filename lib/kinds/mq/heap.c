#include "heap.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "owed.h"

enum { ROOM_MIN = 64 };

int mq_heap_reserve(struct mq_heap *heap, size_t count)
{
	size_t room = heap->room ? 2 * heap->room : ROOM_MIN;
	struct mq_debt **grown;

	if (count <= heap->room)
		return 0;
	grown = reallocarray(heap->at, room, sizeof(struct mq_debt *));
	if (!grown)
		return -ENOMEM;
	heap->at = grown;
	heap->room = room;
	return 0;
}

static bool precedes(const struct mq_debt *a, const struct mq_debt *b)
{
	const struct mq_slot *x = mq_owed_slot(a), *y = mq_owed_slot(b);

	return x->prio != y->prio ? x->prio > y->prio : x->seq < y->seq;
}

void mq_heap_add(struct mq_heap *heap, struct mq_debt *d)
{
	size_t i = heap->count++;

	while (i && precedes(d, heap->at[(i - 1) / 2])) {
		heap->at[i] = heap->at[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	heap->at[i] = d;
}

struct mq_debt *mq_heap_first(const struct mq_heap *heap)
{
	return heap->at[0];
}

struct mq_debt *mq_heap_take(struct mq_heap *heap)
{
	struct mq_debt *first = heap->at[0], *last = heap->at[--heap->count];
	size_t i = 0;

	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < heap->count && precedes(heap->at[child + 1], heap->at[child]))
			child++;
		if (child >= heap->count || !precedes(heap->at[child], last))
			break;
		heap->at[i] = heap->at[child];
		i = child;
	}
	if (heap->count)
		heap->at[i] = last;
	return first;
}

void mq_heap_free(struct mq_heap *heap)
{
	free(heap->at);
}

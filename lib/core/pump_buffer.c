#include "pump_buffer.h"

#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "handle.h"
#include "quota.h"
#include "kind.h"

void ipc_pump_buffer_note(struct ipc_pump_buffer *b, size_t len, unsigned prio)
{
	if (b->note_count == b->note_size) {
		size_t size = b->note_size ? 2 * b->note_size : 16;
		struct pump_note *grown = reallocarray(b->notes, size, sizeof(*grown));

		/* Without memory it becomes a part of the one before: they are given back together, or neither. */
		if (!grown && b->note_count > b->note_first)
			b->notes[b->note_count - 1].len += len;
		if (!grown)
			return;
		b->notes = grown;
		b->note_size = size;
	}
	b->notes[b->note_count++] = (struct pump_note){.len = len, .prio = prio};
}

int ipc_pump_buffer_append(struct ipc_pump_buffer *b, struct ipc_handle *h, const char *data, size_t n)
{
	int r = ipc_quota_grow(h, &b->data, &b->size, b->len + n);

	if (r < 0)
		return r;
	memcpy(b->data + b->len, data, n);
	b->len += n;
	return 0;
}

void ipc_pump_buffer_drop_notes(struct ipc_pump_buffer *b)
{
	size_t sum = 0, i = b->note_first;

	while (i < b->note_count && sum + b->notes[i].len <= b->len)
		sum += b->notes[i++].len;
	b->note_count = i;
}

void ipc_pump_buffer_forget(struct ipc_pump_buffer *b, size_t unread)
{
	size_t read = b->at > unread ? b->at - unread : 0;
	size_t drop = b->note_count ? 0 : read;

	while (b->note_first < b->note_count && b->notes[b->note_first].len <= read - drop)
		drop += b->notes[b->note_first++].len;
	if (!drop)
		return;
	if (b->note_first > b->note_count / 2) {
		b->note_count -= b->note_first;
		memmove(b->notes, b->notes + b->note_first, b->note_count * sizeof(*b->notes));
		b->note_first = 0;
	}
	b->at -= drop;
	b->len -= drop;
	memmove(b->data, b->data + drop, b->len);
}

void ipc_pump_buffer_give_back(struct ipc_pump_buffer *b, struct ipc_handle *h, size_t unread)
{
	size_t delim = ipc_frame_delim(h, -1) >= 0;
	size_t end, had;

	ipc_pump_buffer_forget(b, unread);
	had = b->at > unread ? b->at - unread : 0;
	if (b->note_first < b->note_count && had && had + delim >= b->notes[b->note_first].len)
		b->note_first++;
	end = b->len;
	while (b->note_count > b->note_first) {
		const struct pump_note *note = &b->notes[--b->note_count];

		end -= note->len;
		h->kind->handles->give_back(h, b->data + end, note->len, note->prio);
	}
}

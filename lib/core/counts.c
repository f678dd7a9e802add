/* Records of what passed through objects that live elsewhere, from when somebody uses one to when it is gone. */
#include "counts.h"

#include <stdlib.h>

#include "counts_book.h"
#include "instance.h"
#include "kind.h"

/* With so many records it is looked for the first time which objects are gone. */
enum { FIRST_SWEEP = 2048 };

static bool is_blank(const struct ipc_counts *counts)
{
	return !counts->in_messages && !counts->in_bytes && !counts->out_messages && !counts->out_bytes &&
	       !counts->back_messages && !counts->lent;
}

static struct ipc_record *record_of(struct ipc_counts *counts)
{
	return ipc_container(counts, struct ipc_record, counts);
}

static struct ipc_record *find(struct ipc *ipc, const struct ipc_kind *kind, ino_t ino)
{
	unsigned i = ipc_kind_index(ipc, kind);

	if (!ipc->book || !ino || i >= IPC_KINDS_MAX || !ipc->kinds[i])
		return NULL;
	return ipc_book_find(ipc->book, kind->name, ipc_book_place(ipc->book, i), ino);
}

struct ipc_counts *ipc_counts_take(struct ipc *ipc, const struct ipc_kind *kind, ino_t ino)
{
	struct ipc_record *record = find(ipc, kind, ino);
	unsigned i = ipc_kind_index(ipc, kind);

	if (!record && ipc->book && ino && i < IPC_KINDS_MAX && ipc->kinds[i] && ipc_book_grow(ipc->book) == 0)
		record = ipc_book_add(ipc->book, kind->name, ipc_book_place(ipc->book, i), ino);
	if (!record)
		return NULL;
	ipc_book_pick_up(ipc->book, record);
	record->takers++;
	record->stamp = ipc->book->stamp;
	record->missed = false;
	return &record->counts;
}

void ipc_counts_put(struct ipc *ipc, struct ipc_counts *counts, uid_t uid)
{
	struct ipc_record *record = record_of(counts);

	if (--record->takers)
		return;
	if (record->gone || is_blank(counts)) {
		ipc_book_remove(ipc->book, record);
		return;
	}
	ipc_book_lay_down(ipc->book, record, uid);
	ipc_sweep_begin(ipc->book);
}

const struct ipc_counts *ipc_counts_find(struct ipc *ipc, const struct ipc_kind *kind, ino_t ino)
{
	const struct ipc_record *record = find(ipc, kind, ino);

	return record ? &record->counts : NULL;
}

void ipc_counts_gone(struct ipc *ipc, const struct ipc_kind *kind, ino_t ino)
{
	struct ipc_record *record = find(ipc, kind, ino);

	if (!record)
		return;
	record->gone = true;
	if (!record->takers)
		ipc_book_remove(ipc->book, record);
}

struct ipc_book *ipc_book_new(struct ipc *ipc)
{
	struct ipc_book *book = calloc(1, sizeof(*book));

	if (!book)
		return NULL;
	book->ipc = ipc;
	book->fd = -1;
	book->no_file = !ipc->opt.mountpoint;
	book->next_sweep = FIRST_SWEEP;
	if (ipc_book_widen(book) == 0)
		return book;
	free(book);
	return NULL;
}

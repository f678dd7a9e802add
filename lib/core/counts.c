/* Records of what passed through objects that live elsewhere: finding them, and who is charged. */
#include "counts.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "counts_book.h"
#include "instance.h"
#include "kind.h"

enum { FIRST_BUCKETS = 256, FIRST_SWEEP = 2048 };

struct owner {
	uid_t uid;
	size_t count;
	struct ipc_list records; /* the one that was laid down first comes first */
};

void ipc_counts_begin(struct ipc_counts *counts)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	*counts = (struct ipc_counts){.since = now.tv_sec * INT64_C(1000000000) + now.tv_nsec};
}

static bool is_blank(const struct ipc_counts *counts)
{
	return !counts->in_messages && !counts->in_bytes && !counts->out_messages && !counts->out_bytes &&
	       !counts->back_messages && !counts->lent;
}

static struct ipc_record *record_of(struct ipc_counts *counts)
{
	return ipc_container(counts, struct ipc_record, counts);
}

/* --- who is charged --- */

static int owner_compare(const void *a, const void *b)
{
	const struct owner *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

/* NULL: out of memory. */
static struct owner *owner_get(struct ipc_book *book, uid_t uid)
{
	struct owner key = {.uid = uid}, *owner, **found = tfind(&key, &book->owners, owner_compare);

	if (found)
		return *found;
	owner = calloc(1, sizeof(*owner));
	if (!owner)
		return NULL;
	owner->uid = uid;
	ipc_list_init(&owner->records);
	if (tsearch(owner, &book->owners, owner_compare))
		return owner;
	free(owner);
	return NULL;
}

static void record_pick_up(struct ipc_book *book, struct ipc_record *record)
{
	struct owner *owner;

	if (ipc_list_empty(&record->link))
		return;
	ipc_list_remove(&record->link);
	owner = owner_get(book, record->owner);
	if (--owner->count)
		return;
	tdelete(owner, &book->owners, owner_compare);
	free(owner);
}

void ipc_book_lay_down(struct ipc_book *book, struct ipc_record *record, uid_t uid)
{
	struct owner *owner = owner_get(book, uid);

	if (!owner) {
		ipc_book_remove(book, record);
		return;
	}
	record->owner = uid;
	ipc_list_append(&owner->records, &record->link);
	if (owner->count++ >= IPC_COUNTS_MAX)
		ipc_book_remove(book, ipc_container(owner->records.next, struct ipc_record, link));
}

/* --- finding --- */

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 32;
}

static uint64_t place_of(struct ipc *ipc, const struct ipc_kind *kind)
{
	uint64_t place = kind->remote && ipc->opt.redis ? ipc_text_hash(ipc->opt.redis) : 1;
	int dir = ipc_kind_dir(ipc, kind);
	struct statfs fs;
	struct stat st;

	/* The number of a device may be another file system's in time. */
	if (dir >= 0 && fstat(dir, &st) == 0 && fstatfs(dir, &fs) == 0) {
		place = mix(place, st.st_dev);
		for (size_t i = 0; i < sizeof(fs.f_fsid) / sizeof(int); i++)
			place = mix(place, (unsigned)((const int *)(const void *)&fs.f_fsid)[i]);
	}
	return place | 1;
}

uint64_t ipc_book_place(struct ipc_book *book, unsigned kind)
{
	if (!book->places[kind])
		book->places[kind] = place_of(book->ipc, book->ipc->kinds[kind]);
	return book->places[kind];
}

static struct ipc_record **bucket_of(const struct ipc_book *book, const char *kind, uint64_t place, ino_t ino)
{
	return &book->buckets[mix(mix(ipc_text_hash(kind), place), ino) & (book->size - 1)];
}

struct ipc_record *ipc_book_find(const struct ipc_book *book, const char *kind, uint64_t place, ino_t ino)
{
	struct ipc_record *record = *bucket_of(book, kind, place, ino);

	while (record && (record->ino != ino || record->place != place || strcmp(record->kind, kind) != 0))
		record = record->next;
	return record;
}

static int buckets_grow(struct ipc_book *book)
{
	size_t size = book->size, grown = size ? 2 * size : FIRST_BUCKETS;
	struct ipc_record **old = book->buckets, **buckets = calloc(grown, sizeof(struct ipc_record *));

	if (!buckets)
		return -ENOMEM;
	book->buckets = buckets;
	book->size = grown;
	for (size_t i = 0; i < size; i++)
		while (old[i]) {
			struct ipc_record *record = old[i];
			struct ipc_record **to = bucket_of(book, record->kind, record->place, record->ino);

			old[i] = record->next;
			record->next = *to;
			*to = record;
		}
	free(old);
	return 0;
}

struct ipc_record *ipc_book_add(struct ipc_book *book, const char *kind, uint64_t place, ino_t ino)
{
	struct ipc_record *record, **bucket;

	if ((book->used == book->size && buckets_grow(book) < 0) || (!book->free && ipc_book_grow(book) < 0))
		return NULL;
	record = book->free;
	book->free = record->next;
	book->used++;
	*record = (struct ipc_record){.place = place, .ino = ino};
	snprintf(record->kind, sizeof(record->kind), "%s", kind);
	ipc_counts_begin(&record->counts);
	ipc_list_init(&record->link);
	bucket = bucket_of(book, kind, place, ino);
	record->next = *bucket;
	*bucket = record;
	return record;
}

void ipc_book_remove(struct ipc_book *book, struct ipc_record *record)
{
	struct ipc_record **at = bucket_of(book, record->kind, record->place, record->ino);

	record_pick_up(book, record);
	while (*at != record)
		at = &(*at)->next;
	*at = record->next;
	record->ino = 0;
	record->next = book->free;
	book->free = record;
	book->used--;
}

static struct ipc_record *find(struct ipc *ipc, const struct ipc_kind *kind, ino_t ino)
{
	unsigned i = ipc_kind_index(ipc, kind);

	if (!ipc->book || !ino || i >= IPC_KINDS_MAX || !ipc->kinds[i])
		return NULL;
	return ipc_book_find(ipc->book, kind->name, ipc_book_place(ipc->book, i), ino);
}

/* --- what the rest of the core sees --- */

struct ipc_counts *ipc_counts_take(struct ipc *ipc, const struct ipc_kind *kind, ino_t ino)
{
	struct ipc_record *record = find(ipc, kind, ino);
	unsigned i = ipc_kind_index(ipc, kind);

	if (!record && ipc->book && ino && i < IPC_KINDS_MAX && ipc->kinds[i])
		record = ipc_book_add(ipc->book, kind->name, ipc_book_place(ipc->book, i), ino);
	if (!record)
		return NULL;
	record_pick_up(ipc->book, record);
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
	if (buckets_grow(book) == 0)
		return book;
	free(book);
	return NULL;
}

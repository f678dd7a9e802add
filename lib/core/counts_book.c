/* The table of records: finding, adding, and who is charged for those that nobody has. */
#include "counts_book.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "instance.h"
#include "kind.h"

enum { FIRST_BUCKETS = 256 };

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

void ipc_book_pick_up(struct ipc_book *book, struct ipc_record *record)
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

int ipc_book_widen(struct ipc_book *book)
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

	if ((book->used == book->size && ipc_book_widen(book) < 0) || !book->free)
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

	ipc_book_pick_up(book, record);
	while (*at != record)
		at = &(*at)->next;
	*at = record->next;
	record->ino = 0;
	record->next = book->free;
	book->free = record;
	book->used--;
}

/*
 * Native calls remove objects without our hearing of it. So from time to time a helper reads the directories of the
 * kernel's objects, and records of those that are in none end. What is not found once may have got another name just
 * then, and is looked for a second time.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/directory.h"
#include "counts_book.h"
#include "instance.h"
#include "kind.h"

/* A record of each object, and so many more, are kept until the next look. */
enum { SLACK = 2048 };
/* Buckets that are gone through at once, each of a record or so. */
enum { STEP = 2048 };

struct found {
	bool known;
	uint64_t *inos;
	size_t count, size;
};

struct ipc_sweep {
	struct ipc_job job;
	struct ipc_timer timer;
	struct ipc_book *book;
	size_t at, size; /* of the book's buckets, as many as there were */
	uint32_t stamp;
	int dirs[IPC_KINDS_MAX]; /* -1: none */
	struct found found[IPC_KINDS_MAX];
};

static bool found_add(struct found *found, uint64_t ino)
{
	if (found->count == found->size) {
		size_t size = found->size ? 2 * found->size : 1024;
		uint64_t *grown = reallocarray(found->inos, size, sizeof(*grown));

		if (!grown)
			return false;
		found->inos = grown;
		found->size = size;
	}
	found->inos[found->count++] = ino;
	return true;
}

static int ino_compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void found_read(struct found *found, int dir)
{
	struct dirent *e;
	DIR *stream;

	found->known = dir >= 0 && ipc_directory_read(dir, &stream) == 0;
	if (!found->known)
		return;
	errno = 0;
	while (found->known && (e = readdir(stream)))
		found->known = found_add(found, e->d_ino);
	found->known = found->known && !errno;
	closedir(stream);
	if (found->count)
		qsort(found->inos, found->count, sizeof(*found->inos), ino_compare);
}

static void sweep_work(struct ipc_job *job)
{
	struct ipc_sweep *s = ipc_container(job, struct ipc_sweep, job);

	for (unsigned i = 0; i < IPC_KINDS_MAX; i++)
		found_read(&s->found[i], s->dirs[i]);
}

static bool is_missed(const struct ipc_sweep *s, unsigned kind, const struct ipc_record *record)
{
	const struct ipc *ipc = s->book->ipc;
	const struct found *found = &s->found[kind];

	if (ipc->kinds[kind]->names->lives)
		return !ipc->kinds[kind]->names->lives(record->ino);
	return found->known && record->place == ipc_book_place(s->book, kind) &&
	       (!found->count || !bsearch(&record->ino, found->inos, found->count, sizeof(record->ino), ino_compare));
}

static void sweep_record(const struct ipc_sweep *s, struct ipc_record *record)
{
	const struct ipc *ipc = s->book->ipc;
	unsigned kind = 0;

	if (record->takers || record->stamp == s->stamp)
		return;
	record->stamp = s->stamp;
	while (kind < IPC_KINDS_MAX && ipc->kinds[kind] && strcmp(ipc->kinds[kind]->name, record->kind) != 0)
		kind++;
	if (kind == IPC_KINDS_MAX || !ipc->kinds[kind])
		return;
	if (!is_missed(s, kind, record))
		record->missed = false;
	else if (record->missed)
		ipc_book_remove(s->book, record);
	else
		record->missed = true;
}

/* Whether there is more. */
static bool sweep_step(struct ipc_sweep *s)
{
	size_t end;

	/* They have been dealt out anew. */
	if (s->size != s->book->size)
		s->at = 0;
	s->size = s->book->size;
	end = s->at + STEP < s->size ? s->at + STEP : s->size;
	for (; s->at < end; s->at++)
		for (struct ipc_record *record = s->book->buckets[s->at], *next; record; record = next) {
			next = record->next;
			sweep_record(s, record);
		}
	s->book->next_sweep = s->book->used + s->book->used / 2 + SLACK;
	return s->at < s->size;
}

static struct ipc_sweep *sweep_new(struct ipc_book *book)
{
	struct ipc_sweep *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->book = book;
	/* What is taken from now on may have been made behind our look. */
	s->stamp = ++book->stamp;
	for (unsigned i = 0; i < IPC_KINDS_MAX; i++)
		s->dirs[i] = -1;
	for (unsigned i = 0; i < IPC_KINDS_MAX && book->ipc->kinds[i]; i++)
		s->dirs[i] = ipc_kind_dir(book->ipc, book->ipc->kinds[i]);
	return s;
}

static void sweep_end(struct ipc_sweep *s)
{
	for (unsigned i = 0; i < IPC_KINDS_MAX; i++)
		free(s->found[i].inos);
	free(s);
}

static void sweep_go_on(struct ipc_timer *timer)
{
	struct ipc_sweep *s = ipc_container(timer, struct ipc_sweep, timer);

	if (!sweep_step(s) || ipc_timer_start(s->book->ipc->loop, timer, ipc_now(), sweep_go_on) < 0)
		ipc_sweep_free(s->book);
}

static void sweep_done(struct ipc_job *job)
{
	sweep_go_on(&ipc_container(job, struct ipc_sweep, job)->timer);
}

void ipc_sweep_begin(struct ipc_book *book)
{
	if (book->sweep || book->used < book->next_sweep || book->ipc->down)
		return;
	book->next_sweep = book->used + SLACK;
	book->sweep = sweep_new(book);
	if (book->sweep && ipc_pool_submit(book->ipc->pool, &book->sweep->job, sweep_work, sweep_done) < 0)
		ipc_sweep_free(book);
}

void ipc_sweep_free(struct ipc_book *book)
{
	if (!book->sweep)
		return;
	ipc_timer_stop(book->ipc->loop, &book->sweep->timer);
	sweep_end(book->sweep);
	book->sweep = NULL;
}

void ipc_book_sweep(struct ipc *ipc)
{
	for (int times = 0; times < 2 && ipc->book && ipc->book->used; times++) {
		struct ipc_sweep *s = sweep_new(ipc->book);

		if (!s)
			return;
		sweep_work(&s->job);
		while (sweep_step(s))
			;
		sweep_end(s);
	}
}

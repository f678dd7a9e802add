/* MNT/status: walks the live channels for whichever form it is to have. */
#include "status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "reader.h"
#include "base/sys.h"
#include "chan.h"
#include "cred.h"
#include "listing.h"
#include "path.h"
#include "status_again.h"

/* Of one step: names that are looked at, and open files that may have to be. */
enum { STEP = 8, STEP_HANDLES = 128 };

static const struct ipc_status_writer *const writers[] = {
	[IPC_STATUS_LINES] = &ipc_status_lines, [IPC_STATUS_JSON] = &ipc_status_json,
	[IPC_STATUS_BRIEF] = &ipc_status_brief, [IPC_STATUS_METRICS] = &ipc_status_metrics,
	[IPC_STATUS_DOT] = &ipc_status_dot,
};

static bool status_is_kernels(const struct ipc_kind *kind)
{
	return !kind->named && !kind->remote;
}

/* By its attributes. True: they have to be waited for. */
static bool status_judge(struct ipc_status *s, struct ipc_status_row *row, struct stat *st)
{
	struct ipc_ref ref = ipc_ref_of(row->kind, row->name);
	int r;

	*st = (struct stat){0};
	r = row->kind->names->stat(s->ipc, &ref, st);
	row->ino = r == 0 ? st->st_ino : 0;
	row->mediated = r == 0 && S_ISREG(st->st_mode);
	row->readable = ipc_cred_may_read(&s->cred, st);
	if (status_is_kernels(row->kind) && row->chan && row->chan->st.st_ino != st->st_ino)
		row->chan = NULL;
	return r == IPC_ASKED;
}

static struct ipc_ref status_ref(const struct ipc_status *s, const struct ipc_status_row *row)
{
	struct ipc_ref ref = ipc_ref_of(row->kind, row->name);

	if (status_is_kernels(row->kind) && row->ino)
		ref.ino = ipc_ref_ino(s->ipc, row->kind, row->ino);
	return ref;
}

static bool status_depth(struct ipc_status *s, struct ipc_status_row *row)
{
	struct ipc_ref ref = status_ref(s, row);

	int r = row->kind->names->depth(s->ipc, &ref, &row->depth);

	if (ipc_is_shortage(r))
		s->listed = r;
	return r == IPC_ASKED;
}

/* Whether its depth is known without acting as the caller: its owner's rights are told by its mode alone. */
static bool status_glance(struct ipc_status *s, struct ipc_status_row *row, const struct stat *st)
{
	struct ipc_ref ref;

	if (!row->kind->names->glance || !row->mediated || !row->readable ||
	    (s->cred.uid != st->st_uid && !ipc_may_override(&s->cred)))
		return false;
	ref = status_ref(s, row);
	return row->kind->names->glance(s->ipc, &ref, st, &row->depth);
}

/*
 * How much is in an object, and who is at it, is for those to know who may read it. Of one of the kernel's the depth is
 * looked up as the caller, unless it is his: where that works he may. But of a plain file, which is not used through
 * us, everybody sees the size.
 */
static void status_kernels(struct ipc_status *s, struct ipc_status_row *rows, unsigned n)
{
	bool plain = s->kind->plain;
	unsigned asks[STEP], count = 0;

	for (unsigned i = 0; i < n; i++) {
		struct stat st;

		if (rows[i].told)
			continue;
		if (!plain || rows[i].chan)
			status_judge(s, &rows[i], &st);
		if (plain || !status_glance(s, &rows[i], &st))
			asks[count++] = i;
	}
	if (!count || ipc_cred_enter(&s->cred) < 0)
		return;
	for (unsigned i = 0; i < count; i++)
		status_depth(s, &rows[asks[i]]);
	ipc_cred_leave(&s->cred);
	for (unsigned i = 0; i < count && !plain; i++)
		if (rows[asks[i]].depth.value >= 0)
			rows[asks[i]].mediated = rows[asks[i]].readable = true;
}

/* Of what nobody has used for long there is no more than that. */
static void status_count(struct ipc_status *s, struct ipc_status_row *row)
{
	static const struct ipc_counts none;

	row->counts = row->chan ? row->chan->counts : ipc_counts_find(s->ipc, row->kind, row->ino);
	if (!row->counts)
		row->counts = &none;
}

/* True: an answer has to be waited for. */
static bool status_ours(struct ipc_status *s, struct ipc_status_row *rows, unsigned n)
{
	bool asked = false;

	for (unsigned i = 0; i < n; i++) {
		struct stat st;

		if (status_judge(s, &rows[i], &st))
			asked = true;
		else if (rows[i].readable)
			asked |= status_depth(s, &rows[i]);
	}
	return asked;
}

static void status_add(void *arg, const char *name, mode_t type)
{
	struct ipc_status *s = arg;
	size_t n = strlen(name) + 1;

	if (S_ISDIR(type) || s->listed == -ENOMEM)
		return;
	if (s->size - s->len < n) {
		size_t size = 2 * s->size + n + 512;
		char *grown = realloc(s->names, size);

		if (!grown) {
			s->listed = -ENOMEM;
			return;
		}
		s->names = grown;
		s->size = size;
	}
	memcpy(s->names + s->len, name, n);
	s->len += n;
}

static int status_next_kind(struct ipc_status *s)
{
	ipc_again_leave(s);
	s->number = 0;
	s->kind = ipc_kind_at(s->ipc, s->next++);
	if (!s->kind)
		return 0;
	if (!s->kind->names->depth || ipc_again_begin(s))
		return 1;
	s->listing = ipc_listing_begin(s->ipc, &s->cred, s->kind, NULL, NULL, NULL);
	if (!s->listing)
		s->listed = -ENOMEM;
	return 1;
}

/*
 * More names. What cannot be listed at all is left out; what could be at another time must not look as if it were not
 * there. 1: there may be some; 0: that was all; or IPC_ASKED.
 */
static int status_next_names(struct ipc_status *s)
{
	int r;

	s->len = s->at = 0;
	if (!s->listing)
		return status_next_kind(s);
	r = ipc_listing_step(s->listing, status_add, s);
	if (r == IPC_ASKED)
		return r;
	if (ipc_is_shortage(r))
		s->listed = r;
	s->list = s->names;
	ipc_again_add(s);
	if (r <= 0) {
		ipc_again_end(s, r);
		ipc_listing_end(s->listing);
		s->listing = NULL;
	}
	return 1;
}

struct ipc_status *ipc_status_begin(struct ipc *ipc, const struct ipc_cred *cred, enum ipc_status_form form)
{
	struct ipc_status *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->ipc = ipc;
	s->cred = *cred;
	s->writer = writers[form];
	s->first = true;
	return s;
}

/* Returns how many rows were gathered, or IPC_ASKED: they are to be gathered again. */
static int status_gather(struct ipc_status *s, struct ipc_status_row rows[static STEP])
{
	unsigned n = 0, handles = 0;
	size_t at = s->at;

	for (; n < STEP && handles < STEP_HANDLES && s->at < s->len; n++) {
		struct ipc_status_row *row = &rows[n];

		*row = (struct ipc_status_row){.kind = s->kind, .name = s->list + s->at, .depth.value = -1};
		row->chan = ipc_chan_find(s->ipc, row->kind, row->name);
		handles += row->chan ? row->chan->openers : 0;
		row->told = ipc_again_tell(s, row, s->number + n);
		s->at += strlen(row->name) + 1;
	}
	if (status_is_kernels(s->kind)) {
		status_kernels(s, rows, n);
	} else if (status_ours(s, rows, n)) {
		s->at = at;
		return IPC_ASKED;
	}
	for (unsigned i = 0; i < n; i++) {
		if (!rows[i].told)
			ipc_again_note(s, &rows[i], s->number + i);
		status_count(s, &rows[i]);
	}
	s->number += n;
	return (int)n;
}

static int status_rows(struct ipc_status *s)
{
	struct ipc_status_row rows[STEP];
	int n, r = 0;

	if (!s->begun && s->writer->begin)
		s->writer->begin(s);
	s->begun = true;
	if (s->at == s->len) {
		r = status_next_names(s);
		s->over = r == 0;
		if (r <= 0)
			return r < 0 ? r : 1;
	}
	n = status_gather(s, rows);
	if (n < 0)
		return n;
	r = 0;
	for (int i = 0; i < n && r == 0; i++) {
		r = s->writer->row(s, &rows[i]);
		s->first = false;
	}
	return r < 0 ? r : 1;
}

int ipc_status_step(struct ipc_status *s, FILE *out)
{
	int r;

	s->out = out;
	ipc_reader_enter(s->ipc, &s->cred);
	if (!s->over)
		r = status_rows(s);
	else
		r = s->writer->end ? s->writer->end(s) : 0;
	ipc_reader_leave(s->ipc);
	return r == 0 ? s->listed : r;
}

size_t ipc_status_memory(const struct ipc_status *s)
{
	return sizeof(*s) + s->size + (s->writer->memory ? s->writer->memory(s) : 0);
}

void ipc_status_end(struct ipc_status *s)
{
	if (!s)
		return;
	ipc_again_leave(s);
	if (s->writer->free)
		s->writer->free(s);
	ipc_listing_end(s->listing);
	free(s->names);
	free(s);
}

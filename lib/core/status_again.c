#include "status_again.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "instance.h"

/* ROWS_MAX: of a kind. QUIET: looks that found the same, before one is left out. */
enum { ROWS_MAX = 16384, QUIET = 3 };
#define SECOND INT64_C(1000000000)
/* How old what is told may be; how long all is kept that nobody asks for; and the kernel's ticks: changed.c. */
#define FRESH (4 * SECOND)
#define KEPT (10 * SECOND)
#define TICKS INT64_C(40000000)

struct again_row {
	ino_t ino;
	struct ipc_depth depth;
	int64_t until; /* it is to be told so */
	unsigned quiet;
	bool mediated, readable;
};

struct ipc_again {
	unsigned refs; /* the instance's and those of who is at it */
	struct ipc_cred reader;
	struct timespec changed; /* the directory */
	int64_t used;
	char *names;
	size_t len, count;
	struct again_row *rows;
};

static void again_drop(struct ipc_again *again)
{
	if (!again || --again->refs)
		return;
	free(again->names);
	free(again->rows);
	free(again);
}

static void again_age(struct ipc_timer *timer)
{
	struct ipc *ipc = ipc_container(timer, struct ipc, again_timer);
	bool any = false;

	for (unsigned i = 0; i < IPC_KINDS_MAX; i++) {
		if (ipc->again[i] && ipc_now() - ipc->again[i]->used > KEPT) {
			again_drop(ipc->again[i]);
			ipc->again[i] = NULL;
		}
		any |= ipc->again[i] != NULL;
	}
	if (any)
		ipc_timer_start(ipc->loop, timer, ipc_now() + KEPT, again_age);
}

void ipc_again_free(struct ipc *ipc)
{
	ipc_timer_stop(ipc->loop, &ipc->again_timer);
	for (unsigned i = 0; i < IPC_KINDS_MAX; i++)
		again_drop(ipc->again[i]);
}

static bool is_same_reader(const struct ipc_cred *a, const struct ipc_cred *b)
{
	return a->uid == b->uid && a->gid == b->gid && a->pid == b->pid && a->fixed == b->fixed && a->caps == b->caps;
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* When the directory changed last. False: that is not known, or another change would look like it. */
static bool dir_changed(struct ipc_status *s, struct timespec *changed)
{
	int dir = ipc_kind_dir(s->ipc, s->kind);
	struct timespec now;
	struct stat st;

	if (dir < 0 || fstat(dir, &st) < 0)
		return false;
	*changed = st.st_mtim;
	clock_gettime(CLOCK_REALTIME, &now);
	return (now.tv_sec - changed->tv_sec) * SECOND + now.tv_nsec - changed->tv_nsec > TICKS;
}

bool ipc_again_begin(struct ipc_status *s)
{
	struct ipc_again *again = s->ipc->again[s->next - 1];
	struct timespec changed;

	if (!s->writer->again || s->kind->named || !dir_changed(s, &changed))
		return false;
	if (!again || !is_same_time(&again->changed, &changed) || !is_same_reader(&again->reader, &s->cred)) {
		s->again = calloc(1, sizeof(*s->again));
		if (s->again)
			*s->again = (struct ipc_again){.refs = 1, .reader = s->cred, .changed = changed};
		return false;
	}
	again->refs++;
	again->used = ipc_now();
	s->again = again;
	s->list = again->names;
	s->len = again->len;
	return true;
}

static size_t names_count(const char *names, size_t len)
{
	size_t count = 0;

	for (size_t at = 0; at < len; at += strlen(names + at) + 1)
		count++;
	return count;
}

/* Room for so much more. */
static bool again_grow(struct ipc_again *again, size_t len, size_t count)
{
	struct again_row *rows;
	char *names;

	if (again->count + count > ROWS_MAX)
		return false;
	rows = reallocarray(again->rows, again->count + count, sizeof(*rows));
	if (!rows)
		return false;
	again->rows = rows;
	memset(rows + again->count, 0, count * sizeof(*rows));
	names = realloc(again->names, again->len + len);
	if (!names)
		return false;
	again->names = names;
	return true;
}

void ipc_again_add(struct ipc_status *s)
{
	struct ipc_again *again = s->again;
	size_t count = names_count(s->names, s->len);

	if (!again || !count)
		return;
	if (!again_grow(again, s->len, count)) {
		ipc_again_leave(s);
		return;
	}
	memcpy(again->names + again->len, s->names, s->len);
	again->len += s->len;
	again->count += count;
}

void ipc_again_end(struct ipc_status *s, int r)
{
	struct ipc_again **at = &s->ipc->again[s->next - 1];

	if (!s->again || r < 0 || s->listed ||
	    ipc_timer_start(s->ipc->loop, &s->ipc->again_timer, ipc_now() + KEPT, again_age) < 0)
		return;
	again_drop(*at);
	*at = s->again;
	(*at)->refs++;
	(*at)->used = ipc_now();
}

void ipc_again_leave(struct ipc_status *s)
{
	again_drop(s->again);
	s->again = NULL;
}

bool ipc_again_tell(struct ipc_status *s, struct ipc_status_row *row, size_t number)
{
	const struct again_row *was = s->again ? &s->again->rows[number] : NULL;

	if (!was || was->until <= ipc_now())
		return false;
	if (row->chan && row->chan->st.st_ino != was->ino)
		row->chan = NULL;
	if (row->chan && (row->chan->openers || row->chan->debts))
		return false;
	row->ino = was->ino;
	row->depth = was->depth;
	row->mediated = was->mediated;
	row->readable = was->readable;
	return true;
}

/* They are looked at again in turn, not all at once. */
void ipc_again_note(struct ipc_status *s, const struct ipc_status_row *row, size_t number)
{
	struct again_row *was = s->again ? &s->again->rows[number] : NULL;
	int64_t fresh = FRESH;

	if (!was)
		return;
	if (was->ino == row->ino && was->depth.value == row->depth.value && was->readable == row->readable) {
		was->quiet += was->quiet <= QUIET;
	} else {
		was->quiet = 0;
	}
	if (was->quiet == QUIET)
		fresh = (int64_t)(number % 4 + 1) * SECOND;
	was->ino = row->ino;
	was->depth = row->depth;
	was->mediated = row->mediated;
	was->readable = row->readable;
	was->until = was->quiet >= QUIET ? ipc_now() + fresh - SECOND / 2 : 0;
}

/* The last refusals, each with its cause in words: MNT/errors. */
#include "refusal.h"

#include <errno.h>
#include <search.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "reader.h"
#include "event.h"
#include "instance.h"

/* Lines of each user; users, of whom the one without a refusal for the longest time makes way; bytes of a cause. */
enum { SHARE_MAX = 20, USERS_MAX = 1024, WHY_MAX = 1024 };

struct refusal {
	struct timespec when;
	pid_t pid;
	int err;
	char *path, *why;
};

/* One user's last refusals: nobody else's can push them out. */
struct share {
	struct ipc_list link;
	uid_t uid;
	unsigned long count;
	struct refusal ring[SHARE_MAX];
};

struct ipc_refusals {
	void *shares;		/* tree of struct share, by uid */
	struct ipc_list recent; /* of the same, whoever was refused last at the end */
	unsigned users;
};

static int share_compare(const void *a, const void *b)
{
	const struct share *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

static struct share *share_find(const struct ipc_refusals *all, uid_t uid)
{
	struct share key = {.uid = uid}, **found = tfind(&key, &all->shares, share_compare);

	return found ? *found : NULL;
}

static void share_free(void *arg)
{
	struct share *share = arg;

	for (unsigned i = 0; i < SHARE_MAX; i++) {
		free(share->ring[i].path);
		free(share->ring[i].why);
	}
	free(share);
}

static void share_drop(struct ipc_refusals *all, struct share *share)
{
	tdelete(share, &all->shares, share_compare);
	ipc_list_remove(&share->link);
	all->users--;
	share_free(share);
}

/* The user's share, which is the most recent one from now on. NULL when out of memory. */
static struct share *share_get(struct ipc_refusals *all, uid_t uid)
{
	struct share *share = share_find(all, uid);

	if (!share) {
		if (all->users >= USERS_MAX)
			share_drop(all, ipc_container(all->recent.next, struct share, link));
		share = calloc(1, sizeof(*share));
		if (!share)
			return NULL;
		share->uid = uid;
		ipc_list_init(&share->link);
		if (!tsearch(share, &all->shares, share_compare)) {
			free(share);
			return NULL;
		}
		all->users++;
	}
	ipc_list_remove(&share->link);
	ipc_list_append(&all->recent, &share->link);
	return share;
}

struct ipc_refusals *ipc_refusals_new(void)
{
	struct ipc_refusals *all = calloc(1, sizeof(*all));

	if (!all)
		return NULL;
	ipc_list_init(&all->recent);
	/* Whoever mounted it is told also when memory is short. */
	if (share_get(all, getuid()))
		return all;
	free(all);
	return NULL;
}

void ipc_refusals_free(struct ipc_refusals *all)
{
	if (all)
		tdestroy(all->shares, share_free);
	free(all);
}

static void refusal_tell(struct ipc *ipc, const struct ipc_cred *cred, const struct refusal *r)
{
	const struct ipc_event e = {
		.type = IPC_EVENT_REFUSED,
		.path = r->path ? r->path : "?",
		.by = cred,
		.own = true,
		.value = {{.key = "error", .text = strerrorname_np(r->err)},
			  {.key = "why", .text = r->why ? r->why : strerror(r->err), .words = true}},
	};

	ipc_event(ipc, &e);
}

/*
 * Names of channels and hosts, commands, and what was written: none of it may look like a line of its own, or
 * another's.
 */
static char *refusal_text(const char *why, va_list args)
{
	char text[WHY_MAX], shown[4 * WHY_MAX];

	vsnprintf(text, sizeof(text), why, args);
	ipc_escape_line(shown, sizeof(shown), text, strlen(text));
	return strdup(shown);
}

int ipc_refuse(struct ipc *ipc, const struct ipc_cred *cred, int err, const char *path, const char *why, ...)
{
	struct share *share = share_get(ipc->refusals, cred->uid);
	struct refusal *r = share ? &share->ring[share->count++ % SHARE_MAX] : NULL;
	va_list args;

	if (!r)
		return -err;
	free(r->path);
	free(r->why);
	r->path = strdup(path);
	va_start(args, why);
	r->why = refusal_text(why, args);
	va_end(args);
	clock_gettime(CLOCK_REALTIME, &r->when);
	r->pid = cred->pid;
	r->err = err;
	if (ipc->events)
		refusal_tell(ipc, cred, r);
	return -err;
}

static void refusal_print(struct ipc *ipc, const struct refusal *r, FILE *out)
{
	char path[4 * IPC_NAME_MAX + 64];
	struct tm tm;

	localtime_r(&r->when.tv_sec, &tm);
	ipc_escape(path, sizeof(path), r->path ? r->path : "?", r->path ? strlen(r->path) : 1);
	fprintf(out, "%02d:%02d:%02d pid %d: %s: %s: %s\n", tm.tm_hour, tm.tm_min, tm.tm_sec,
		(int)ipc_reader_pid(ipc, r->pid), path, strerrorname_np(r->err), r->why ? r->why : strerror(r->err));
}

void ipc_text_errors(struct ipc *ipc, const struct ipc_cred *cred, FILE *out)
{
	const struct share *share = share_find(ipc->refusals, cred->uid);
	unsigned long from = share && share->count > SHARE_MAX ? share->count - SHARE_MAX : 0;

	if (!share || !share->count)
		fputs("no refusals\n", out);
	ipc_reader_enter(ipc, cred);
	for (unsigned long i = from; share && i < share->count; i++)
		refusal_print(ipc, &share->ring[i % SHARE_MAX], out);
	ipc_reader_leave(ipc);
}

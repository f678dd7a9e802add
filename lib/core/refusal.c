/* The last refusals, each with its cause in words: MNT/errors. */
#include "refusal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "abroad.h"
#include "instance.h"

enum { REFUSALS_MAX = 256, SHOWN_MAX = 20 };

struct refusal {
	struct timespec when;
	struct ipc_cred cred;
	int err;
	char *path, *why;
};

struct ipc_refusals {
	struct refusal ring[REFUSALS_MAX];
	unsigned long count;
};

struct ipc_refusals *ipc_refusals_new(void)
{
	return calloc(1, sizeof(struct ipc_refusals));
}

void ipc_refusals_free(struct ipc_refusals *all)
{
	for (unsigned i = 0; all && i < REFUSALS_MAX; i++) {
		free(all->ring[i].path);
		free(all->ring[i].why);
	}
	free(all);
}

int ipc_refuse(struct ipc *ipc, const struct ipc_cred *cred, int err, const char *path, const char *why, ...)
{
	struct refusal *r = &ipc->refusals->ring[ipc->refusals->count % REFUSALS_MAX];
	va_list args;

	free(r->path);
	free(r->why);
	r->path = strdup(path);
	va_start(args, why);
	if (vasprintf(&r->why, why, args) < 0)
		r->why = NULL;
	va_end(args);
	clock_gettime(CLOCK_REALTIME, &r->when);
	r->cred = *cred;
	r->err = err;
	ipc->refusals->count++;
	return -err;
}

static void refusal_print(struct ipc *ipc, const struct refusal *r, FILE *out)
{
	char path[4 * IPC_NAME_MAX + 64];
	struct tm tm;

	localtime_r(&r->when.tv_sec, &tm);
	ipc_escape(path, sizeof(path), r->path ? r->path : "?", r->path ? strlen(r->path) : 1);
	fprintf(out, "%02d:%02d:%02d pid %d: %s: %s: %s\n", tm.tm_hour, tm.tm_min, tm.tm_sec,
		(int)ipc_reader_pid(ipc, r->cred.pid), path, strerrorname_np(r->err),
		r->why ? r->why : strerror(r->err));
}

void ipc_text_errors(struct ipc *ipc, const struct ipc_cred *cred, FILE *out)
{
	const struct ipc_refusals *all = ipc->refusals;
	unsigned long from = all->count > REFUSALS_MAX ? all->count - REFUSALS_MAX : 0;
	unsigned mine = 0, skip;

	for (unsigned long i = from; i < all->count; i++)
		mine += all->ring[i % REFUSALS_MAX].cred.uid == cred->uid;
	ipc_reader_enter(ipc, cred);
	skip = mine > SHOWN_MAX ? mine - SHOWN_MAX : 0;
	for (unsigned long i = from; i < all->count; i++) {
		const struct refusal *r = &all->ring[i % REFUSALS_MAX];

		if (r->cred.uid != cred->uid)
			continue;
		if (skip)
			skip--;
		else
			refusal_print(ipc, r, out);
	}
	ipc_reader_leave(ipc);
	if (!mine)
		fputs("no refusals\n", out);
}

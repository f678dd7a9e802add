#include "refused.h"

#include <errno.h>
#include <search.h>
#include <signal.h>
#include <stdlib.h>

#include "base/clock.h"

/* For how long a refused caller is expected back, on however busy a machine. */
#define RETRY_NS INT64_C(30000000000)
/*
 * How many are looked at when one is added. With two, what dead threads have left is never more than what living ones
 * have.
 */
enum { LOOKED_AT = 2 };

static int refused_compare(const void *a, const void *b)
{
	const struct fs_refused *x = a, *y = b;

	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static struct fs_refused *refused_any(struct fs_refusals *all, pid_t pid)
{
	struct fs_refused key = {.pid = pid}, **found = tfind(&key, &all->tree, refused_compare);

	return found ? *found : NULL;
}

static bool refused_is_over(const struct fs_refused *refused)
{
	return refused->until <= ipc_now() || (refused->pid && kill(refused->pid, 0) < 0 && errno == ESRCH);
}

/* Threads may be killed on their way back; no call tells us. */
static void refusals_sweep(struct fs_refusals *all)
{
	for (unsigned i = 0; i < LOOKED_AT && !ipc_list_empty(&all->all); i++) {
		struct fs_refused *refused = ipc_container(ipc_list_pop(&all->all), struct fs_refused, link);

		if (refused_is_over(refused))
			fs_refused_remove(all, refused);
		else
			ipc_list_append(&all->all, &refused->link);
	}
}

struct fs_refused *fs_refused_find(struct fs_refusals *all, pid_t pid)
{
	struct fs_refused *refused = refused_any(all, pid);

	return refused && refused->until > ipc_now() ? refused : NULL;
}

bool fs_refused_is(struct fs_refusals *all, pid_t pid)
{
	return fs_refused_find(all, pid) || (all->forgot_until && all->forgot_until > ipc_now());
}

static struct fs_refused *refused_new(struct fs_refusals *all, pid_t pid)
{
	struct fs_refused *refused = calloc(1, sizeof(*refused));

	if (!refused)
		return NULL;
	refused->pid = pid;
	if (!tsearch(refused, &all->tree, refused_compare)) {
		free(refused);
		return NULL;
	}
	ipc_list_append(&all->all, &refused->link);
	all->count++;
	return refused;
}

struct fs_refused *fs_refused_add(struct fs_refusals *all, pid_t pid)
{
	int64_t until = ipc_now() + RETRY_NS;
	struct fs_refused *refused;
	struct ipc_list link;

	refusals_sweep(all);
	refused = refused_any(all, pid);
	if (!refused)
		refused = refused_new(all, pid);
	if (!refused) {
		all->forgot_until = until;
		return NULL;
	}
	link = refused->link;
	*refused = (struct fs_refused){.link = link, .pid = pid, .until = until};
	return refused;
}

void fs_refused_remove(struct fs_refusals *all, struct fs_refused *refused)
{
	tdelete(refused, &all->tree, refused_compare);
	ipc_list_remove(&refused->link);
	all->count--;
	free(refused);
}

void fs_refusals_start(struct fs_refusals *all)
{
	ipc_list_init(&all->all);
}

void fs_refusals_end(struct fs_refusals *all)
{
	while (all->count)
		fs_refused_remove(all, ipc_container(all->all.next, struct fs_refused, link));
}

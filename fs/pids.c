#include "pids.h"

#include <errno.h>
#include <search.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/*
 * How many are looked at when one is added. With two, what dead threads have left is never more than what living ones
 * have.
 */
enum { LOOKED_AT = 2 };

static int pid_compare(const void *a, const void *b)
{
	const struct fs_pid *x = a, *y = b;

	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static struct fs_pid *pid_any(const struct fs_pids *all, pid_t pid)
{
	struct fs_pid key = {.pid = pid}, **found = tfind(&key, &all->tree, pid_compare);

	return found ? *found : NULL;
}

static bool pid_is_over(const struct fs_pid *entry)
{
	return !entry->kept && (entry->until <= ipc_now() || (entry->pid && kill(entry->pid, 0) < 0 && errno == ESRCH));
}

/* No call tells us that a thread has ended. */
static void pids_sweep(struct fs_pids *all)
{
	for (unsigned i = 0; i < LOOKED_AT && !ipc_list_empty(&all->all); i++) {
		struct fs_pid *entry = ipc_container(ipc_list_pop(&all->all), struct fs_pid, link);

		if (pid_is_over(entry))
			fs_pid_remove(all, entry);
		else
			ipc_list_append(&all->all, &entry->link);
	}
}

void *fs_pid_find(const struct fs_pids *all, pid_t pid)
{
	struct fs_pid *entry = pid_any(all, pid);

	return entry && (entry->kept || entry->until > ipc_now()) ? entry : NULL;
}

static struct fs_pid *pid_new(struct fs_pids *all, pid_t pid)
{
	struct fs_pid *entry = malloc(all->size);

	if (!entry)
		return NULL;
	entry->pid = pid;
	if (!tsearch(entry, &all->tree, pid_compare)) {
		free(entry);
		return NULL;
	}
	ipc_list_append(&all->all, &entry->link);
	all->count++;
	return entry;
}

void *fs_pid_add(struct fs_pids *all, pid_t pid, int64_t until)
{
	struct fs_pid *entry;

	pids_sweep(all);
	entry = pid_any(all, pid);
	if (!entry)
		entry = pid_new(all, pid);
	if (!entry)
		return NULL;
	entry->until = until;
	entry->kept = false;
	memset(entry + 1, 0, all->size - sizeof(*entry));
	return entry;
}

void fs_pid_remove(struct fs_pids *all, struct fs_pid *entry)
{
	tdelete(entry, &all->tree, pid_compare);
	ipc_list_remove(&entry->link);
	all->count--;
	free(entry);
}

void fs_pids_start(struct fs_pids *all, size_t entry_size)
{
	all->size = entry_size;
	ipc_list_init(&all->all);
}

void fs_pids_end(struct fs_pids *all)
{
	while (all->count)
		fs_pid_remove(all, ipc_container(all->all.next, struct fs_pid, link));
}

/* The listing of /sig: whom the caller may signal. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/place.h"
#include "base/proc.h"
#include "core/cred.h"
#include "core/kind.h"
#include "core/listing.h"
#include "sig.h"

struct sig_processes {
	pid_t *pids; /* shared with the child that tries them */
	size_t count, size;
	size_t told;
};

/* Of one step. */
enum { STEP = 64 };

/* Who may not be signalled becomes 0. */
static int processes_try(void *arg, char *why, size_t why_size)
{
	struct sig_processes *all = arg;

	if (why_size)
		*why = '\0';
	for (size_t i = 0; i < all->count; i++)
		if (kill(all->pids[i], 0) < 0)
			all->pids[i] = 0;
	return 0;
}

/*
 * Copied to a larger mapping: mremap(2) would not do. It gives a shared mapping more addresses, but what stands behind
 * them keeps its size, and a store there is a SIGBUS.
 */
static int processes_grow(struct sig_processes *all)
{
	size_t size = all->size ? 2 * all->size : 4096;
	void *grown = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (grown == MAP_FAILED)
		return -ENOMEM;
	if (all->pids) {
		memcpy(grown, all->pids, all->size);
		munmap(all->pids, all->size);
	}
	all->pids = grown;
	all->size = size;
	return 0;
}

static int processes_add(void *arg, pid_t pid)
{
	struct sig_processes *all = arg;
	int r = all->count * sizeof(pid) == all->size ? processes_grow(all) : 0;

	if (r == 0)
		all->pids[all->count++] = pid;
	return r;
}

/* As they are counted in that namespace; what cannot be seen there becomes 0. */
static int processes_translate(struct sig_processes *all, int pids)
{
	for (size_t i = 0; i < all->count; i++) {
		pid_t seen = all->pids[i] ? ipc_pid_seen_in(pids, all->pids[i]) : 0;

		if (seen < 0 && seen != -ESRCH)
			return seen;
		all->pids[i] = seen < 0 ? 0 : seen;
	}
	return 0;
}

/* Whom the caller may signal, as he counts them. Any thread may call it. */
static int processes_find(struct sig_processes *all, const struct ipc_cred *cred, int pids)
{
	int r = ipc_process_each(processes_add, all);

	if (r == 0)
		r = ipc_cred_run(cred, processes_try, all, NULL, 0);
	if (r == 0 && pids >= 0)
		r = processes_translate(all, pids);
	return r;
}

int sig_find(struct ipc_listing *l)
{
	struct sig_processes *all = calloc(1, sizeof(*all));

	l->names = all;
	return all ? processes_find(all, &l->cred, l->pids) : -ENOMEM;
}

int sig_each_name(struct ipc_listing *l)
{
	struct sig_processes *all = l->names;
	size_t end = all->told + STEP < all->count ? all->told + STEP : all->count;

	for (; all->told < end; all->told++) {
		char name[16];

		snprintf(name, sizeof(name), "%d", (int)all->pids[all->told]);
		if (all->pids[all->told])
			ipc_listing_tell(l, name, S_IFREG);
	}
	return all->told < all->count;
}

void sig_found_free(void *names)
{
	struct sig_processes *all = names;

	if (all->pids)
		munmap(all->pids, all->size);
	free(all);
}

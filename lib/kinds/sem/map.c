/* A semaphore that is open here: its mapping, and waiting for it as sem_wait(3) does. */
#include "sem.h"
#include "core/chan.h"
#include "core/handle.h"
#include "core/kind.h"
#include "kinds/kinds.h"
#include "core/op.h"
#include "core/path.h"

#include <errno.h>
#include <stdlib.h>

struct sem_map {
	struct ipc_futex futex;
	struct ipc *ipc;
	struct sem_chan *chan; /* lives as long as there are refs */
	sem_t *sem;
	unsigned refs;
	bool joined; /* we count among those whom a post wakes */
};

sem_t *sem_map_sem(const struct sem_map *map)
{
	return map->sem;
}

static int map_new(struct ipc_handle *h, const struct ipc_ref *ref, int fd, ino_t ino, struct sem_map **out)
{
	struct sem_map *map = calloc(1, sizeof(*map));
	struct ipc_chan *chan = map ? ipc_chan_get(h->ipc, &ipc_sem, ref->base, ino) : NULL;
	int r = chan ? sem_file_map(fd, &map->sem) : -ENOMEM;

	if (r < 0) {
		free(map);
		return r == -EINVAL ? sem_refuse_damaged(h->ipc, &h->cred, ipc_ref_path(ref).text, NULL) : r;
	}
	map->ipc = h->ipc;
	map->chan = sem_chan(chan);
	map->chan->map = *out = map;
	return 0;
}

int sem_map_get(struct ipc_handle *h, const struct ipc_ref *ref, int fd, ino_t ino, struct sem_map **out)
{
	struct ipc_chan *chan = ipc_chan_find(h->ipc, &ipc_sem, ref->base);
	bool open = chan && chan->st.st_ino == ino && sem_chan(chan)->map;
	int r = 0;

	if (open)
		*out = sem_chan(chan)->map;
	else
		r = map_new(h, ref, fd, ino, out);
	if (r == 0)
		(*out)->refs++;
	return r;
}

static void map_leave(struct sem_map *map)
{
	if (map->joined)
		sem_file_leave(map->sem);
	map->joined = false;
}

static void map_free(struct sem_map *map)
{
	map_leave(map);
	sem_file_unmap(map->sem);
	free(map);
}

void sem_map_put(struct sem_map *map)
{
	if (--map->refs)
		return;
	if (map->chan->map == map)
		map->chan->map = NULL;
	if (ipc_futex_is_armed(&map->futex))
		ipc_futex_cancel(&map->futex);
	else
		map_free(map);
}

static void map_ready(struct ipc_futex *futex)
{
	struct sem_map *map = ipc_container(futex, struct sem_map, futex);
	struct ipc_waitq *wq;

	if (!map->refs) {
		map_free(map);
		return;
	}
	wq = &map->chan->chan.waitq;
	map->refs++;
	/* Who still finds nothing makes us wait again. */
	ipc_waitq_run(wq, IPC_IN);
	/*
	 * Nobody waits, so posting need not concern us; we hear of it only now because taking it back costs a system
	 * call.
	 */
	if (!ipc_futex_is_armed(futex) && ipc_list_empty(&wq->ops[IPC_IN]) && ipc_list_empty(&wq->pollers))
		map_leave(map);
	else
		sem_file_pass_on(map->sem);
	ipc_waitq_wake(wq);
	sem_map_put(map);
}

int sem_map_await(struct sem_map *map, unsigned value)
{
	int r = 0;

	if (ipc_futex_is_armed(&map->futex))
		return 0;
	if (!map->joined)
		r = sem_file_join(map->sem);
	if (r < 0)
		return r;
	map->joined = true;
	return ipc_futex_arm(sem_kind(map->ipc)->futexes, &map->futex, sem_file_word(map->sem), value, map_ready);
}

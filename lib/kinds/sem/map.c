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

/*
 * Whoever opens a semaphore again and again, as a shell's loop does, would pay for a mapping each time: so many stay
 * mapped behind their last close, so long. Being mapped keeps the inode, so that no other file has its number
 * meanwhile.
 */
enum { IDLE_MAX = 4 };
#define IDLE_NS INT64_C(1000000000)

struct sem_map {
	struct ipc_futex futex;
	struct ipc_list idle; /* of the kind's, while there are no refs */
	dev_t dev;
	ino_t ino;
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

/* One that is mapped still; NULL: none, or its file is damaged by now. */
static struct sem_map *map_idle(struct sem_kind *kind, const struct stat *st)
{
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &kind->idle_maps) {
		struct sem_map *map = ipc_container(pos, struct sem_map, idle);

		if (map->ino != st->st_ino || map->dev != st->st_dev || sem_file_value(map->sem) < 0)
			continue;
		ipc_list_remove(&map->idle);
		return map;
	}
	return NULL;
}

static int map_make(int fd, const struct stat *st, struct sem_map **out)
{
	struct sem_map *map = calloc(1, sizeof(*map));
	int r = map ? sem_file_map(fd, &map->sem) : -ENOMEM;

	if (r < 0) {
		free(map);
		return r;
	}
	map->dev = st->st_dev;
	map->ino = st->st_ino;
	ipc_list_init(&map->idle);
	*out = map;
	return 0;
}

static int map_new(struct ipc_handle *h, const struct ipc_ref *ref, int fd, const struct stat *st, struct sem_map **out)
{
	struct ipc_chan *chan = ipc_chan_get(h->ipc, &ipc_sem, ref->base, st->st_ino);
	struct sem_map *map = chan ? map_idle(sem_kind(h->ipc), st) : NULL;
	int r = chan ? 0 : -ENOMEM;

	if (r == 0 && !map)
		r = map_make(fd, st, &map);
	if (r < 0)
		return r == -EINVAL ? sem_refuse_damaged(h->ipc, &h->cred, ipc_ref_path(ref).text, NULL) : r;
	map->ipc = h->ipc;
	map->chan = sem_chan(chan);
	map->chan->map = *out = map;
	return 0;
}

int sem_map_get(struct ipc_handle *h, const struct ipc_ref *ref, int fd, const struct stat *st, struct sem_map **out)
{
	struct ipc_chan *chan = ipc_chan_find(h->ipc, &ipc_sem, ref->base);
	bool open = chan && chan->st.st_ino == st->st_ino && sem_chan(chan)->map;
	int r = 0;

	if (open)
		*out = sem_chan(chan)->map;
	else
		r = map_new(h, ref, fd, st, out);
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

static void idle_trim(struct sem_kind *kind, unsigned most)
{
	struct ipc_list *pos, *next;
	unsigned n = 0;

	ipc_list_each(pos, next, &kind->idle_maps) {
		if (n++ < most)
			continue;
		ipc_list_remove(pos);
		map_free(ipc_container(pos, struct sem_map, idle));
	}
}

void sem_map_end(struct sem_kind *kind)
{
	idle_trim(kind, 0);
}

static void idle_ended(struct ipc_timer *timer)
{
	sem_map_end(ipc_container(timer, struct sem_kind, idle_end));
}

/* Nobody has it open any more. */
static void map_idles(struct sem_map *map)
{
	struct sem_kind *kind = sem_kind(map->ipc);
	struct ipc_loop *loop = map->ipc->loop;

	map_leave(map);
	if (!kind->idle_end.slot && ipc_timer_start(loop, &kind->idle_end, ipc_now() + IDLE_NS, idle_ended) < 0) {
		map_free(map);
		return;
	}
	ipc_list_append(kind->idle_maps.next, &map->idle);
	idle_trim(kind, IDLE_MAX);
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
		map_idles(map);
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

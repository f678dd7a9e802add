/* What the files of the kind sem share: its instance, channels and handles, and who opens, reads and writes. */
#ifndef IPC_SEM_H
#define IPC_SEM_H

#include <limits.h>

#include "core/chan.h"
#include "core/handle.h"
#include "core/instance.h"
#include "core/kind.h"
#include "kinds/kinds.h"
#include "base/futex.h"
#include "file.h"
#include "held.h"
#include "kinds/glance.h"

struct sem_map;

/* The kind's own state. */
struct sem_kind {
	int dir; /* /dev/shm; -errno: there is none */
	struct ipc_futexes *futexes;
	struct sem_held *held;
	struct ipc_glances glances;
	struct ipc_list idle_maps; /* struct sem_map, that of the last close first */
	struct ipc_timer idle_end;
};

struct sem_chan {
	struct ipc_chan chan;
	struct sem_map *map; /* while it is open; its handles' */
};

struct sem_handle {
	struct ipc_handle h;
	struct sem_map *map;
	dev_t dev;
	int place;     /* in the record of held permits; -1: not for holding */
	bool holds;    /* a permit, until it is closed */
	bool spent;    /* its one line has been read */
	int left;      /* value when the permit was taken, for the line */
	int64_t since; /* ipc_now() when it began to hold */
};

static inline struct sem_kind *sem_kind(struct ipc *ipc)
{
	return *ipc_kind_data(ipc, &ipc_sem);
}

static inline struct sem_chan *sem_chan(struct ipc_chan *chan)
{
	return ipc_container(chan, struct sem_chan, chan);
}

static inline struct sem_handle *sem_handle(struct ipc_handle *h)
{
	return ipc_container(h, struct sem_handle, h);
}

/* map.c: a semaphore that is open, shared by its handles. get: `fd` is its file, which the caller may close after. */
int sem_map_get(struct ipc_handle *, const struct ipc_ref *, int fd, const struct stat *, struct sem_map **);
void sem_map_put(struct sem_map *);
sem_t *sem_map_sem(const struct sem_map *);
/* Gives back the mappings that nobody has open any more. */
void sem_map_end(struct sem_kind *);
/*
 * Wakes the channel's waitq at a post, or once the value is not `value` any more. Harmless when that is under way.
 * Returns 0 or -errno.
 */
int sem_map_await(struct sem_map *, unsigned value);

/* io.c: members of struct ipc_kind. */
int sem_open_handle(struct ipc_handle *, const struct ipc_ref *, int flags, ino_t ino);
ssize_t sem_read(struct ipc_op *);
ssize_t sem_write(struct ipc_op *);
int sem_flush(struct ipc_op *);
bool sem_put_back(struct ipc_op *, const char *line, size_t len);
unsigned sem_poll(struct ipc_handle *);
void sem_waits_for(const struct ipc_op *, char *text, size_t size);
void sem_close_handle(struct ipc_handle *);
/*
 * And for hold.c. take: a permit for op; returns the value that is left, or -EAGAIN. mark: where it is noted in the
 * same moment; or NULL.
 */
int sem_permit_take(struct ipc_op *, atomic_uint *mark);
int sem_permit_give(struct sem_handle *, unsigned n);

/* hold.c: the same. end: what the handle holds goes back. */
int sem_connect(struct ipc_op *);
int64_t sem_holds(const struct ipc_handle *);
void sem_hold_end(struct sem_handle *);

/* glance.c. at: as of struct ipc_kind_names. */
bool sem_glance_at(struct ipc *, const struct ipc_ref *, const struct stat *, struct ipc_depth *);
void sem_glance_free(struct ipc_glance *);

/* What the kernel's object is called, and the refusal of one that is damaged. */
int sem_file_name(struct ipc *, const struct ipc_ref *, char name[static NAME_MAX + 1]);
int sem_refuse_damaged(struct ipc *, const struct ipc_cred *, const char *path, const struct stat *);

#endif

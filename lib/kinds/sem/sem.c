/*
 * /sem: POSIX named semaphores. A write posts, a read waits for a permit and takes it, @hold has one for as long as it
 * is open. This file has the names; file.c the files in /dev/shm, io.c who opens them, map.c waiting, and held.c what a
 * crash must not lose.
 *
 * @value is a new semaphore's. On one that exists it means nothing, as in sem_open(3): a value moves, and what it was
 * in the beginning is written nowhere that could contradict.
 */
#include "core/reader.h"
#include "sem.h"
#include "base/sys.h"
#include "core/chan.h"
#include "core/ctl.h"
#include "core/handle.h"
#include "core/instance.h"
#include "core/kind.h"
#include "core/listing.h"
#include "kinds/kinds.h"
#include "core/ref.h"
#include "kinds/shmdir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int sem_dir(struct ipc *ipc)
{
	return sem_kind(ipc)->dir;
}

static int sem_start(struct ipc *ipc)
{
	struct sem_kind *kind = calloc(1, sizeof(*kind));

	if (!kind)
		return -ENOMEM;
	*ipc_kind_data(ipc, &ipc_sem) = kind;
	kind->dir = ipc_shmdir_open();
	ipc_list_init(&kind->idle_maps);
	ipc_glances_init(&kind->glances, ipc->loop, sem_glance_free);
	kind->held = sem_held_new(ipc->rundir);
	if (!kind->held)
		return -ENOMEM;
	kind->futexes = ipc_futexes_new(ipc->loop);
	return kind->futexes ? 0 : -errno;
}

static void sem_stop(struct ipc *ipc)
{
	struct sem_kind *kind = sem_kind(ipc);

	if (!kind)
		return;
	ipc_glances_fini(&kind->glances);
	ipc_futexes_free(kind->futexes);
	ipc_timer_stop(ipc->loop, &kind->idle_end);
	sem_map_end(kind);
	sem_held_free(kind->held);
	if (kind->dir >= 0)
		close(kind->dir);
	free(kind);
}

int sem_file_name(struct ipc *ipc, const struct ipc_ref *ref, char name[static NAME_MAX + 1])
{
	return ipc_kernel_name(ipc, ref, SEM_FILE_LEAD, name, NAME_MAX + 1);
}

/* st: NULL where its size says nothing. */
int sem_refuse_damaged(struct ipc *ipc, const struct ipc_cred *cred, const char *path, const struct stat *st)
{
	if (st)
		return ipc_refuse(ipc, cred, EINVAL, path, "its file in /dev/shm has %lld bytes, a semaphore has %zu",
				  (long long)st->st_size, sizeof(sem_t));
	return ipc_refuse(ipc, cred, EINVAL, path,
			  "its file in /dev/shm is damaged: what is in it is not what sem_open(3) writes");
}

static int sem_stat(struct ipc *ipc, const struct ipc_ref *ref, struct stat *st)
{
	char name[NAME_MAX + 1];
	int r = sem_file_name(ipc, ref, name);

	return r < 0 ? r : ipc_shmdir_stat(sem_kind(ipc)->dir, name, st);
}

static int sem_create(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, mode_t mode)
{
	unsigned value = ref->facets.set & IPC_F_VALUE ? (unsigned)ref->facets.value : 0;
	char name[NAME_MAX + 1];
	int r = sem_file_name(ipc, ref, name);

	if (r < 0)
		return r;
	if (!S_ISREG(mode))
		return ipc_refuse(ipc, cred, EPERM, ipc_ref_path(ref).text, "/sem holds semaphores only");
	r = sem_file_create(sem_kind(ipc)->dir, name, cred, mode, value);
	if (r < 0 && r != -EEXIST)
		return ipc_refuse(ipc, cred, -r, ipc_ref_path(ref).text, "no file can be made in /dev/shm: %s",
				  strerror(-r));
	return r;
}

static int sem_remove(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref)
{
	char name[NAME_MAX + 1];
	struct stat st;
	int r = sem_stat(ipc, ref, &st);

	(void)cred;
	/* What is removed is to give its memory back. */
	sem_map_end(sem_kind(ipc));
	if (r == 0)
		r = sem_file_name(ipc, ref, name);
	if (r == 0 && unlinkat(sem_kind(ipc)->dir, name, 0) < 0)
		r = -errno;
	return r;
}

/* What is open stays the same channel under its new name, with its holders and those who wait. */
static int sem_renamed(struct ipc *ipc, const struct ipc_ref *from, const struct ipc_ref *to)
{
	struct ipc_chan *chan = ipc_chan_find(ipc, &ipc_sem, from->base);
	struct ipc_chan *target = ipc_chan_find(ipc, &ipc_sem, to->base);
	struct stat st;

	if (target)
		ipc_chan_forget(target);
	if (chan && (sem_stat(ipc, to, &st) < 0 || st.st_ino != chan->st.st_ino))
		ipc_chan_forget(chan);
	else if (chan && ipc_chan_rename(ipc, &ipc_sem, from->base, to->base) < 0)
		ipc_chan_forget(chan);
	return 0;
}

static int sem_rename(struct ipc *ipc, const struct ipc_ref *from, const struct ipc_ref *to, unsigned flags)
{
	char old[NAME_MAX + 1], new[NAME_MAX + 1];
	struct stat a = {0}, b = {0};
	int r = sem_file_name(ipc, from, old);

	if (r == 0)
		r = sem_file_name(ipc, to, new);
	if (r == 0)
		r = sem_stat(ipc, from, &a);
	if (r < 0)
		return r;
	if (flags & ~(unsigned)RENAME_NOREPLACE)
		return -EINVAL;
	r = sem_stat(ipc, to, &b);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && a.st_ino == b.st_ino)
		return 0;
	r = ipc_shmdir_rename(sem_kind(ipc)->dir, old, new, r == 0, flags);
	return r < 0 ? r : sem_renamed(ipc, from, to);
}

static int sem_chattr(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_handle *h, const struct stat *st,
		      unsigned set)
{
	char name[NAME_MAX + 1];
	struct stat now;
	int fd;
	int r = sem_file_name(ipc, ref, name);

	if (r < 0)
		return r;
	if ((set & IPC_SET_SIZE) && st->st_size != 0)
		return -EINVAL;
	fd = ipc_shmdir_pin(sem_kind(ipc)->dir, name, ref, &now);
	if (fd < 0)
		return fd;
	r = h && h->chan->st.st_ino != now.st_ino ? -ENOENT : ipc_kernel_chattr(fd, st, set);
	close(fd);
	return r;
}

static const char *sem_name_of(const char *file)
{
	const size_t lead = strlen(SEM_FILE_LEAD);

	return strncmp(file, SEM_FILE_LEAD, lead) == 0 ? file + lead : NULL;
}

static void sem_take(struct ipc_listing *l, const char *file, unsigned char type)
{
	ipc_shmdir_tell(l, sem_kind(l->ipc)->dir, file, type, sem_name_of(file), S_IFREG);
}

static int sem_each_name(struct ipc_listing *l)
{
	int dir = sem_kind(l->ipc)->dir;

	return dir < 0 ? 0 : ipc_listing_files(l, dir, sem_take);
}

static int sem_value(struct ipc *ipc, const struct ipc_ref *ref)
{
	char name[NAME_MAX + 1];
	int r = sem_file_name(ipc, ref, name);

	return r < 0 ? r : sem_file_peek(sem_kind(ipc)->dir, name, ipc_kind_ino(ref->ino));
}

static int sem_depth(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_depth *depth)
{
	int value = sem_value(ipc, ref);

	depth->unit = "permits";
	depth->value = value < 0 ? -1 : value;
	return ipc_is_shortage(value) ? value : 0;
}

static void show_holders(const struct ipc_chan *chan, FILE *out)
{
	struct ipc_list *pos, *next;
	unsigned count = 0;

	ipc_list_each(pos, next, &chan->handles) {
		const struct sem_handle *s = ipc_container(pos, struct sem_handle, h.link);

		if (!s->holds || count++ >= IPC_CTL_SHOWN)
			continue;
		ipc_reader_show(chan->ipc, "holder", s->h.cred.pid, out);
		fprintf(out, " since:%.3fs\n", (double)(ipc_now() - s->since) / 1e9);
	}
	ipc_ctl_more("holders", count, out);
}

static int sem_ctl_show(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_chan *chan, FILE *out)
{
	int value = sem_value(ipc, ref);

	if (ipc_is_shortage(value) || value == -ESTALE)
		return value;
	if (value < 0)
		fputs("damaged=yes\n", out);
	else
		fprintf(out, "value=%d\n", value);
	fprintf(out, "max=%d\n", SEM_VALUE_MAX);
	if (chan)
		show_holders(chan, out);
	return 0;
}

static const struct ipc_kind_names sem_names = {
	.stat = sem_stat,
	.create = sem_create,
	.unlink = sem_remove,
	.rename = sem_rename,
	.chattr = sem_chattr,
	.each_name = sem_each_name,
	.dir = sem_dir,
	.name_of = sem_name_of,
	.depth = sem_depth,
	.glance = sem_glance_at,
};

static const struct ipc_kind_handles sem_handles = {
	.open = sem_open_handle,
	.connect = sem_connect,
	.read = sem_read,
	.write = sem_write,
	.flush = sem_flush,
	.put_back = sem_put_back,
	.close = sem_close_handle,
	.poll = sem_poll,
	.waits_for = sem_waits_for,
	.holds = sem_holds,
};

static const struct ipc_kind_ctl sem_ctl = {
	.show = sem_ctl_show,
};

static const struct ipc_kind_readme sem_readme = {
	.use = "sem    echo > M/sem/s: post       read n < M/sem/s: wait and take      sem_open(\"/s\")\n"
	       "       exec 9<M/sem/s@hold        take one until 9<&- or the end, however it comes\n",
	.facets = "  sem   @value=4 for a new one\n",
};

const struct ipc_kind ipc_sem = {
	.name = "sem",
	.facets = IPC_F_VALUE | IPC_F_HOLD | IPC_F_TIMEOUT,
	.readme = &sem_readme,
	.chan_size = sizeof(struct sem_chan),
	.handle_size = sizeof(struct sem_handle),
	.start = sem_start,
	.stop = sem_stop,
	.recover = sem_held_recover,
	.names = &sem_names,
	.handles = &sem_handles,
	.ctl = &sem_ctl,
};

/* What others make and remove beside the mount, as inotify(7) tells of the directories of their objects. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/sys.h"
#include "fs.h"

enum { NATIVE_MADE = IN_CREATE | IN_MOVED_TO, NATIVE_GONE = IN_DELETE | IN_MOVED_FROM };

static bool native_is_own(const struct fs_notices *all, const struct ipc_kind *kind, const char *name)
{
	const struct ipc_list *head = &all->own;

	for (const struct ipc_list *pos = head->next; pos != head; pos = pos->next) {
		const struct fs_own *own = ipc_container(pos, struct fs_own, link);

		if (own->kind == kind && strcmp(own->name, name) == 0)
			return true;
	}
	return false;
}

static void native_happened(struct fs *fs, const struct inotify_event *e)
{
	const struct fs_notices *all = &fs->notices;
	char name[2 * IPC_NAME_MAX + 1];

	/* Semaphores and shared memory have one directory. */
	for (unsigned i = 0; i < all->dirs; i++)
		if (all->dir[i].wd == e->wd &&
		    ipc_kind_name_of(fs->ipc, all->dir[i].kind, e->name, name, sizeof(name)) &&
		    !native_is_own(all, all->dir[i].kind, name))
			fs_notice(fs, all->dir[i].kind, name, e->mask & NATIVE_GONE);
}

/* False: there may be more. */
static bool natives_read(struct fs *fs)
{
	char buf[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n = read(fs->notices.watch.fd, buf, sizeof(buf));

	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *e = (const struct inotify_event *)(buf + at);

		if (e->len && !(e->mask & IN_ISDIR) && (e->mask & (NATIVE_MADE | NATIVE_GONE)))
			native_happened(fs, e);
		at += (ssize_t)(sizeof(*e) + e->len);
	}
	return n < (ssize_t)(sizeof(buf) / 2);
}

static void natives_ready(struct ipc_watch *watch, uint32_t events)
{
	(void)events;
	natives_read(ipc_container(watch, struct fs, notices.watch));
}

/* The kernel has queued what was done before we were told that it was done. */
static void natives_catch_up(struct fs *fs)
{
	while (!natives_read(fs))
		;
}

static bool natives_watch(const struct fs *fs, const struct ipc_kind *kind)
{
	for (unsigned i = 0; i < fs->notices.dirs; i++)
		if (fs->notices.dir[i].kind == kind)
			return true;
	return false;
}

void fs_natives_own_begin(struct fs *fs, struct fs_own *own, const struct ipc_ref *ref)
{
	own->kind = ref->kind;
	ipc_name_show(fs->ipc, ref->kind, ref->base, own->name, sizeof(own->name));
	ipc_list_append(&fs->notices.own, &own->link);
}

void fs_natives_own_end(struct fs *fs, struct fs_own *own)
{
	if (natives_watch(fs, own->kind))
		natives_catch_up(fs);
	ipc_list_remove(&own->link);
}

void fs_natives_own_both(struct fs *fs, const struct ipc_ref *a, const struct ipc_ref *b)
{
	struct fs_own *now = fs->notices.now;

	if (!natives_watch(fs, a->kind))
		return;
	fs_natives_own_begin(fs, &now[0], a);
	fs_natives_own_begin(fs, &now[1], b);
	fs_natives_own_end(fs, &now[0]);
	fs_natives_own_end(fs, &now[1]);
}

void fs_natives_own(struct fs *fs, const struct ipc_ref *ref)
{
	fs_natives_own_both(fs, ref, ref);
}

void fs_natives_start(struct fs *fs)
{
	struct fs_notices *all = &fs->notices;
	int fd = all->pool ? inotify_init1(IN_NONBLOCK | IN_CLOEXEC) : -1;

	if (fd < 0)
		return;
	if (ipc_watch_add(fs->loop, &all->watch, fd, EPOLLIN, natives_ready) < 0) {
		close(fd);
		return;
	}
	for (unsigned i = 0; ipc_kind_at(fs->ipc, i) && all->dirs < FS_NATIVE_DIRS; i++) {
		const struct ipc_kind *kind = ipc_kind_at(fs->ipc, i);
		int dir = ipc_kind_shown(fs->ipc, kind) ? ipc_kind_dir(fs->ipc, kind) : -1;
		int wd = dir < 0 ? -1 : inotify_add_watch(fd, ipc_fd_path(dir).text, NATIVE_MADE | NATIVE_GONE);

		if (wd < 0)
			continue;
		all->dir[all->dirs].kind = kind;
		all->dir[all->dirs++].wd = wd;
	}
}

void fs_natives_end(struct fs *fs)
{
	int fd = fs->notices.watch.fd;

	fs->notices.dirs = 0;
	ipc_watch_remove(&fs->notices.watch);
	if (fd >= 0)
		close(fd);
}

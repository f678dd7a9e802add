#include "native.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/sys.h"
#include "kind.h"
#include "path.h"
#include "told.h"

/*
 * What is told a moment later can be told better: by then we know what we did ourselves, and names that were only on
 * the way to others (sem_open(3) makes each semaphore under another name, and links it) are gone again.
 */
#define MOMENT INT64_C(100000000)

/*
 * BATCH: bytes of events that are read at once, 2,000 names or more. AHEAD: among how many later events the removal of
 * a name that was made is looked for.
 */
enum { BATCH = 65536, AHEAD = 64 };

/* Takes the place of an event's directory when nothing of the event is left to tell. */
enum { DONE = -1 };

struct ipc_native {
	struct ipc *ipc;
	struct ipc_watch watch;
	struct ipc_timer timer;
	int wd[IPC_KINDS_MAX]; /* of each kind's directory; 0: it has none */
	size_t len;	       /* of the batch, which has come a moment ago */
	char batch[BATCH] __attribute__((aligned(__alignof__(struct inotify_event))));
};

static enum ipc_event_type event_type(const struct inotify_event *event)
{
	return event->mask & (IN_CREATE | IN_MOVED_TO) ? IPC_EVENT_MADE : IPC_EVENT_REMOVED;
}

/* Where a name that was made is gone again, its making is not told, and its removal will not be. */
static void native_tell(struct ipc_native *n, const struct ipc_kind *kind, const char *name, enum ipc_event_type type)
{
	struct ipc_ref ref = ipc_ref_of(kind, name);
	const struct ipc_path path = ipc_ref_path(&ref);
	struct ipc_event e = {.type = type, .path = path.text};
	struct stat st;

	if (type == IPC_EVENT_MADE && kind->names->stat(n->ipc, &ref, &st) < 0)
		ipc_told_add(n->ipc, IPC_EVENT_REMOVED, kind, name);
	else
		ipc_event(n->ipc, &e);
}

/* NULL: it is no name of the kind. */
static const char *native_name(const struct ipc_native *n, unsigned kind, const struct inotify_event *event)
{
	const char *(*name_of)(const char *) = n->ipc->kinds[kind]->names->name_of;
	const char *name = NULL;

	if (n->wd[kind] == event->wd)
		name = name_of ? name_of(event->name) : event->name;
	name = name ? ipc_unprefixed(n->ipc, name) : NULL;
	return name && *name && strlen(name) <= IPC_NAME_MAX ? name : NULL;
}

static void native_event(struct ipc_native *n, struct inotify_event *event, bool tell)
{
	for (unsigned i = 0; i < IPC_KINDS_MAX && n->ipc->kinds[i]; i++) {
		const struct ipc_kind *kind = n->ipc->kinds[i];
		const char *name = native_name(n, i, event);

		if (!name)
			continue;
		if (tell)
			native_tell(n, kind, name, event_type(event));
		else if (ipc_told_take(n->ipc, event_type(event), kind, name))
			event->wd = DONE;
		return;
	}
}

static struct inotify_event *event_next(struct inotify_event *event)
{
	return (struct inotify_event *)(void *)((char *)(event + 1) + event->len);
}

/* Neither the making nor the removal is told of a name that was made and is removed further on in the batch. */
static void native_cancel(struct inotify_event *made, const struct inotify_event *end)
{
	struct inotify_event *event = event_next(made);

	for (int i = 0; i < AHEAD && event < end && (event->wd != made->wd || strcmp(event->name, made->name) != 0);
	     i++)
		event = event_next(event);
	if (event < end && event->wd == made->wd && strcmp(event->name, made->name) == 0 &&
	    event_type(event) == IPC_EVENT_REMOVED)
		event->wd = made->wd = DONE;
}

static void native_batch(struct ipc_native *n)
{
	struct inotify_event *first = (struct inotify_event *)(void *)n->batch, *event;
	const struct inotify_event *end = (const struct inotify_event *)(void *)(n->batch + n->len);

	for (event = first; event < end; event = event_next(event)) {
		if (event->len && !(event->mask & IN_ISDIR))
			native_event(n, event, false);
		else
			event->wd = DONE;
	}
	for (event = first; event < end; event = event_next(event)) {
		if (event->wd != DONE && event_type(event) == IPC_EVENT_MADE)
			native_cancel(event, end);
		if (event->wd != DONE)
			native_event(n, event, true);
	}
}

/* What has waited for a moment is told, and what has come meanwhile waits for one. */
static void native_due(struct ipc_timer *timer)
{
	struct ipc_native *n = ipc_container(timer, struct ipc_native, timer);
	ssize_t len;

	native_batch(n);
	len = IPC_RETRY(read(n->watch.fd, n->batch, sizeof(n->batch)));
	n->len = len > 0 ? (size_t)len : 0;
	if (n->len)
		ipc_timer_start(n->ipc->loop, timer, ipc_now() + MOMENT, native_due);
}

static void native_ready(struct ipc_watch *watch, uint32_t events)
{
	struct ipc_native *n = ipc_container(watch, struct ipc_native, watch);

	(void)events;
	if (!n->timer.slot)
		native_due(&n->timer);
}

/* --- beginning and end --- */

static void native_watch(struct ipc_native *n, int fd)
{
	for (unsigned i = 0; i < IPC_KINDS_MAX && n->ipc->kinds[i]; i++) {
		const struct ipc_kind *kind = n->ipc->kinds[i];
		int dir = ipc_kind_shown(n->ipc, kind) ? ipc_kind_dir(n->ipc, kind) : -1, wd;

		if (dir < 0)
			continue;
		wd = inotify_add_watch(fd, ipc_fd_path(dir).text, IN_CREATE | IN_DELETE | IN_MOVE);
		n->wd[i] = wd > 0 ? wd : 0;
	}
}

void ipc_native_start(struct ipc *ipc)
{
	struct ipc_native *n = calloc(1, sizeof(*n));
	struct ipc_told *told = ipc_told_new();
	int fd = n && told ? inotify_init1(IN_NONBLOCK | IN_CLOEXEC) : -1;

	if (fd < 0)
		goto failed;
	n->ipc = ipc;
	n->watch.fd = -1;
	if (ipc_watch_add(ipc->loop, &n->watch, fd, EPOLLIN | EPOLLET, native_ready) < 0)
		goto failed;
	native_watch(n, fd);
	ipc->native = n;
	ipc->told = told;
	return;
failed:
	if (fd >= 0)
		close(fd);
	free(told);
	free(n);
}

void ipc_native_stop(struct ipc *ipc)
{
	struct ipc_native *n = ipc->native;
	int fd = n ? n->watch.fd : -1;

	if (!n)
		return;
	ipc->native = NULL;
	ipc_timer_stop(ipc->loop, &n->timer);
	ipc_watch_remove(&n->watch);
	close(fd);
	free(n);
	free(ipc->told);
	ipc->told = NULL;
}

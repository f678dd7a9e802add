/* NAME@fifo: the client comes and goes, as inotify(7) tells. */
#include <search.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "fifo.h"

static void fifos_event(struct fs_fifos *fifos, const struct inotify_event *e)
{
	struct fs_fifo key = {.wd = e->wd};
	struct fs_fifo **found = tfind(&key, &fifos->by_wd, fs_fifo_by_wd);
	struct fs_fifo *f = found ? *found : NULL;

	if (!f || !f->pump)
		return;
	if (e->mask & IN_OPEN) {
		fs_fifo_expect_no_more(f);
		ipc_pump_start(f->pump);
	}
	if (e->mask & IN_CLOSE)
		ipc_pump_check(f->pump);
}

/* Events were lost: whatever can have happened is looked for. */
static void fifos_overflow(struct fs_fifos *fifos)
{
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &fifos->ready) {
		struct fs_fifo *f = ipc_container(pos, struct fs_fifo, link);

		if (f->looked_up && f->pump) {
			fs_fifo_expect_no_more(f);
			ipc_pump_start(f->pump);
		}
		if (f->pump)
			ipc_pump_check(f->pump);
	}
}

bool fs_fifos_read_events(struct fs_fifos *fifos)
{
	char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n = read(fifos->watch.fd, buf, sizeof(buf));

	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *e = (const struct inotify_event *)(buf + at);

		at += (ssize_t)(sizeof(*e) + e->len);
		if (e->mask & IN_Q_OVERFLOW)
			fifos_overflow(fifos);
		else
			fifos_event(fifos, e);
	}
	return n > 0;
}

void fs_fifos_ready(struct ipc_watch *watch, uint32_t events)
{
	(void)events;
	fs_fifos_read_events(ipc_container(watch, struct fs_fifos, watch));
}

static struct fs_fifo *fifo_find(struct fs *fs, pid_t pid)
{
	struct fs_fifo key = {.cred.pid = pid};
	struct fs_fifo **found = fs->fifos ? tfind(&key, &fs->fifos->by_pid, fs_fifo_by_pid) : NULL;

	return found ? *found : NULL;
}

struct fs_fifo *fs_fifo_of_pid(struct fs *fs, pid_t pid)
{
	struct fs_fifo *f = fifo_find(fs, pid);

	if (!f || !f->looked_up)
		return f;
	while (fs_fifos_read_events(fs->fifos))
		;
	return fifo_find(fs, pid);
}

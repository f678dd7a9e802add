/* What nobody may have again goes to the queue NAME.dead: facet tries. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/sys.h"
#include "core/changed.h"
#include "core/event.h"
#include "core/path.h"
#include "kinds/kinds.h"
#include "names.h"
#include "owed.h"

#define DEAD ".dead"
#define RETRY_NS INT64_C(1000000000)

static void dead_run(struct mq_owed *);

static struct mq_owed *owed_of(struct mq_dead *dead)
{
	return ipc_container(dead, struct mq_owed, dead);
}

static void dead_task(struct ipc_task *task)
{
	dead_run(owed_of(ipc_container(task, struct mq_dead, task)));
}

static void dead_ready(struct ipc_watch *watch, uint32_t events)
{
	(void)events;
	dead_run(owed_of(ipc_container(watch, struct mq_dead, watch)));
}

static void dead_expired(struct ipc_timer *timer)
{
	dead_run(owed_of(ipc_container(timer, struct mq_dead, timer)));
}

void mq_dead_init(struct mq_dead *dead)
{
	ipc_list_init(&dead->dying);
	dead->fd = -1;
	dead->watch.fd = -1;
	ipc_task_init(&dead->task, dead_task);
}

static void dead_rest(struct mq_owed *o)
{
	struct mq_dead *dead = &o->dead;

	if (dead->watch.fd >= 0)
		ipc_watch_remove(&dead->watch);
	ipc_timer_stop(o->chan->ipc->loop, &dead->timer);
	if (dead->fd >= 0)
		close(dead->fd);
	dead->fd = -1;
}

void mq_dead_end(struct mq_owed *o)
{
	dead_rest(o);
	ipc_task_cancel(&o->dead.task);
}

void mq_dead_bury(struct mq_debt *d)
{
	struct mq_owed *o = d->owed;

	atomic_store(&mq_owed_slot(d)->state, MQ_BACK);
	ipc_list_append(&o->dead.dying, &d->debt.link);
	mq_owed_keep_chan(o);
	ipc_task_post(o->chan->ipc->loop, &o->dead.task);
}

static void dead_made(struct mq_owed *o, const char *name)
{
	struct ipc *ipc = o->chan->ipc;
	const char *base = ipc_unprefixed(ipc, name);
	struct ipc_ref ref;

	ipc_names_changed(ipc, &ipc_mq);
	if (!ipc->events || !base)
		return;
	ref = ipc_ref_of(&ipc_mq, base);
	ipc_event_of_ref(ipc, IPC_EVENT_MADE, NULL, &ref, NULL, NULL);
}

/*
 * Opens NAME.dead, made as NAME is if there is none. Another user's would give him our messages. Returns 0, or -errno
 * with a line in why.
 */
static int dead_open(struct mq_owed *o, char *why, size_t why_size)
{
	struct ipc *ipc = o->chan->ipc;
	char name[NAME_MAX + sizeof(DEAD)];
	struct stat like, st;
	struct mq_attr attr = {0};
	int fd, r = mq_names_stat(mq_kind(ipc)->dir, o->name, &like);
	struct ipc_cred owner = {.uid = like.st_uid, .gid = like.st_gid};

	snprintf(name, sizeof(name), "%s" DEAD, o->name);
	if (r == 0 && strlen(name) > NAME_MAX)
		r = -ENAMETOOLONG;
	if (r < 0)
		return r;
	fd = mq_names_queue(name, O_WRONLY, 0, NULL);
	if (fd == -ENOENT) {
		int queue = mq_names_queue(o->name, O_RDONLY, 0, NULL);

		if (queue < 0)
			return queue;
		mq_getattr(queue, &attr);
		close(queue);
		r = mq_make(&owner, name, like.st_mode, attr.mq_maxmsg, attr.mq_msgsize, why, why_size);
		if (r < 0 && r != -EEXIST)
			return r;
		if (r == 0)
			dead_made(o, name);
		fd = mq_names_queue(name, O_WRONLY, 0, NULL);
	}
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || st.st_uid != like.st_uid) {
		snprintf(why, why_size, "it belongs to user %u, and not as the queue to user %u: remove it",
			 (unsigned)st.st_uid, (unsigned)like.st_uid);
		close(fd);
		return -EPERM;
	}
	o->dead.fd = fd;
	return 0;
}

static void dead_tell(const struct mq_debt *d)
{
	const struct ipc_cred cred = {.uid = d->uid, .pid = d->pid};
	const struct mq_slot *slot = mq_owed_slot(d);
	struct ipc_chan *chan = d->owed->chan;

	ipc_event_messages(chan, IPC_EVENT_DEAD, &cred, 1);
	ipc_refuse(chan->ipc, &cred, ECANCELED, ipc_chan_path(chan).text,
		   "a message of %zu bytes was delivered %u times and given back each time: it is in %s" DEAD " now",
		   (size_t)slot->len, slot->deliveries, ipc_chan_path(chan).text);
}

/* Sends what has room. 0, or -errno of the first that has not gone. */
static int dead_send(struct mq_owed *o)
{
	while (!ipc_list_empty(&o->dead.dying)) {
		struct mq_debt *d = ipc_container(o->dead.dying.next, struct mq_debt, debt.link);
		const struct mq_slot *slot = mq_owed_slot(d);
		int r = (int)IPC_RETRY(mq_send(o->dead.fd, slot->body, slot->len, slot->prio));

		if (r < 0)
			return r;
		dead_tell(d);
		ipc_list_remove(&d->debt.link);
		mq_owed_drop(d);
	}
	return 0;
}

/* It stays here meanwhile, and nobody gets it. */
static void dead_fail(struct mq_owed *o, int r, const char *why)
{
	const struct mq_debt *d = ipc_container(o->dead.dying.next, struct mq_debt, debt.link);
	const struct ipc_cred cred = {.uid = d->uid, .pid = d->pid};

	if (!o->dead.explained)
		ipc_refuse(o->chan->ipc, &cred, -r, ipc_chan_path(o->chan).text,
			   "a message that was delivered %u times cannot go to %s" DEAD ", and waits: %s",
			   mq_owed_slot(d)->deliveries, ipc_chan_path(o->chan).text, why[0] ? why : strerror(-r));
	o->dead.explained = true;
	dead_rest(o);
	ipc_timer_start(o->chan->ipc->loop, &o->dead.timer, ipc_now() + RETRY_NS, dead_expired);
}

static void dead_run(struct mq_owed *o)
{
	struct mq_dead *dead = &o->dead;
	char why[512] = "";
	int r = ipc_list_empty(&dead->dying) || dead->fd >= 0 ? 0 : dead_open(o, why, sizeof(why));

	if (r == 0)
		r = dead_send(o);
	if (r == -EAGAIN && dead->watch.fd < 0)
		r = ipc_watch_add(o->chan->ipc->loop, &dead->watch, dead->fd, EPOLLOUT | EPOLLET, dead_ready);
	else if (r == 0) {
		dead->explained = false;
		dead_rest(o);
	}
	if (r < 0 && r != -EAGAIN)
		dead_fail(o, r, why);
	mq_owed_keep_chan(o);
}

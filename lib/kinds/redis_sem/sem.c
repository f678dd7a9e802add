/*
 * /sem in a Redis. A write posts, a read waits for a permit and takes it, @hold has one for as long as it is open, and
 * as its machine is heard of. @value is a new semaphore's, as locally.
 */
#include "sem.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>

#include "core/reader.h"
#include "core/ctl.h"
#include "kinds/permits.h"
#include "core/path.h"
#include "kinds/kinds.h"

REDIS_SCRIPT(sem_state);

static void rsem_woken(struct redis_chan *rc, const struct redis_word *what)
{
	struct rsem_chan *c = ipc_container(rc, struct rsem_chan, redis);

	if (!c->waiters.ipc)
		return;
	if (what && what->text[0] == 'p')
		redis_wake_one(&c->waiters);
	else
		redis_wake_all(&c->waiters);
}

static int rsem_start(struct ipc *ipc)
{
	static const char *const fields[REDIS_FIELDS_MAX + 1] = {"value", NULL};

	return redis_kind_start(ipc, &ipc_redis_sem, fields, "hw", rsem_woken);
}

static void rsem_stop(struct ipc *ipc)
{
	redis_kind_stop(ipc, &ipc_redis_sem);
}

static int rsem_create(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, mode_t mode)
{
	const int64_t value = ref->facets.set & IPC_F_VALUE ? ref->facets.value : 0;

	if (!S_ISREG(mode))
		return ipc_refuse(ipc, cred, EPERM, ipc_ref_path(ref).text, "/sem holds semaphores only");
	return redis_create(ipc, cred, ref, mode, &value);
}

static void rsem_chan_free(struct ipc_chan *chan)
{
	redis_waiters_fini(&rsem_chan(chan)->waiters);
	redis_chan_free(chan);
}

/* --- state --- */

struct rsem_state {
	int64_t value;
	struct ipc_chan *chan;
	FILE *out; /* or NULL */
};

static struct rsem_handle *handle_of(struct ipc_chan *chan, const char *holder)
{
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &chan->handles) {
		struct rsem_handle *s = rsem_handle(ipc_container(pos, struct ipc_handle, link));

		if (strcmp(s->holder.text, holder) == 0)
			return s;
	}
	return NULL;
}

/* holder: DAEMON:HANDLE. */
static void show_holder(const struct rsem_state *s, const char *holder, int64_t token)
{
	const char *handle = strchr(holder, ':');
	const char *me = s->chan ? redis_link_id(rsem_chan(s->chan)->redis.channel.link) : "";
	struct rsem_handle *own =
		handle && s->chan && strncmp(holder, me, strlen(me)) == 0 ? handle_of(s->chan, handle + 1) : NULL;

	if (!own) {
		fprintf(s->out, "holder=mount:%.*s number:%" PRId64 "\n", (int)(handle ? handle - holder : 0), holder,
			token);
		return;
	}
	ipc_reader_show(own->h.ipc, "holder", own->h.cred.pid, s->out);
	fprintf(s->out, " since:%.3fs number:%" PRId64 "\n", (double)(ipc_now() - own->since) / 1e9, token);
}

static void state_read(void *arg, const redisReply *reply)
{
	struct rsem_state *s = arg;
	unsigned count = 0;

	s->value = redis_reply_number(redis_reply_at(reply, 0), 0);
	if (!s->out)
		return;
	fprintf(s->out, "value=%" PRId64 "\nmax=%d\nlast_number=%" PRId64 "\n", s->value, IPC_PERMITS_MAX,
		redis_reply_number(redis_reply_at(reply, 1), 0));
	for (size_t i = 2; i + 1 < reply->elements; i += 2)
		if (count++ < IPC_CTL_SHOWN)
			show_holder(s, reply->element[i]->str, redis_reply_number(reply->element[i + 1], 0));
	ipc_ctl_more("holders", count, s->out);
}

static int state_ask(struct ipc *ipc, const struct ipc_ref *ref, bool wakes, struct rsem_state *s)
{
	struct redis_arg arg = redis_text(wakes ? "1" : "0");

	return redis_ask(ipc, ref, &redis_script_sem_state, &arg, 1, state_read, s);
}

static int rsem_depth(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_depth *depth)
{
	struct rsem_state s = {0};
	int r = state_ask(ipc, ref, false, &s);

	depth->unit = "permits";
	depth->value = r == 0 ? s.value : -1;
	return r == IPC_ASKED ? r : 0;
}

static int rsem_ctl_show(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_chan *chan, FILE *out)
{
	struct rsem_state s = {.chan = chan && redis_chan(chan)->open ? chan : NULL, .out = out};

	return state_ask(ipc, ref, false, &s);
}

static unsigned rsem_poll(struct ipc_handle *h)
{
	struct rsem_handle *s = rsem_handle(h);
	struct redis_waiters *w = &rsem_chan(h->chan)->waiters;
	struct ipc_ref ref = redis_handle_ref(h);
	unsigned events = h->writable ? POLLOUT | POLLWRNORM : 0u;
	struct rsem_state state = {0};
	int r;

	if (!h->readable)
		return events;
	if (s->lost)
		return events | POLLERR | POLLIN | POLLRDNORM;
	if (s->spent || s->holds || s->arrived || s->error[IPC_IN])
		return events | POLLIN | POLLRDNORM;
	redis_wait(w, &s->waiter);
	if (w->dry || redis_channel_is_silent(&redis_chan(h->chan)->channel))
		return events;
	r = state_ask(h->ipc, &ref, true, &state);
	if (r == IPC_ASKED)
		return IPC_POLL_ASKED;
	if (r < 0)
		return h->chan->listed ? events : events | POLLERR;
	redis_poll_found(w, &s->waiter, state.value < 1, redis_asked_at(h->ipc, &ref, &redis_script_sem_state));
	return state.value < 1 ? events : events | POLLIN | POLLRDNORM;
}

static const struct ipc_kind_names rsem_names = {
	.stat = redis_stat,
	.create = rsem_create,
	.unlink = redis_unlink,
	.chattr = redis_chattr,
	.each_name = redis_each_name,
	.found_free = redis_found_free,
	.depth = rsem_depth,
};

static const struct ipc_kind_handles rsem_handles = {
	.open = rsem_open,
	.connect = rsem_connect,
	.read = rsem_read,
	.write = rsem_write,
	.flush = rsem_flush,
	.withdraw = rsem_withdraw,
	.put_back = rsem_put_back,
	.close = rsem_close,
	.poll = rsem_poll,
	.waits_for = rsem_waits_for,
	.holds = rsem_holds,
};

static const struct ipc_kind_ctl rsem_ctl = {
	.show = rsem_ctl_show,
};

static const struct ipc_kind_readme rsem_readme = {
	.use = "sem    echo > M/sem/s: post       read n < M/sem/s: wait and take\n"
	       "       exec 9<M/sem/s@hold        take one until 9<&- or the end, however it comes; read n <&9 is a number that\n"
	       "                                  only grows: who has a smaller one has lost the permit (its machine vanished)\n",
	.facets = "  sem   @value=4 for a new one\n",
	.where = redis_readme_where,
};

const struct ipc_kind ipc_redis_sem = {
	.name = "sem",
	.facets = IPC_F_VALUE | IPC_F_HOLD | IPC_F_TIMEOUT,
	.options = redis_options,
	.readme = &rsem_readme,
	.remote = true,
	.chan_size = sizeof(struct rsem_chan),
	.handle_size = sizeof(struct rsem_handle),
	.start = rsem_start,
	.stop = rsem_stop,
	.chan_free = rsem_chan_free,
	.names = &rsem_names,
	.handles = &rsem_handles,
	.ctl = &rsem_ctl,
};

/* /bcast in a Redis: names, opens, texts. read.c and write.c have the data. */
#include "bcast.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>

#include "core/reader.h"
#include "core/ctl.h"
#include "core/frame.h"
#include "core/path.h"
#include "kinds/kinds.h"

REDIS_SCRIPT(bcast_state);

static void rbcast_woken(struct redis_chan *rc, const struct redis_word *what)
{
	struct rbcast_chan *c = ipc_container(rc, struct rbcast_chan, redis);

	(void)what;
	if (c->waiters.ipc)
		redis_wake_all(&c->waiters);
}

static int rbcast_start(struct ipc *ipc)
{
	static const char *const fields[REDIS_FIELDS_MAX + 1] = {"buffer", NULL};

	return redis_kind_start(ipc, &ipc_redis_bcast, fields, "sw", rbcast_woken);
}

static void rbcast_stop(struct ipc *ipc)
{
	redis_kind_stop(ipc, &ipc_redis_bcast);
}

static int rbcast_create(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, mode_t mode)
{
	const int64_t buffer = RBCAST_DEFAULT;

	if (!S_ISREG(mode))
		return ipc_refuse(ipc, cred, EPERM, ipc_ref_path(ref).text, "/bcast holds broadcast channels only");
	return redis_create(ipc, cred, ref, mode, &buffer);
}

static void rbcast_chan_free(struct ipc_chan *chan)
{
	redis_waiters_fini(&rbcast_chan(chan)->waiters);
	rbcast_read_fini(rbcast_chan(chan));
	redis_chan_free(chan);
}

/* --- state --- */

struct rbcast_state {
	int64_t first, next, buffer, bytes;
};

static void state_read(void *arg, const redisReply *reply)
{
	struct rbcast_state *s = arg;
	int64_t *const to[] = {&s->first, &s->next, &s->buffer, &s->bytes};

	for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++)
		*to[i] = redis_reply_number(redis_reply_at(reply, i), 0);
}

/* The next message, whatever its number. */
#define RBCAST_ANY (INT64_C(1) << 52)

/* awaited: the number of a message for which we are to be woken, if it is not there; or 0. */
static int state_ask(struct ipc *ipc, const struct ipc_ref *ref, int64_t awaited, struct rbcast_state *s)
{
	struct redis_arg arg = awaited ? redis_number(awaited) : redis_text("");

	*s = (struct rbcast_state){0};
	return redis_ask(ipc, ref, &redis_script_bcast_state, &arg, 1, state_read, s);
}

static int rbcast_depth(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_depth *depth)
{
	struct rbcast_state s;
	int r = state_ask(ipc, ref, 0, &s);

	depth->unit = "messages";
	depth->value = r == 0 ? s.next - s.first : -1;
	depth->limit = r == 0 ? s.buffer / RBCAST_AVERAGE : 0;
	return r == IPC_ASKED ? r : 0;
}

static void show_reader(const struct rbcast_handle *b, const struct rbcast_state *s, FILE *out)
{
	int64_t missed = b->next < s->first ? s->first - b->next : 0;

	ipc_reader_show(b->h.ipc, "reader", b->h.cred.pid, out);
	fprintf(out, " lag:%" PRId64 " dropped:%" PRId64 "\n", s->next - (b->next + missed), b->dropped + missed);
}

static int rbcast_ctl_show(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_chan *chan, FILE *out)
{
	struct rbcast_state s;
	int r = state_ask(ipc, ref, 0, &s);
	struct ipc_list *pos, *next;
	unsigned count = 0;

	if (r < 0)
		return r;
	fprintf(out, "buffer=%" PRId64 "\nmax_messages=%" PRId64 "\nmessages=%" PRId64 "\nbytes=%" PRId64 "\n",
		s.buffer, s.buffer / RBCAST_AVERAGE, s.next - s.first, s.bytes);
	if (!chan)
		return 0;
	ipc_list_each(pos, next, &chan->handles) {
		const struct rbcast_handle *b = rbcast_handle(ipc_container(pos, struct ipc_handle, link));

		if (b->h.readable && count++ < IPC_CTL_SHOWN)
			show_reader(b, &s, out);
	}
	ipc_ctl_more("readers", count, out);
	return 0;
}

static int rbcast_ctl_set(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, const char *key,
			  const char *value, char *why, size_t size)
{
	int64_t buffer;

	(void)cred;
	if (strcmp(key, "buffer") != 0) {
		snprintf(why, size, "only buffer=BYTES can be set");
		return -EINVAL;
	}
	if (ipc_number_parse(value, strlen(value), 1, RBCAST_MIN, RBCAST_MAX, &buffer) < 0) {
		snprintf(why, size, "buffer=BYTES takes %d to %dG, with K, M or G", RBCAST_MIN, RBCAST_MAX >> 30);
		return -EINVAL;
	}
	return redis_set_field(ipc, ref, RBCAST_BUFFER, buffer);
}

static unsigned rbcast_poll(struct ipc_handle *h)
{
	struct rbcast_handle *b = rbcast_handle(h);
	struct rbcast_chan *c = rbcast_chan(h->chan);
	struct ipc_ref ref = redis_handle_ref(h);
	unsigned events = h->writable ? POLLOUT | POLLWRNORM : 0u;
	struct rbcast_state s;
	int r;

	if (!h->readable)
		return events;
	redis_wait(&c->waiters, &b->waiter);
	if (rbcast_is_ready(b))
		events |= POLLIN | POLLRDNORM;
	if (c->waiters.dry || redis_channel_is_silent(&c->redis.channel))
		return events;
	/* Who polls for edges (EPOLLET) is told of each message, whether or not he has read what was there. */
	r = state_ask(h->ipc, &ref, RBCAST_ANY, &s);
	if (r == IPC_ASKED)
		return IPC_POLL_ASKED;
	if (r < 0)
		return h->chan->listed ? events : events | POLLERR;
	c->first = s.first;
	c->next = s.next;
	redis_poll_found(&c->waiters, &b->waiter, b->next >= s.next,
			 redis_asked_at(h->ipc, &ref, &redis_script_bcast_state));
	return b->next >= s.next ? events : events | POLLIN | POLLRDNORM;
}

/* --- opening and closing --- */

/* It gets what is written from now on, and as many before that as it wants: what there is, only the server knows. */
static int open_position(struct ipc_handle *h, const struct ipc_ref *ref, struct rbcast_chan *c, int64_t *position)
{
	struct rbcast_state s;
	int r = h->readable ? state_ask(h->ipc, ref, 0, &s) : 0;

	*position = 0;
	if (r < 0 || !h->readable)
		return r == -ENOENT ? -ESTALE : r;
	c->first = s.first;
	c->next = *position = s.next;
	if (h->facets.set & IPC_F_LAST)
		*position = s.next - h->facets.last > s.first ? s.next - h->facets.last : s.first;
	return 0;
}

static int rbcast_open(struct ipc_handle *h, const struct ipc_ref *ref, int flags, ino_t ino)
{
	struct rbcast_handle *b = rbcast_handle(h);
	struct redis_chan *rc;
	int64_t position = 0;
	int r = redis_chan_open(h->ipc, ref, ino, &rc);

	(void)flags;
	if (r == 0)
		r = open_position(h, ref, ipc_container(rc, struct rbcast_chan, redis), &position);
	if (r < 0)
		return r;
	redis_waiters_init(&ipc_container(rc, struct rbcast_chan, redis)->waiters, h->ipc, IPC_IN);
	redis_waiter_init(&b->waiter, h);
	ipc_waitq_init(&b->waitq, h->ipc, -1);
	h->waitq = &b->waitq;
	rbcast_write_open(b);
	b->next = position;
	h->flushes = h->writable && ipc_frame_delim(h, -1) >= 0 ? IPC_FLUSH_UNFINISHED : IPC_FLUSH_NEVER;
	return 0;
}

static void rbcast_close(struct ipc_handle *h)
{
	struct rbcast_handle *b = rbcast_handle(h);

	if (!h->chan)
		return;
	rbcast_read_close(b);
	redis_sends_close(&b->sends);
	redis_wait_end(&b->waiter);
	ipc_waitq_close(&b->waitq, -EBADF);
}

static const struct ipc_kind_names rbcast_names = {
	.stat = redis_stat,
	.may_read = redis_may_read,
	.create = rbcast_create,
	.unlink = redis_unlink,
	.chattr = redis_chattr,
	.each_name = redis_each_name,
	.found_free = redis_found_free,
	.depth = rbcast_depth,
};

static const struct ipc_kind_handles rbcast_handles = {
	.open = rbcast_open,
	.read = rbcast_read,
	.write = rbcast_write,
	.flush = rbcast_flush,
	.withdraw = rbcast_withdraw,
	.close = rbcast_close,
	.poll = rbcast_poll,
};

static const struct ipc_kind_ctl rbcast_ctl = {
	.show = rbcast_ctl_show,
	.set = rbcast_ctl_set,
};

static const struct ipc_kind_readme rbcast_readme = {
	.use = "bcast  echo hi > M/bcast/b        cat M/bcast/b       every reader on every machine gets every message\n",
	.facets = "  bcast @last=5 start 5 messages back; also @lines to @batch of mq\n",
	.where = redis_readme_where,
};

const struct ipc_kind ipc_redis_bcast = {
	.name = "bcast",
	.facets = IPC_F_TAP | IPC_F_LINES | IPC_F_NUL | IPC_F_DRAIN | IPC_F_ONE | IPC_F_N | IPC_F_IDLE | IPC_F_TIMEOUT |
		  IPC_F_BATCH | IPC_F_LAST | IPC_F_FIFO,
	.options = redis_options,
	.readme = &rbcast_readme,
	.remote = true,
	.chan_size = sizeof(struct rbcast_chan),
	.handle_size = sizeof(struct rbcast_handle),
	.start = rbcast_start,
	.stop = rbcast_stop,
	.chan_free = rbcast_chan_free,
	.names = &rbcast_names,
	.handles = &rbcast_handles,
	.ctl = &rbcast_ctl,
};

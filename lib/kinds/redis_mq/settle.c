/*
 * What becomes of owed messages. A reader who asks for more has what he owes settled by the very script that takes more
 * for him: so whoever has a message has settled what was before it, whoever dies when. The rest goes in calls of many.
 */
#include <stdlib.h>
#include <string.h>

#include "core/instance.h"
#include "mq.h"

REDIS_SCRIPT(mq_settle);

/* So many in a call. */
enum { SETTLE_MAX = 500 };

/*
 * One call for the first of them. False: out of memory; what is owed is settled with the next, or goes back when our
 * lease is over.
 */
static bool settle_some(struct rmq_chan *q)
{
	unsigned n = q->settling_count < SETTLE_MAX ? q->settling_count : SETTLE_MAX, count = 0;
	struct redis_arg *args = calloc(3 * (size_t)n, sizeof(*args));
	char(*numbers)[12] = malloc(n * sizeof(*numbers));
	bool sent = false, back = false;
	struct ipc_list *pos, *next;

	if (args && numbers) {
		ipc_list_each(pos, next, &q->settling) {
			struct rmq_debt *d = ipc_container(pos, struct rmq_debt, link);

			if (count == n)
				break;
			numbers[count][0] = '\0';
			back |= d->back;
			if (d->back)
				snprintf(numbers[count], sizeof(numbers[count]), "%u", d->debt.deliveries);
			args[3 * count] = (struct redis_arg){.data = d->tag, .len = RMQ_TAG};
			args[3 * count + 1] = redis_text(d->holder.text);
			args[3 * count + 2] = redis_text(numbers[count]);
			count++;
		}
		/* What is back can be taken again by the same holder, and must not go back once more then. */
		sent = redis_tell(&q->redis, &redis_script_mq_settle, args, 3 * n, back, NULL);
	}
	for (count = 0; sent && count < n; count++)
		free(ipc_container(ipc_list_pop(&q->settling), struct rmq_debt, link));
	if (sent)
		q->settling_count -= n;
	free(args);
	free(numbers);
	return sent;
}

void rmq_settle_now(struct rmq_chan *q)
{
	while (q->settling_count && settle_some(q))
		;
}

static void settle_task(struct ipc_task *task)
{
	rmq_settle_now(ipc_container(task, struct rmq_chan, settle));
}

struct tags {
	unsigned take;
	size_t len, room;
	char *text;
};

static void tag_add(struct ipc_debt *debt, void *arg)
{
	struct rmq_debt *d = ipc_container(debt, struct rmq_debt, debt);
	struct tags *tags = arg;

	if (tags->len + RMQ_TAG > tags->room)
		return;
	memcpy(tags->text + tags->len, d->tag, RMQ_TAG);
	tags->len += RMQ_TAG;
	d->take = tags->take;
}

char *rmq_settle_tags(struct rmq_handle *r, size_t *len)
{
	unsigned count = 0;
	struct tags tags = {.take = r->takes + 1};

	*len = 0;
	if (!ipc_settle_oldest(&r->h, &count))
		count = 0;
	count += r->received != NULL;
	if (!count)
		return NULL;
	tags.text = malloc((size_t)count * RMQ_TAG);
	tags.room = tags.text ? (size_t)count * RMQ_TAG : 0;
	ipc_settle_each(&r->h, tag_add, &tags);
	if (r->received)
		tag_add(&r->received->debt, &tags);
	*len = tags.len;
	return tags.text;
}

/* A take has settled it, and the server has said so. */
static bool settled_before(const struct rmq_debt *d)
{
	return d->take && d->take == rmq_handle(d->debt.handle)->answered;
}

/* So long a reader may take to ask for the next message, whose call says it, too. */
#define SOON_NS INT64_C(2000000)

void rmq_settle_next(struct rmq_debt *d)
{
	struct rmq_chan *q = rmq_chan(d->chan);

	if (d->reader)
		d->reader->received = NULL;
	d->reader = NULL;
	ipc_list_remove(&d->link);
	ipc_list_append(&q->settling, &d->link);
	q->settling_count++;
	ipc_task_post(d->chan->ipc->loop, &q->settle);
}

static void soon_is_now(struct ipc_timer *timer)
{
	struct rmq_chan *q = ipc_container(timer, struct rmq_chan, soon_timer);

	while (!ipc_list_empty(&q->soon))
		rmq_settle_next(ipc_container(q->soon.next, struct rmq_debt, link));
	rmq_settle_now(q);
}

void rmq_settle_soon(struct rmq_debt *d)
{
	struct rmq_chan *q = rmq_chan(d->chan);
	struct ipc_loop *loop = q->redis.chan.ipc->loop;

	ipc_list_append(&q->soon, &d->link);
	if (!q->soon_timer.slot && ipc_timer_start(loop, &q->soon_timer, ipc_now() + SOON_NS, soon_is_now) < 0)
		soon_is_now(&q->soon_timer);
}

void rmq_settle_received(struct rmq_handle *r)
{
	if (r->received)
		rmq_settle_next(r->received);
}

struct rmq_debt *rmq_settle_by_take(struct rmq_handle *r)
{
	struct rmq_debt *d = r->received;

	r->received = NULL;
	if (!d)
		return NULL;
	d->reader = NULL;
	ipc_list_remove(&d->link);
	return d;
}

static void settle_end(struct ipc_debt *debt, bool back)
{
	struct rmq_debt *d = ipc_container(debt, struct rmq_debt, debt);
	struct rmq_chan *q = rmq_chan(d->chan);

	if (settled_before(d)) {
		free(d);
		rmq_hold(q, -1);
		return;
	}
	d->back = back;
	ipc_list_append(&q->settling, &d->link);
	q->settling_count++;
	ipc_task_post(d->chan->ipc->loop, &q->settle);
	rmq_hold(q, -1);
	if (back)
		redis_wake_one(&q->waiters[IPC_IN]);
}

void rmq_settled(struct ipc_debt *debt)
{
	settle_end(debt, false);
}

void rmq_given_back(struct ipc_debt *debt)
{
	settle_end(debt, true);
}

void rmq_settle_init(struct rmq_chan *q)
{
	ipc_list_init(&q->settling);
	ipc_list_init(&q->soon);
	ipc_task_init(&q->settle, settle_task);
}

void rmq_settle_fini(struct rmq_chan *q)
{
	ipc_timer_stop(q->redis.chan.ipc->loop, &q->soon_timer);
	while (!ipc_list_empty(&q->soon))
		rmq_settle_next(ipc_container(q->soon.next, struct rmq_debt, link));
	ipc_task_cancel(&q->settle);
	while (!ipc_list_empty(&q->settling))
		free(ipc_container(ipc_list_pop(&q->settling), struct rmq_debt, link));
}

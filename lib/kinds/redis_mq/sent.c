/* What a reader waits for is sent to him. */
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "core/instance.h"
#include "mq.h"

REDIS_SCRIPT(mq_quit);

void rmq_stand(struct rmq_handle *r, unsigned take)
{
	rmq_hold(rmq_chan(r->h.chan), 1);
	r->standing = take;
	rmq_wait(r, IPC_IN);
}

void rmq_stand_end(struct rmq_handle *r)
{
	if (!r->standing)
		return;
	r->standing = 0;
	rmq_hold(rmq_chan(r->h.chan), -1);
}

static void quit(struct rmq_chan *q, const struct redis_holder *holder, unsigned take)
{
	const struct redis_arg args[2] = {redis_text(holder->text), redis_number(take)};

	redis_tell(&q->redis, &redis_script_mq_quit, args, 2, false, NULL);
}

void rmq_quit(struct rmq_handle *r)
{
	if (r->standing)
		quit(rmq_chan(r->h.chan), &r->holder, r->standing);
	rmq_stand_end(r);
}

void rmq_quit_take(const struct rmq_take *t)
{
	if (t->waits)
		quit(rmq_chan(t->chan), &t->holder, t->number);
	if (t->stood)
		quit(rmq_chan(t->chan), &t->holder, t->stood);
}

/* Without ack the server only is to know that it has come. False: out of memory. */
static bool receive(struct rmq_handle *r, const char *tag)
{
	struct rmq_debt *d = calloc(1, sizeof(*d));

	if (!d)
		return false;
	ipc_list_init(&d->link);
	ipc_list_init(&d->debt.link);
	memcpy(d->tag, tag, RMQ_TAG);
	d->chan = r->h.chan;
	d->holder = r->holder;
	rmq_settle_received(r);
	d->reader = r;
	r->received = d;
	rmq_settle_soon(d);
	return true;
}

void rmq_sent_to(struct rmq_handle *r, redisReply *reply)
{
	const char *tag = reply->element[1]->str + (r->h.owing ? RMQ_COUNT : 0);

	if (!redis_reader_wants(&r->h) || (!r->h.owing && !receive(r, tag))) {
		rmq_quit(r);
		redis_reply_free(reply);
		return;
	}
	rmq_stand_end(r);
	redis_wait_end(&r->waiter[IPC_IN]);
	rmq_arrived(r, reply);
	ipc_waitq_wake(&r->waitq);
}

/* As if a take had brought it; NULL: out of memory. */
static redisReply *reply_of(const struct redis_word *word, bool owes)
{
	size_t skip = owes ? 0 : RMQ_COUNT;
	redisReply number = {.type = REDIS_REPLY_INTEGER};
	redisReply message = {.type = REDIS_REPLY_STRING, .str = (char *)word->data + skip, .len = word->len - skip};
	redisReply *elements[] = {&number, &message};

	return redis_reply_copy(&(redisReply){.type = REDIS_REPLY_ARRAY, .elements = 2, .element = elements});
}

static bool is_of(const struct redis_holder *holder, const char *text)
{
	return strncmp(holder->text, text, REDIS_HOLDER) == 0;
}

/* Who is not found has asked again, or has quit: the server knows, or will. */
void rmq_sent(struct rmq_chan *q, const struct redis_word *word)
{
	const char *holder = word->text + 1;
	struct ipc_list *pos, *next;
	unsigned number;

	if (strlen(holder) <= REDIS_HOLDER || word->len < RMQ_COUNT + RMQ_TAG)
		return;
	number = (unsigned)strtoul(holder + REDIS_HOLDER, NULL, 10);
	ipc_list_each(pos, next, &q->waiters[IPC_IN].list) {
		struct rmq_handle *r = rmq_handle(ipc_container(pos, struct redis_waiter, link)->h);
		redisReply *reply;

		if (r->standing != number || !is_of(&r->holder, holder))
			continue;
		reply = reply_of(word, r->h.owing != NULL);
		if (reply)
			rmq_sent_to(r, reply);
		return;
	}
	ipc_list_each(pos, next, &q->takes) {
		struct rmq_take *t = ipc_container(pos, struct rmq_take, link);

		if (t->number != number || !is_of(&t->holder, holder))
			continue;
		redis_reply_free(t->early);
		t->early = reply_of(word, t->owes);
		return;
	}
}

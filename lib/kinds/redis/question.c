#include "question.h"
#include "node.h"

#include <errno.h>
#include <stdlib.h>

/* So long a call on a name waits for a server that is away. */
#define PATIENCE_NS INT64_C(10000000000)

static void question_free(struct ipc_question *question)
{
	struct redis_question *q = ipc_container(question, struct redis_question, question);

	redis_found_free(q->names);
	redis_reply_free(q->reply);
	redis_channel_fini(&q->channel);
	free(q);
}

struct redis_question *redis_question_find(const struct ipc *ipc, const void *about, const char *name)
{
	struct ipc_question *question = ipc_question_find(ipc, about, name);

	return question ? ipc_container(question, struct redis_question, question) : NULL;
}

int64_t redis_asked_at(const struct ipc *ipc, const struct ipc_ref *ref, const struct redis_script *script)
{
	const struct redis_question *q = redis_question_find(ipc, script, ref->base);

	return q ? q->asked : 0;
}

void redis_question_done(struct redis_call *call, int err, const redisReply *reply)
{
	struct redis_question *q = ipc_container(call, struct redis_question, call);

	q->result = err == -EHOSTDOWN && q->hurried ? -ETIMEDOUT : err;
	if (err == -EHOSTDOWN)
		redis_channel_unanswered(&q->channel, q->asked);
	/* The kind has ended before the link. */
	if (q->channel.link->closing)
		q->result = -ENOTCONN;
	else if (err < 0)
		snprintf(q->why, sizeof(q->why), "%s", redis_link_why(q->channel.link));
	else
		q->read(q, reply);
	if (!q->call.command)
		ipc_question_answered(&q->question);
}

struct redis_question *redis_question_new(struct redis_kind *k, const char *name,
					  void (*read)(struct redis_question *, const redisReply *))
{
	struct redis_question *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	if (redis_channel_init(&q->channel, k->link, k->kind->name, name) < 0) {
		free(q);
		return NULL;
	}
	q->question.free = question_free;
	q->kind = k;
	q->read = read;
	q->hurried = k->ipc->ask && k->ipc->ask->patience && k->ipc->ask->patience < PATIENCE_NS;
	q->call.patience = q->hurried ? k->ipc->ask->patience : PATIENCE_NS;
	q->changes = k->changes;
	q->asked = ipc_now();
	return q;
}

int redis_question_ask(struct redis_question *q, const void *about, const char *name, const struct redis_script *script,
		       const struct redis_arg *args, unsigned count)
{
	int r = ipc_question_add(q->kind->ipc, &q->question, about, name);

	if (r == IPC_ASKED && redis_call_start(&q->channel, &q->call, script, args, count, redis_question_done) < 0) {
		ipc_list_remove(&q->question.link);
		q->question.ask->pending--;
		r = -ENOMEM;
	}
	if (r != IPC_ASKED)
		question_free(&q->question);
	return r;
}

int redis_question_result(struct redis_question *q, const char *path)
{
	struct ipc *ipc = q->kind->ipc;

	if (!q->question.answered)
		return IPC_ASKED;
	if (q->result < 0 && q->why[0] && ipc->ask)
		ipc_refuse(ipc, &ipc->ask->cred, -q->result, path, "%s", q->why);
	q->why[0] = '\0';
	return q->result;
}

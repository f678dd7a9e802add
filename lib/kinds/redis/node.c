/* The calls on one server: node.h. */
#include "node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/instance.h"

/* A server that has not answered for so long is given up: it may hang where no packet comes through. */
#define SILENCE_NS INT64_C(15000000000)
/* Before a call that the server could not take now is sent again. */
#define STALL_NS INT64_C(100000000)

static void node_expired(struct ipc_timer *);

static struct redis_call *call_first(const struct ipc_list *calls)
{
	return ipc_list_empty(calls) ? NULL : ipc_container(calls->next, struct redis_call, link);
}

static void call_move(struct redis_call *call, struct ipc_list *to)
{
	ipc_list_remove(&call->link);
	ipc_list_append(to, &call->link);
}

/* All of `from` in its order before all of `to`. */
static void calls_prepend(struct ipc_list *from, struct ipc_list *to)
{
	while (!ipc_list_empty(from)) {
		struct ipc_list *last = from->prev;

		ipc_list_remove(last);
		ipc_list_append(to->next, last);
	}
}

/* --- sending --- */

static void node_script_loaded(redisAsyncContext *ac, void *answer, void *arg)
{
	const redisReply *reply = answer;
	struct redis_conn *c = ac->data;
	char why[256];

	(void)arg;
	if (!reply || reply->type != REDIS_REPLY_ERROR || c->ac != ac)
		return;
	snprintf(why, sizeof(why), "%s", reply->str);
	redis_conn_again(c, false, strncmp(reply->str, "NOPERM", 6) == 0 ? -EACCES : -EAGAIN, why);
}

static void node_load(struct redis_node *node)
{
	for (unsigned i = 0; redis_scripts[i]; i++)
		redisAsyncCommand(node->conn.ac, node_script_loaded, NULL, "SCRIPT LOAD %b", redis_scripts[i]->text,
				  redis_scripts[i]->len);
	node->loaded = true;
}

static void node_answered(redisAsyncContext *, void *answer, void *arg);

static bool node_send(struct redis_node *node, struct redis_call *call)
{
	struct redis_flight *flight = malloc(sizeof(*flight));

	if (!flight)
		return false;
	flight->call = call;
	if (call->asking)
		redisAsyncCommand(node->conn.ac, NULL, NULL, "ASKING");
	if (redisAsyncFormattedCommand(node->conn.ac, node_answered, flight, call->command, call->len) != REDIS_OK) {
		free(flight);
		return false;
	}
	call->flight = flight;
	call->since = ipc_now();
	call_move(call, &node->sent);
	return true;
}

static void node_pump(struct redis_node *node)
{
	struct redis_call *call;

	if (!node->conn.is_up)
		return;
	if (node->stalled) {
		if (call_first(&node->sent) || ipc_now() < node->stalled_until)
			return;
		calls_prepend(&node->again, &node->queued);
		node->stalled = false;
		node->loaded = false;
	}
	if (!node->loaded)
		node_load(node);
	while ((call = call_first(&node->queued)) && node->conn.ac && node_send(node, call))
		;
	if (!node->timer.slot && !(ipc_list_empty(&node->sent) && ipc_list_empty(&node->queued)))
		ipc_timer_start(node->owner->ipc->loop, &node->timer, ipc_now() + SILENCE_NS / 3, node_expired);
}

static void node_stall(struct redis_node *node, struct redis_call *call, int64_t pause)
{
	int64_t until = ipc_now() + pause;

	call_move(call, &node->again);
	redis_call_again(call);
	node->stalled = true;
	if (until > node->stalled_until)
		node->stalled_until = until;
	if (pause)
		ipc_timer_start(node->owner->ipc->loop, &node->timer, node->stalled_until, node_expired);
}

static void node_expired(struct ipc_timer *timer)
{
	struct redis_node *node = ipc_container(timer, struct redis_node, timer);
	const struct redis_call *oldest = call_first(&node->sent);

	if (oldest && ipc_now() - oldest->since > SILENCE_NS)
		redis_conn_again(&node->conn, true, -ETIMEDOUT, "the server was silent for 15 s");
	node_pump(node);
	if (!node->timer.slot && call_first(&node->sent))
		ipc_timer_start(node->owner->ipc->loop, &node->timer, ipc_now() + SILENCE_NS / 3, node_expired);
}

/* --- answers --- */

/* Before a stubborn call that was refused is sent again. */
#define REFUSALS_NS INT64_C(1000000000)

static void refusals_expired(struct ipc_timer *timer)
{
	struct redis_node *node = ipc_container(timer, struct redis_node, refusals_timer);

	while (!ipc_list_empty(&node->refusals)) {
		struct redis_call *call = ipc_container(ipc_list_pop(&node->refusals), struct redis_call, link);

		redis_node_put(redis_link_route(node->owner, call->channel->slot), call);
	}
}

static bool node_insists(struct redis_node *node, struct redis_call *call, int err)
{
	if (!call->stubborn || !(err == -EACCES || err == -ENOSPC || err == -EROFS))
		return false;
	call_move(call, &node->refusals);
	redis_call_again(call);
	return node->refusals_timer.slot || ipc_timer_start(node->owner->ipc->loop, &node->refusals_timer,
							    ipc_now() + REFUSALS_NS, refusals_expired) == 0;
}

static void node_failed(struct redis_node *node, struct redis_call *call, const redisReply *reply)
{
	struct redis_link *rl = node->owner;

	if (redis_error_is(reply, "NOSCRIPT")) {
		node_stall(node, call, 0);
	} else if (redis_cluster_redirected(node, call, reply)) {
		return;
	} else if (redis_error_passes(reply)) {
		node_stall(node, call, STALL_NS);
	} else if (redis_error_is(reply, "READONLY") && (rl->sentinel || rl->slots || rl->seed_count > 1)) {
		/* It was the primary, and is no more: it is asked for again. */
		call_move(call, &node->again);
		redis_call_again(call);
		redis_conn_again(&node->conn, false, -EROFS, reply->str);
	} else if (!node_insists(node, call, redis_error_number(reply))) {
		/* Where in which script is of no use to anybody but us. */
		const char *end = strstr(reply->str, " script: ");

		snprintf(rl->why, sizeof(rl->why), "the Redis at %s says: %.*s%s",
			 redis_place_text(&node->conn.place).text,
			 (int)(end ? end - reply->str : (ptrdiff_t)strlen(reply->str)), reply->str,
			 redis_error_is(reply, "WRONGTYPE")
				 ? " (somebody else has used a key that begins with our prefix)"
				 : "");
		redis_call_finish(call, redis_error_number(reply), NULL);
	}
}

/* --- replicas --- */

/* So long one WAIT lasts at most, in ms: it holds up what comes behind it. */
enum { WAIT_MS = 500 };

static void node_replicated(redisAsyncContext *, void *answer, void *arg);

/* The answer is kept until so many replicas have what it changed. False: out of memory. */
static bool node_replicate(struct redis_node *node, struct redis_call *call, const redisReply *reply)
{
	struct redis_flight *flight = malloc(sizeof(*flight));

	if (reply && !call->kept)
		call->kept = redis_reply_copy(reply);
	if (!flight || !call->kept ||
	    redisAsyncCommand(node->conn.ac, node_replicated, flight, "WAIT %d %d", node->owner->replicas, WAIT_MS) !=
		    REDIS_OK) {
		free(flight);
		return false;
	}
	flight->call = call;
	call->flight = flight;
	call->since = ipc_now();
	return true;
}

static void node_replicated(redisAsyncContext *ac, void *answer, void *arg)
{
	struct redis_flight *flight = arg;
	struct redis_call *call = flight->call;
	const redisReply *reply = answer;
	struct redis_node *node;

	(void)ac;
	free(flight);
	if (!call)
		return;
	call->flight = NULL;
	if (!reply)
		return;
	node = call->node;
	if (reply->type == REDIS_REPLY_ERROR) {
		node_failed(node, call, reply);
	} else if (reply->integer >= node->owner->replicas || !node_replicate(node, call, NULL)) {
		redisReply *kept = call->kept;

		call->kept = NULL;
		redis_call_finish(call, 0, kept);
		redis_reply_free(kept);
	}
}

static void node_answered(redisAsyncContext *ac, void *answer, void *arg)
{
	struct redis_flight *flight = arg;
	struct redis_call *call = flight->call;
	const redisReply *reply = answer;
	struct redis_node *node;

	redis_silence_answered(ac, reply);
	/* Without an answer the connection is going: down() does what is to be done. */
	if (!call || !reply) {
		if (call)
			call->flight = NULL;
		free(flight);
		return;
	}
	free(flight);
	call->flight = NULL;
	node = call->node;
	node->judge.heard = ipc_now();
	if (reply->type == REDIS_REPLY_ERROR)
		node_failed(node, call, reply);
	else if (!call->replicated || node->owner->replicas <= 0 || !node_replicate(node, call, reply))
		redis_call_finish(call, 0, reply);
	if (node->stalled)
		node_pump(node);
}

/* --- up and down --- */

static struct redis_node *node_of(struct redis_conn *c)
{
	return ipc_container(c, struct redis_node, conn);
}

static void node_up(struct redis_conn *c)
{
	struct redis_node *node = node_of(c);

	node->refused = 0;
	redis_silence_ends(node);
	redis_judge_met(node);
	node->stalled = node->loaded = false;
	calls_prepend(&node->again, &node->queued);
	if (node == ipc_container(node->owner->nodes.next, struct redis_node, link))
		redis_link_met(node->owner);
	if (node->conn.is_cluster)
		redis_cluster_ask(node);
	node_pump(node);
}

static void node_fail_queued(struct redis_node *node)
{
	struct ipc_list *pos, *next;
	struct ipc_list failing;

	ipc_list_init(&failing);
	ipc_list_each(pos, next, &node->queued) {
		if (node->refused == -EACCES && ipc_container(pos, struct redis_call, link)->stubborn)
			continue;
		ipc_list_remove(pos);
		ipc_list_append(&failing, pos);
	}
	while (call_first(&failing))
		redis_call_finish(call_first(&failing), node->refused, NULL);
}

static void node_task(struct ipc_task *task)
{
	struct redis_node *node = ipc_container(task, struct redis_node, task);

	if (node->refused)
		node_fail_queued(node);
}

static void node_down(struct redis_conn *c, bool was_up, int err, const char *why)
{
	struct redis_node *node = node_of(c);
	struct redis_link *rl = node->owner;
	struct ipc_list *pos, *next;

	redis_judge_lost(node, was_up);
	ipc_list_each(pos, next, &node->sent) {
		struct redis_call *call = ipc_container(pos, struct redis_call, link);

		if (call->flight)
			call->flight->call = NULL;
		call->flight = NULL;
		redis_call_again(call);
		redis_reply_free(call->kept);
		call->kept = NULL;
	}
	calls_prepend(&node->sent, &node->queued);
	calls_prepend(&node->again, &node->queued);
	snprintf(rl->why, sizeof(rl->why), "the Redis at %s: %s", redis_place_text(&c->place).text, why);
	node->refused = err == -EACCES || err == -EOPNOTSUPP ? err : 0;
	if (node->refused)
		ipc_task_post(rl->ipc->loop, &node->task);
	if (node == ipc_container(rl->nodes.next, struct redis_node, link)) {
		redis_link_lost(rl);
		return;
	}
	/* What another node of the cluster has now is for the first to say. */
	ipc_list_each(pos, next, &node->queued) {
		struct redis_call *call = ipc_container(pos, struct redis_call, link);

		if (rl->slots && rl->slots[call->channel->slot] == node)
			rl->slots[call->channel->slot] = NULL;
		ipc_list_remove(&call->link);
		redis_node_put(redis_link_route(rl, call->channel->slot), call);
	}
}

struct redis_node *redis_node_new(struct redis_link *rl, const struct redis_place *place)
{
	struct redis_node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->owner = rl;
	node->judge.heard = ipc_now();
	ipc_list_init(&node->queued);
	ipc_list_init(&node->sent);
	ipc_list_init(&node->again);
	ipc_list_init(&node->refusals);
	ipc_task_init(&node->task, node_task);
	node->conn.ipc = rl->ipc;
	node->conn.place = *place;
	node->conn.user = rl->user;
	node->conn.password = rl->password;
	node->conn.up = node_up;
	node->conn.down = node_down;
	if (ipc_list_empty(&rl->nodes))
		node->conn.again = redis_link_seek;
	node->conn.primary = rl->sentinel != NULL;
	ipc_list_append(&rl->nodes, &node->link);
	rl->node_count++;
	redis_conn_start(&node->conn);
	return node;
}

void redis_node_free(struct redis_node *node)
{
	ipc_list_remove(&node->link);
	node->owner->node_count--;
	redis_conn_stop(&node->conn);
	calls_prepend(&node->sent, &node->queued);
	calls_prepend(&node->again, &node->queued);
	calls_prepend(&node->refusals, &node->queued);
	node->refused = -ENOTCONN;
	node_fail_queued(node);
	ipc_timer_stop(node->owner->ipc->loop, &node->timer);
	ipc_timer_stop(node->owner->ipc->loop, &node->refusals_timer);
	ipc_task_cancel(&node->task);
	free(node);
}

void redis_node_put(struct redis_node *node, struct redis_call *call)
{
	call->node = node;
	ipc_list_append(&node->queued, &call->link);
	if (node->refused && !node->conn.is_up)
		ipc_task_post(node->owner->ipc->loop, &node->task);
	else if (!node->stalled)
		node_pump(node);
}

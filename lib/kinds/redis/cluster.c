/* Which node of a cluster has which slots: asked of the first node when it is there, and told by MOVED since. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/instance.h"
#include "node.h"

static void cluster_range(struct redis_link *rl, const redisReply *range, const struct redis_place *asked)
{
	int64_t from = redis_reply_number(redis_reply_at(range, 0), -1),
		to = redis_reply_number(redis_reply_at(range, 1), -1);
	const redisReply *primary = redis_reply_at(range, 2);
	const redisReply *host = redis_reply_at(primary, 0);
	struct redis_place place = *asked;
	struct redis_node *node;

	if (!host || from < 0 || to >= REDIS_SLOTS)
		return;
	if (host->type == REDIS_REPLY_STRING && host->len)
		snprintf(place.host, sizeof(place.host), "%.255s", host->str);
	place.port = (unsigned)redis_reply_number(redis_reply_at(primary, 1), 0);
	node = redis_link_node_at(rl, &place);
	for (; node && from <= to; from++)
		rl->slots[from] = node;
}

static void cluster_answered(redisAsyncContext *ac, void *answer, void *arg)
{
	const redisReply *reply = answer;
	struct redis_conn *c = ac->data;
	struct redis_link *rl = ipc_container(c, struct redis_node, conn)->owner;

	(void)arg;
	if (!reply || c->ac != ac || reply->type != REDIS_REPLY_ARRAY)
		return;
	if (!rl->slots)
		rl->slots = calloc(REDIS_SLOTS, sizeof(struct redis_node *));
	for (size_t i = 0; rl->slots && i < reply->elements; i++)
		cluster_range(rl, reply->element[i], &c->place);
}

void redis_cluster_ask(struct redis_node *node)
{
	redisAsyncCommand(node->conn.ac, cluster_answered, NULL, "CLUSTER SLOTS");
}

static int cluster_first(const struct redis_link *rl, const struct redis_node *node)
{
	for (int slot = 0; slot < REDIS_SLOTS; slot++)
		if (rl->slots[slot] == node)
			return slot;
	return -1;
}

int redis_cluster_next(const struct redis_link *rl, int slot)
{
	struct ipc_list *pos, *next;
	int best = -1;

	if (!rl->slots)
		return slot < 0 ? 0 : -1;
	ipc_list_each(pos, next, &rl->nodes) {
		int first = cluster_first(rl, ipc_container(pos, struct redis_node, link));

		if (first > slot && (best < 0 || first < best))
			best = first;
	}
	return best;
}

void redis_cluster_seek(const struct redis_link *rl, struct redis_place *place)
{
	struct ipc_list *pos, *next;
	unsigned at = 0, turn = rl->seed;

	/* Those that were given first, then those that we heard of. */
	if (turn % (rl->seed_count + rl->node_count) < rl->seed_count) {
		*place = rl->seeds[turn % (rl->seed_count + rl->node_count)];
		return;
	}
	turn = turn % (rl->seed_count + rl->node_count) - rl->seed_count;
	ipc_list_each(pos, next, &rl->nodes)
		if (at++ == turn)
			*place = ipc_container(pos, struct redis_node, link)->conn.place;
}

/* "MOVED SLOT HOST:PORT", "ASK SLOT HOST:PORT": whether it was so, and the call goes on elsewhere. */
bool redis_cluster_redirected(struct redis_node *node, struct redis_call *call, const redisReply *reply)
{
	struct redis_link *rl = node->owner;
	bool moved = redis_error_is(reply, "MOVED ");
	struct redis_node *to;
	struct redis_place place;
	char host[REDIS_HOST_MAX + 32];
	unsigned slot;
	char *colon;

	if (!moved && !redis_error_is(reply, "ASK "))
		return false;
	if (sscanf(reply->str, "%*s %u %280s", &slot, host) != 2 || slot >= REDIS_SLOTS)
		return false;
	/* The host may be a number of IPv6 without brackets, or empty: the one that we asked. */
	colon = strrchr(host, ':');
	if (!colon)
		return false;
	*colon = '\0';
	place = (struct redis_place){.port = (unsigned)atoi(colon + 1)};
	snprintf(place.host, sizeof(place.host), "%.255s", host[0] ? host : node->conn.place.host);
	to = redis_link_node_at(rl, &place);
	if (!to)
		return false;
	if (moved && !rl->slots)
		rl->slots = calloc(REDIS_SLOTS, sizeof(struct redis_node *));
	if (moved && rl->slots)
		rl->slots[slot] = to;
	call->asking = !moved;
	call->repeats++;
	ipc_list_remove(&call->link);
	redis_node_put(to, call);
	return true;
}

/* The names of a kind: the keys of their attributes, found by SCAN on each node that has some. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/instance.h"
#include "core/kind.h"
#include "core/listing.h"
#include "node.h"
#include "question.h"

REDIS_SCRIPT(name_list);

/* Names that one step tells. */
enum { STEP = 64 };

struct listing_name {
	struct ipc_tree_node node;
	char text[];
};

static struct listing_name *name_of(struct ipc_tree_node *node)
{
	return ipc_container(node, struct listing_name, node);
}

/* A key is PREFIX{KIND/NAME}:m. SCAN may tell of one more than once. */
static int listing_add(struct redis_question *q, const redisReply *key)
{
	size_t lead = strlen(q->kind->link->prefix) + strlen(q->kind->kind->name) + 2;
	struct listing_name *name;

	if (key->len < lead + 4 || key->len - lead - 3 > IPC_NAME_MAX)
		return 0;
	name = calloc(1, sizeof(*name) + key->len - lead - 2);
	if (!name)
		return -ENOMEM;
	memcpy(name->text, key->str + lead, key->len - lead - 3);
	name->node.name = name->text;
	if (!ipc_tree_add(q->names, &name->node))
		free(name);
	return 0;
}

static size_t listing_pattern(const struct redis_question *q, char *pattern, size_t size)
{
	size_t len = 0;

	for (const char *p = q->kind->link->prefix; *p && len + 2 < size; p++) {
		if (strchr("*?[]\\^-", *p))
			pattern[len++] = '\\';
		pattern[len++] = *p;
	}
	return len + (size_t)snprintf(pattern + len, size - len, "{%s/*}:m", q->kind->kind->name);
}

/* The call goes to the node of q->slot by a key that would be there. */
static int listing_aim(struct redis_question *q)
{
	const struct redis_link *rl = q->kind->link;
	struct redis_channel ch;

	for (int n = 0; rl->slots; n++) {
		char name[16];
		int r;

		snprintf(name, sizeof(name), "%d", n);
		r = redis_channel_init(&ch, q->kind->link, q->kind->kind->name, name);
		if (r < 0)
			return r;
		if (rl->slots[ch.slot] == rl->slots[q->slot] || n > REDIS_SLOTS) {
			q->channel.slot = ch.slot;
			free(q->channel.key);
			q->channel.key = strdup(ch.key);
			redis_channel_fini(&ch);
			break;
		}
		redis_channel_fini(&ch);
	}
	return q->channel.key ? 0 : -ENOMEM;
}

static int listing_go_on(struct redis_question *q, const char *cursor)
{
	char pattern[1024];
	struct redis_arg args[2] = {redis_text(cursor),
				    {.data = pattern, .len = listing_pattern(q, pattern, sizeof(pattern))}};

	return redis_call_start(&q->channel, &q->call, &redis_script_name_list, args, 2, redis_question_done);
}

static void listing_read(struct redis_question *q, const redisReply *reply)
{
	const redisReply *cursor = redis_reply_at(reply, 0);

	for (size_t i = 1; i < reply->elements && q->result == 0; i++)
		q->result = listing_add(q, reply->element[i]);
	if (q->result < 0 || !cursor)
		return;
	if (strcmp(cursor->str, "0") != 0) {
		q->result = listing_go_on(q, cursor->str);
		return;
	}
	q->slot = redis_cluster_next(q->kind->link, q->slot);
	if (q->slot >= 0 && (q->result = listing_aim(q)) == 0)
		q->result = listing_go_on(q, "0");
}

static int listing_ask(struct ipc_listing *l)
{
	struct redis_question *q = redis_question_new(redis_kind(l->ipc, l->kind), "", listing_read);
	char pattern[1024];
	struct redis_arg args[2] = {redis_text("0"), {.data = pattern}};
	int r;

	if (!q)
		return -ENOMEM;
	q->names = calloc(1, sizeof(*q->names));
	if (q->names)
		ipc_tree_init(q->names);
	q->slot = redis_cluster_next(q->kind->link, -1);
	args[1].len = listing_pattern(q, pattern, sizeof(pattern));
	r = q->names ? listing_aim(q) : -ENOMEM;
	if (r == 0)
		return redis_question_ask(q, l->kind, "", &redis_script_name_list, args, 2);
	q->question.free(&q->question);
	return r;
}

/* As they are told they go: to free all of a long list at once takes its time. */
int redis_each_name(struct ipc_listing *l)
{
	struct redis_question *q = l->names ? NULL : redis_question_find(l->ipc, l->kind, "");
	struct ipc_tree_node *node = NULL;
	int r;

	if (!l->names && !q)
		return listing_ask(l);
	r = q ? redis_question_result(q, l->kind->name) : 0;
	if (r < 0)
		return r;
	if (q) {
		l->names = q->names;
		q->names = NULL;
	}
	for (unsigned i = 0; i < STEP && (node = ipc_tree_next(l->names, NULL)); i++) {
		ipc_listing_tell(l, node->name, S_IFREG);
		ipc_tree_remove(l->names, node);
		free(name_of(node));
	}
	return node != NULL;
}

void redis_found_free(void *names)
{
	struct ipc_tree *tree = names;

	while (tree && tree->root) {
		struct ipc_tree_node *node = tree->root;

		ipc_tree_remove(tree, node);
		free(name_of(node));
	}
	free(tree);
}

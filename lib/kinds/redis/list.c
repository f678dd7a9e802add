/* The names of a kind: the keys of their attributes, found by SCAN on each node that has some. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/instance.h"
#include "node.h"
#include "question.h"

REDIS_SCRIPT(name_list);

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A key is PREFIX{KIND/NAME}:m. */
static int list_add(struct redis_question *q, const redisReply *key)
{
	size_t lead = strlen(q->kind->link->prefix) + strlen(q->kind->kind->name) + 2;
	char **grown;

	if (key->len < lead + 4 || key->len - lead - 3 > IPC_NAME_MAX)
		return 0;
	if (q->count == q->room) {
		grown = realloc(q->names, (q->room * 2 + 64) * sizeof(char *));
		if (!grown)
			return -ENOMEM;
		q->names = grown;
		q->room = q->room * 2 + 64;
	}
	q->names[q->count] = strndup(key->str + lead, key->len - lead - 3);
	return q->names[q->count] ? (q->count++, 0) : -ENOMEM;
}

static size_t list_pattern(const struct redis_question *q, char *pattern, size_t size)
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
static int list_aim(struct redis_question *q)
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
			q->channel.key_len = ch.key_len;
			redis_channel_fini(&ch);
			break;
		}
		redis_channel_fini(&ch);
	}
	return q->channel.key ? 0 : -ENOMEM;
}

static int list_go_on(struct redis_question *q, const char *cursor)
{
	char pattern[1024];
	struct redis_arg args[2] = {redis_text(cursor),
				    {.data = pattern, .len = list_pattern(q, pattern, sizeof(pattern))}};

	return redis_call_start(&q->channel, &q->call, &redis_script_name_list, args, 2, redis_question_done);
}

static void list_read(struct redis_question *q, const redisReply *reply)
{
	const redisReply *cursor = redis_reply_at(reply, 0);

	for (size_t i = 1; i < reply->elements && q->result == 0; i++)
		q->result = list_add(q, reply->element[i]);
	if (q->result < 0 || !cursor)
		return;
	if (strcmp(cursor->str, "0") != 0) {
		q->result = list_go_on(q, cursor->str);
		return;
	}
	q->slot = redis_cluster_next(q->kind->link, q->slot);
	if (q->slot < 0) {
		if (q->count)
			qsort(q->names, q->count, sizeof(char *), by_name);
	} else if ((q->result = list_aim(q)) == 0) {
		q->result = list_go_on(q, "0");
	}
}

int redis_each_name(struct ipc *ipc, const struct ipc_kind *kind, void (*emit)(void *, const char *, mode_t), void *arg)
{
	struct redis_question *q = redis_question_find(ipc, kind, "");
	char pattern[1024];
	struct redis_arg args[2] = {redis_text("0"), {.data = pattern}};
	int r;

	if (q) {
		r = redis_question_result(q, kind->name);
		for (size_t i = 0; r == 0 && i < q->count; i++)
			if (!i || strcmp(q->names[i], q->names[i - 1]) != 0)
				emit(arg, q->names[i], S_IFREG);
		return r;
	}
	q = redis_question_new(redis_kind(ipc, kind), "", list_read);
	if (!q)
		return -ENOMEM;
	q->slot = redis_cluster_next(q->kind->link, -1);
	args[1].len = list_pattern(q, pattern, sizeof(pattern));
	r = list_aim(q);
	return r < 0 ? r : redis_question_ask(q, kind, "", &redis_script_name_list, args, 2);
}

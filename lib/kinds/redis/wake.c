/* Wake-ups: what scripts publish, on a connection of its own. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/instance.h"
#include "node.h"

struct redis_wake {
	struct redis_conn conn;
	struct redis_link *owner;
	unsigned subscribed;
};

enum { TOPICS = 2 };

static struct redis_wake *wake_of(struct redis_conn *c)
{
	return ipc_container(c, struct redis_wake, conn);
}

/* kind NULL: everybody. */
static void wake_tell(struct redis_link *rl, const char *kind, const char *name, const struct redis_word *what)
{
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &rl->listeners) {
		struct redis_listener *listener = ipc_container(pos, struct redis_listener, link);

		if (!kind || strcmp(kind, listener->kind) == 0)
			listener->woken(listener, name, what);
	}
}

void redis_wake_kinds(struct redis_link *rl)
{
	wake_tell(rl, NULL, NULL, NULL);
}

/* "KIND WHAT NAME", and perhaps data behind a \0. */
static void wake_message(struct redis_link *rl, const char *text, size_t len)
{
	char kind[IPC_KIND_NAME_MAX + 1], text_of_what[32];
	struct redis_word what = {.text = text_of_what};
	size_t end = strlen(text);
	int at = 0;

	if (sscanf(text, "%7s %31s%n", kind, text_of_what, &at) != 2 || text[at] != ' ')
		return;
	if (end < len) {
		what.data = text + end + 1;
		what.len = len - end - 1;
	}
	wake_tell(rl, kind, text + at + 1, &what);
}

static void wake_heard(redisAsyncContext *ac, void *answer, void *arg)
{
	const redisReply *reply = answer;
	struct redis_wake *w = wake_of(ac->data);

	(void)arg;
	if (!reply || w->conn.ac != ac || reply->type != REDIS_REPLY_ARRAY || reply->elements != 3)
		return;
	if (strcmp(reply->element[0]->str, "message") == 0) {
		wake_message(w->owner, reply->element[2]->str, reply->element[2]->len);
	} else if (++w->subscribed == TOPICS) {
		w->owner->heard_since = ipc_now();
		wake_tell(w->owner, NULL, NULL, NULL);
	}
}

static void wake_up(struct redis_conn *c)
{
	struct redis_link *rl = wake_of(c)->owner;

	wake_of(c)->subscribed = 0;
	redisAsyncCommand(c->ac, wake_heard, NULL, "SUBSCRIBE %sd:%s", rl->prefix, rl->id);
	redisAsyncCommand(c->ac, wake_heard, NULL, "SUBSCRIBE %snames", rl->prefix);
}

/* Nobody can tell us that something has changed: what is remembered of names is to be asked for again. */
static void wake_down(struct redis_conn *c, bool was_up, int err, const char *why)
{
	struct redis_link *rl = wake_of(c)->owner;

	(void)err;
	(void)why;
	rl->heard_since = 0;
	if (was_up)
		wake_tell(rl, NULL, NULL, NULL);
}

static void wake_seek(struct redis_conn *c)
{
	c->place = ipc_container(wake_of(c)->owner->nodes.next, struct redis_node, link)->conn.place;
}

struct redis_wake *redis_wake_new(struct redis_link *rl)
{
	struct redis_wake *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->owner = rl;
	w->conn.ipc = rl->ipc;
	w->conn.user = rl->user;
	w->conn.password = rl->password;
	w->conn.up = wake_up;
	w->conn.down = wake_down;
	w->conn.again = wake_seek;
	redis_conn_start(&w->conn);
	return w;
}

void redis_wake_move(struct redis_wake *w, const struct redis_place *place)
{
	if (!redis_place_is(&w->conn.place, place) || !w->conn.is_up)
		redis_conn_again(&w->conn, true, -ECONNRESET, "");
}

void redis_wake_free(struct redis_wake *w)
{
	redis_conn_stop(&w->conn);
	free(w);
}

void redis_listen(struct redis_link *rl, struct redis_listener *listener)
{
	ipc_list_append(&rl->listeners, &listener->link);
}

void redis_listen_end(struct redis_listener *listener)
{
	ipc_list_remove(&listener->link);
}

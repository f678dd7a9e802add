/* What a name is in a Redis: names.h. */
#include "names.h"
#include "question.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/ask.h"
#include "core/chan.h"
#include "core/instance.h"
#include "core/ref.h"
#include "handle.h"
#include "node.h"

REDIS_SCRIPT(name_stat);
REDIS_SCRIPT(name_create);
REDIS_SCRIPT(name_set);
REDIS_SCRIPT(name_remove);

enum { ARGS_MAX = 16 };

/* --- what is remembered --- */

static void name_forget(struct ipc_chan *chan, void *arg)
{
	struct redis_chan *rc = redis_chan(chan);
	const struct redis_kind *k = arg;

	rc->known = false;
	if (rc->open && k->woken)
		k->woken(rc, NULL);
}

static void kind_woken(struct redis_listener *listener, const char *name, const struct redis_word *what)
{
	struct redis_kind *k = ipc_container(listener, struct redis_kind, listener);
	struct ipc_chan *chan;

	if (!name) {
		k->changes++;
		ipc_chan_each(k->ipc, k->kind, name_forget, k);
		return;
	}
	chan = ipc_chan_find(k->ipc, k->kind, name);
	if (strcmp(what->text, "n") == 0) {
		k->changes++;
		if (chan)
			redis_chan(chan)->known = false;
	}
	if (chan && redis_chan(chan)->open && k->woken)
		k->woken(redis_chan(chan), what);
}

static bool name_is_fresh(const struct redis_kind *k, const struct redis_chan *rc)
{
	int64_t heard = redis_link_heard_since(k->link);

	return rc->known && heard && rc->asked > heard;
}

int redis_kind_start(struct ipc *ipc, const struct ipc_kind *kind, const char *const *fields, const char *keys,
		     void (*woken)(struct redis_chan *, const struct redis_word *what))
{
	struct redis_kind *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	*ipc_kind_data(ipc, kind) = k;
	k->ipc = ipc;
	k->kind = kind;
	k->fields = fields;
	k->keys = keys;
	k->woken = woken;
	k->link = redis_link_open(ipc);
	if (!k->link)
		return -errno;
	k->listener.kind = kind->name;
	k->listener.woken = kind_woken;
	redis_listen(k->link, &k->listener);
	return 0;
}

void redis_kind_stop(struct ipc *ipc, const struct ipc_kind *kind)
{
	struct redis_kind *k = redis_kind(ipc, kind);

	if (k && k->link) {
		redis_listen_end(&k->listener);
		redis_link_close(k->link);
	}
	free(k);
}

/* --- attributes --- */

static void attr_take(struct redis_chan *rc, const struct redis_kind *k, const char *field, const redisReply *value)
{
	int64_t n = redis_reply_number(value, 0);

	if (strcmp(field, "id") == 0)
		snprintf(rc->id, sizeof(rc->id), "%s", value->str);
	else if (strcmp(field, "uid") == 0)
		rc->st.st_uid = (uid_t)n;
	else if (strcmp(field, "gid") == 0)
		rc->st.st_gid = (gid_t)n;
	else if (strcmp(field, "mode") == 0)
		rc->st.st_mode = S_IFREG | ((mode_t)n & 07777);
	else if (strcmp(field, "time") == 0)
		rc->st.st_mtim.tv_sec = rc->st.st_atim.tv_sec = rc->st.st_ctim.tv_sec = n;
	for (unsigned i = 0; k->fields && k->fields[i]; i++)
		if (strcmp(field, k->fields[i]) == 0)
			rc->field[i] = n;
}

static ino_t id_ino(const char *id)
{
	return ipc_kind_ino((ino_t)strtoull(id, NULL, 16));
}

/*
 * {field, value, ...} from the element `from` on: what is remembered of the name now. Returns the object's number; 0:
 * there is none.
 */
static ino_t attr_read(const struct redis_question *q, const redisReply *reply, size_t from)
{
	const struct redis_kind *k = q->kind;
	const redisReply *id = NULL;
	struct ipc_chan *chan;
	struct redis_chan *rc;

	for (size_t i = from; i + 1 < reply->elements; i += 2)
		if (strcmp(reply->element[i]->str, "id") == 0)
			id = reply->element[i + 1];
	if (!id)
		return 0;
	chan = ipc_chan_get(k->ipc, k->kind, q->question.name, id_ino(id->str));
	if (!chan)
		return 0;
	rc = redis_chan(chan);
	for (size_t i = from; i + 1 < reply->elements; i += 2)
		attr_take(rc, k, reply->element[i]->str, reply->element[i + 1]);
	rc->st.st_ino = chan->st.st_ino;
	rc->st.st_nlink = 1;
	rc->known = q->changes == k->changes;
	rc->asked = q->asked;
	return chan->st.st_ino;
}

static void stat_read(struct redis_question *q, const redisReply *reply)
{
	q->ino = attr_read(q, reply, 0);
	q->result = q->ino ? 0 : -ENOENT;
}

int redis_stat(struct ipc *ipc, const struct ipc_ref *ref, struct stat *st)
{
	struct redis_kind *k = redis_kind(ipc, ref->kind);
	struct ipc_chan *chan = ipc_chan_find(ipc, ref->kind, ref->base);
	struct redis_question *q, *made;
	int r;

	/* Fresh, or told to this caller when he asked, or what he has just removed; or he cannot ask. */
	q = redis_question_find(ipc, &redis_script_name_stat, ref->base);
	made = redis_question_find(ipc, &redis_script_name_create, ref->base);
	if (chan && redis_chan(chan)->st.st_ino &&
	    (name_is_fresh(k, redis_chan(chan)) || !ipc->ask ||
	     redis_question_find(ipc, &redis_script_name_remove, ref->base) ||
	     (q && q->question.answered && q->ino == chan->st.st_ino) ||
	     (made && made->question.answered && made->ino == chan->st.st_ino))) {
		*st = redis_chan(chan)->st;
		return 0;
	}
	if (q) {
		r = redis_question_result(q, ipc_ref_path(ref).text);
		return r == 0 ? -ENOENT : r;
	}
	q = redis_question_new(k, ref->base, stat_read);
	return q ? redis_question_ask(q, &redis_script_name_stat, ref->base, &redis_script_name_stat, NULL, 0)
		 : -ENOMEM;
}

/* --- making and changing --- */

static void create_read(struct redis_question *q, const redisReply *reply)
{
	const redisReply *made = redis_reply_at(reply, 0);

	q->ino = attr_read(q, reply, 1);
	q->result = made && redis_reply_number(made, 0) == 1 ? 0 : -EEXIST;
}

int redis_create(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, mode_t mode,
		 const int64_t *field)
{
	struct redis_kind *k = redis_kind(ipc, ref->kind);
	struct redis_question *q = redis_question_find(ipc, &redis_script_name_create, ref->base), *looked;
	struct redis_arg args[ARGS_MAX];
	unsigned n = 0;
	char id[REDIS_ID];

	if (q)
		return redis_question_result(q, ipc_ref_path(ref).text);
	redis_id_new(id);
	q = redis_question_new(k, ref->base, create_read);
	if (!q)
		return -ENOMEM;
	/* What was found missing is asked for again. */
	looked = redis_question_find(ipc, &redis_script_name_stat, ref->base);
	if (looked && looked->question.answered)
		looked->question.name[0] = '\0';
	args[n++] = redis_text(id);
	args[n++] = redis_text("uid");
	args[n++] = redis_number(cred->uid);
	args[n++] = redis_text("gid");
	args[n++] = redis_number(cred->gid);
	args[n++] = redis_text("mode");
	args[n++] = redis_number(mode & 07777);
	args[n++] = redis_text("time");
	args[n++] = redis_number(time(NULL));
	for (unsigned i = 0; k->fields && k->fields[i]; i++) {
		args[n++] = redis_text(k->fields[i]);
		args[n++] = redis_number(field[i]);
	}
	return redis_question_ask(q, &redis_script_name_create, ref->base, &redis_script_name_create, args, n);
}

/* The remembered object that ref means: 0, IPC_ASKED or -errno. */
static int name_object(struct ipc *ipc, const struct ipc_ref *ref, struct redis_chan **out)
{
	struct stat st = {0};
	int r = redis_stat(ipc, ref, &st);
	struct ipc_chan *chan = r == 0 ? ipc_chan_find(ipc, ref->kind, ref->base) : NULL;

	if (r < 0)
		return r;
	if (!chan || !ipc_ref_means(ref, st.st_ino))
		return -ESTALE;
	*out = redis_chan(chan);
	return 0;
}

/* The object is not there any more, though nobody may have told us. */
static bool name_gone(struct redis_question *q, const redisReply *reply)
{
	struct ipc_chan *chan = ipc_chan_find(q->kind->ipc, q->kind->kind, q->question.name);

	if (!redis_reply_is_gone(reply))
		return false;
	if (chan)
		redis_chan(chan)->known = false;
	q->result = -ENOENT;
	return true;
}

static void change_read(struct redis_question *q, const redisReply *reply)
{
	if (!name_gone(q, reply))
		q->ino = attr_read(q, reply, 0);
}

static void remove_read(struct redis_question *q, const redisReply *reply)
{
	/* Sent twice, it may have been us. */
	q->result = redis_reply_is_gone(reply) && !q->call.repeats ? -ENOENT : 0;
}

/* A change to the object that ref means, by a script that is told its id. */
static int name_change(struct ipc *ipc, const struct ipc_ref *ref, const struct redis_script *script,
		       const struct redis_arg *args, unsigned count,
		       void (*read)(struct redis_question *, const redisReply *))
{
	struct redis_question *q = redis_question_find(ipc, script, ref->base);
	struct redis_chan *rc;
	int r;

	if (q)
		return redis_question_result(q, ipc_ref_path(ref).text);
	r = name_object(ipc, ref, &rc);
	if (r < 0)
		return r;
	q = redis_question_new(redis_kind(ipc, ref->kind), ref->base, read);
	if (!q)
		return -ENOMEM;
	snprintf(q->channel.id, sizeof(q->channel.id), "%s", rc->id);
	return redis_question_ask(q, script, ref->base, script, args, count);
}

int redis_unlink(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref)
{
	struct redis_kind *k = redis_kind(ipc, ref->kind);
	struct redis_arg keys = redis_text(k->keys ? k->keys : "");
	struct redis_chan *rc;
	int r;

	if (redis_question_find(ipc, &redis_script_name_remove, ref->base))
		return name_change(ipc, ref, &redis_script_name_remove, &keys, 1, remove_read);
	r = name_object(ipc, ref, &rc);
	if (r < 0)
		return r == -ESTALE ? -ENOENT : r;
	if (cred->uid != rc->st.st_uid && !ipc_may_override(cred))
		return ipc_refuse(ipc, cred, EPERM, ipc_ref_path(ref).text, "user %u made it, and only he removes it",
				  (unsigned)rc->st.st_uid);
	return name_change(ipc, ref, &redis_script_name_remove, &keys, 1, remove_read);
}

int redis_chattr(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_handle *h, const struct stat *st, unsigned set)
{
	struct redis_arg args[8];
	unsigned n = 0;

	(void)h;
	if ((set & IPC_SET_SIZE) && st->st_size != 0)
		return -EINVAL;
	if (set & IPC_SET_MODE) {
		args[n++] = redis_text("mode");
		args[n++] = redis_number(st->st_mode & 07777);
	}
	if ((set & IPC_SET_OWNER) && st->st_uid != (uid_t)-1) {
		args[n++] = redis_text("uid");
		args[n++] = redis_number(st->st_uid);
	}
	if ((set & IPC_SET_OWNER) && st->st_gid != (gid_t)-1) {
		args[n++] = redis_text("gid");
		args[n++] = redis_number(st->st_gid);
	}
	if ((set & IPC_SET_TIMES) && st->st_mtim.tv_nsec != UTIME_OMIT) {
		args[n++] = redis_text("time");
		args[n++] = redis_number(st->st_mtim.tv_nsec == UTIME_NOW ? time(NULL) : st->st_mtim.tv_sec);
	}
	return n ? name_change(ipc, ref, &redis_script_name_set, args, n, change_read) : 0;
}

int redis_set_field(struct ipc *ipc, const struct ipc_ref *ref, unsigned field, int64_t value)
{
	const struct redis_kind *k = redis_kind(ipc, ref->kind);
	struct redis_arg args[2] = {redis_text(k->fields[field]), redis_number(value)};

	return name_change(ipc, ref, &redis_script_name_set, args, 2, change_read);
}

/* --- opening --- */

int redis_chan_open(struct ipc *ipc, const struct ipc_ref *ref, ino_t ino, struct redis_chan **out)
{
	struct redis_kind *k = redis_kind(ipc, ref->kind);
	struct stat st = {0};
	int r = redis_stat(ipc, ref, &st);
	struct redis_chan *rc;

	if (r == -ENOENT || (r == 0 && ino && st.st_ino != ino))
		return -ESTALE;
	if (r < 0)
		return r;
	rc = redis_chan(ipc_chan_find(ipc, ref->kind, ref->base));
	if (!rc->open) {
		r = redis_channel_init(&rc->channel, k->link, k->kind->name, ref->base);
		if (r < 0)
			return r;
		memcpy(rc->channel.id, rc->id, sizeof(rc->id));
		rc->open = true;
	}
	*out = rc;
	return 0;
}

/* What the mode allows the VFS has seen to. */
int redis_may_read(struct ipc *ipc, const struct ipc_ref *ref, ino_t ino)
{
	struct redis_chan *rc;

	return redis_chan_open(ipc, ref, ino, &rc);
}

void redis_chan_free(struct ipc_chan *chan)
{
	if (redis_chan(chan)->open)
		redis_channel_fini(&redis_chan(chan)->channel);
}

/* --- texts --- */

static void answer_read(struct redis_question *q, const redisReply *reply)
{
	if (!name_gone(q, reply) && !(q->reply = redis_reply_copy(reply)))
		q->result = -ENOMEM;
}

int redis_ask(struct ipc *ipc, const struct ipc_ref *ref, const struct redis_script *script,
	      const struct redis_arg *args, unsigned count, void (*done)(void *arg, const redisReply *), void *arg)
{
	struct redis_question *q = redis_question_find(ipc, script, ref->base);
	int r = name_change(ipc, ref, script, args, count, answer_read);

	if (r == 0 && q)
		done(arg, q->reply);
	return r;
}

/* What scenarios do with channels: scarcity.h. */
#include "scarcity.h"
#include "names.h"

#include <poll.h>
#include <stdio.h>

#define PATIENCE INT64_C(10000000000)

struct ipc_ref scarce_ref(const struct ipc_kind *kind, const char *name)
{
	struct ipc_ref ref;

	lean_ok(ipc_resolve(ipc, &me, kind, name, &ref));
	return ref;
}

void scarce_create(const struct ipc_kind *kind, const char *name)
{
	struct ipc_ref ref = scarce_ref(kind, name);

	lean_ok(ipc_create(ipc, &me, &ref, S_IFREG | 0600));
}

void scarce_unlink(const struct ipc_kind *kind, const char *name)
{
	struct ipc_ref ref = scarce_ref(kind, name);

	lean_ok(ipc_unlink(ipc, &me, &ref));
}

struct file scarce_open(const struct ipc_kind *kind, const char *name, int flags)
{
	struct opening o;

	opening_start(&o, kind, name, flags);
	return opening_end(&o);
}

static void opening_try(struct opening *o)
{
	struct ipc_ref ref = scarce_ref(o->kind, o->name);
	struct stat st;

	o->file.at = 0;
	lean_ok(ipc_stat(ipc, &me, &ref, &st));
	lean_ok(ipc_handle_new(ipc, &me, &ref, o->flags, st.st_ino, &o->file.h));
	call_start(&o->call, &o->file, IPC_OPEN, NULL, 0);
}

/* What failed for want of means has failed for good: another try is another open(2). */
static void opening_retry(struct opening *o)
{
	if (!o->call.u.done || !scarce_is_to_blame(o->call.u.result))
		return;
	scarce_spare(true);
	scarce_close(&o->file);
	opening_try(o);
	scarce_spare(false);
}

void opening_start(struct opening *o, const struct ipc_kind *kind, const char *name, int flags)
{
	o->kind = kind;
	o->name = name;
	o->flags = flags;
	opening_try(o);
	opening_retry(o);
}

struct file opening_end(struct opening *o)
{
	call_end(&o->call);
	opening_retry(o);
	scarce_spare(true);
	call_end(&o->call);
	scarce_spare(false);
	cr_assert_eq(o->call.u.result, 0, "%s: %s; %s", o->name, strerror((int)-o->call.u.result), scarce_where());
	return o->file;
}

void scarce_close(struct file *f)
{
	scarce_begin();
	ipc_close(f->h);
	scarce_end(0);
}

/* Leaves the shortage; an operation that failed by it begins again. */
static void call_leave(struct scarce_call *c)
{
	if (scarce_end(c->u.done ? c->u.result : 0) && c->u.op.type != IPC_OPEN)
		u_submit(&c->u);
}

void call_start(struct scarce_call *c, struct file *f, enum ipc_op_type type, const char *data, size_t size)
{
	c->file = f;
	u_prepare(&c->u, f->h, type, NULL);
	c->u.op.cred = me;
	c->u.op.data = data;
	c->u.op.size = size;
	c->u.op.offset = f->at;
	cr_assert(type != IPC_READ || size <= sizeof(c->u.text));
	scarce_begin();
	u_submit(&c->u);
	call_leave(c);
}

/* A task can end what is waited for before the loop sleeps, so it must not sleep for long. */
static void turn(void)
{
	cr_assert_eq(ipc_loop_turn(loop, 1), 0);
}

ssize_t call_end(struct scarce_call *c)
{
	int64_t end = ipc_now() + PATIENCE;

	while (!c->u.done) {
		cr_assert_lt(ipc_now(), end, "an operation hangs %s", scarce_where());
		scarce_begin();
		turn();
		call_leave(c);
	}
	if (c->u.op.type == IPC_READ && c->u.result > 0)
		c->file->at += c->u.result;
	return c->u.result;
}

ssize_t call_interrupt(struct scarce_call *c)
{
	scarce_begin();
	if (!c->u.done)
		ipc_interrupt(&c->u.op);
	scarce_end(0);
	return call_end(c);
}

ssize_t put(struct file *f, const char *text)
{
	struct scarce_call c;

	call_start(&c, f, IPC_WRITE, text, strlen(text));
	return call_end(&c);
}

void put_all(struct file *f, const char *text)
{
	while (*text) {
		ssize_t n = put(f, text);

		cr_assert_gt(n, 0, "a write: %s; %s", strerror((int)-n), scarce_where());
		text += n;
	}
}

void get(struct file *f, const char *expected, size_t size)
{
	struct scarce_call c;
	ssize_t n;

	call_start(&c, f, IPC_READ, NULL, size);
	n = call_end(&c);
	cr_assert(n == (ssize_t)strlen(expected) && memcmp(c.u.text, expected, (size_t)n) == 0,
		  "read %zd '%.*s', not '%s'; %s", n, n > 0 ? (int)n : 0, c.u.text, expected, scarce_where());
}

ssize_t try_get(struct file *f)
{
	struct u_call c;

	u_prepare(&c, f->h, IPC_READ, NULL);
	c.op.cred = me;
	c.op.size = 64;
	c.op.nonblock = true;
	c.op.offset = f->at;
	ipc_list_init(&c.op.link);
	return lean(ipc_submit(&c.op));
}

static void note_ready(void *arg)
{
	*(bool *)arg = true;
}

void await_events(struct file *f, unsigned events)
{
	int64_t end = ipc_now() + PATIENCE;
	bool ready = false;

	ipc_handle_on_ready(f->h, note_ready, &ready);
	for (;;) {
		unsigned has;

		scarce_begin();
		has = ipc_poll(f->h, true);
		scarce_end(0);
		if (has & events)
			break;
		cr_assert_lt(ipc_now(), end, "poll says %x and never %x; %s", has, events, scarce_where());
		/* An error by shortage is seen again at the next poll. */
		for (ready = has & POLLERR; !ready && ipc_now() < end;) {
			scarce_begin();
			turn();
			scarce_end(0);
		}
	}
	ipc_handle_on_ready(f->h, NULL, NULL);
}

void ctl_has(const struct ipc_kind *kind, const char *name, const char *text)
{
	char at[64], all[4096];
	struct file f;
	size_t len = 0;

	snprintf(at, sizeof(at), "%s@ctl", name);
	f = scarce_open(kind, at, O_RDONLY);
	for (;;) {
		struct scarce_call c;
		ssize_t n;

		call_start(&c, &f, IPC_READ, NULL, sizeof(c.u.text));
		n = call_end(&c);
		cr_assert_geq(n, 0, "%s: %s; %s", at, strerror((int)-n), scarce_where());
		if (n == 0)
			break;
		cr_assert_lt(len + (size_t)n, sizeof(all));
		memcpy(all + len, c.u.text, (size_t)n);
		len += (size_t)n;
	}
	all[len] = '\0';
	cr_assert(strstr(all, text), "no %s in '%s'; %s", text, all, scarce_where());
	scarce_close(&f);
}

void ctl_set(const struct ipc_kind *kind, const char *name, const char *line)
{
	char at[64];
	struct file f;

	snprintf(at, sizeof(at), "%s@ctl", name);
	f = scarce_open(kind, at, O_WRONLY);
	put_all(&f, line);
	scarce_close(&f);
}

struct search {
	const char *name;
	bool found;
};

static void search_emit(void *arg, const char *name, mode_t type)
{
	struct search *s = arg;

	(void)type;
	s->found |= strcmp(name, s->name) == 0;
}

bool listed(const struct ipc_kind *kind, const char *name)
{
	struct search s = {name, false};

	lean_ok(u_each_name(ipc, &me, kind, NULL, search_emit, &s));
	return s.found;
}

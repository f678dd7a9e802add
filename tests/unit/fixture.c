#include "fixture.h"

#include "cleaner.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct ipc_loop *u_loop;
struct ipc *u_ipc;
char u_prefix[32];
const char *u_mountpoint;
const struct ipc_kind *const *u_kinds = ipc_kinds;

static const struct ipc_kind *kind;

bool u_start(void)
{
	struct ipc_options options = {.prefix = u_prefix, .mountpoint = u_mountpoint};

	u_loop = ipc_loop_new();
	u_ipc = u_loop ? ipc_new(u_loop, &options, u_kinds) : NULL;
	return u_ipc;
}

static void clean(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf /dev/shm/%s* /dev/shm/sem.%s*", u_prefix, u_prefix);
	cr_assert_eq(system(command), 0);
}

/* A test that was killed has left what it made; its pid, and so the prefix, may come again. */
void u_setup(const struct ipc_kind *of)
{
	kind = of;
	snprintf(u_prefix, sizeof(u_prefix), "unit_%s_%d_", ipc_kind_name(of), (int)getpid());
	clean();
	u_clean_behind(u_prefix, NULL);
	cr_assert(u_start());
}

void u_teardown(void)
{
	ipc_free(u_ipc);
	ipc_loop_free(u_loop);
	clean();
}

/* --- names --- */

struct ipc_cred u_me(void)
{
	return (struct ipc_cred){.uid = getuid(), .gid = getgid(), .pid = getpid()};
}

struct ipc_ref u_named(const char *name)
{
	struct ipc_cred cred = u_me();
	struct ipc_ref ref;

	cr_assert_eq(ipc_resolve(u_ipc, &cred, kind, name, &ref), 0, "%s", name);
	return ref;
}

int u_create_type(const char *name, mode_t mode)
{
	struct ipc_cred cred = u_me();
	struct ipc_ref ref = u_named(name);

	return ipc_create(u_ipc, &cred, &ref, mode);
}

void u_create(const char *name)
{
	cr_assert_eq(u_create_type(name, S_IFREG | 0600), 0);
}

int u_stat(const char *name, struct stat *st)
{
	struct ipc_cred cred = u_me();
	struct ipc_ref ref = u_named(name);

	return ipc_stat(u_ipc, &cred, &ref, st);
}

int u_remove(const char *name)
{
	struct ipc_cred cred = u_me();
	struct ipc_ref ref = u_named(name);

	return ipc_unlink(u_ipc, &cred, &ref);
}

int u_rename(const char *from, const char *to, unsigned flags)
{
	struct ipc_cred cred = u_me();
	struct ipc_ref a = u_named(from), b = u_named(to);

	return ipc_rename(u_ipc, &cred, &a, &b, flags);
}

int u_change(const char *name, struct ipc_handle *h, const struct stat *st, unsigned set)
{
	struct ipc_cred cred = u_me();
	struct ipc_ref ref = u_named(name);

	return ipc_chattr(u_ipc, &cred, &ref, h, st, set);
}

bool u_refused(const char *part)
{
	const struct ipc_cred cred = u_me();

	return u_refused_to(&cred, part);
}

bool u_refused_to(const struct ipc_cred *cred, const char *part)
{
	char text[8192] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	ipc_text_errors(u_ipc, cred, out);
	fclose(out);
	return strstr(text, part) != NULL;
}

/* --- operations --- */

static int complete(struct ipc_op *op, ssize_t result)
{
	struct u_call *c = ipc_container(op, struct u_call, op);

	cr_assert_not(c->done);
	c->done = true;
	c->result = result;
	if (c->undeliverable)
		return -ENOENT;
	if (op->type == IPC_READ && result > 0)
		memcpy(c->text, op->data, (size_t)result < sizeof(c->text) ? (size_t)result : sizeof(c->text));
	return 0;
}

void u_prepare(struct u_call *c, struct ipc_handle *h, enum ipc_op_type type, const char *text)
{
	memset(c, 0, sizeof(*c));
	c->op = (struct ipc_op){.type = type, .handle = h, .cred = u_me(), .data = text, .complete = complete};
	c->op.size = text ? strlen(text) : sizeof(c->text) - 1;
	c->op.offset = h->pos;
}

void u_begin(struct u_call *c, struct ipc_handle *h, enum ipc_op_type type, const char *text)
{
	u_prepare(c, h, type, text);
	u_submit(c);
}

ssize_t u_submit(struct u_call *c)
{
	ssize_t r;

	c->done = false;
	ipc_list_init(&c->op.link);
	r = ipc_submit(&c->op);
	if (r == IPC_WOULD_PARK)
		ipc_park(&c->op);
	else
		complete(&c->op, r);
	return r;
}

ssize_t u_ask(struct u_call *c)
{
	c->op.cred = u_me();
	c->op.complete = complete;
	return u_submit(c);
}

/* Short turns: what a task did in the beginning of one does not end its sleep. */
ssize_t u_finish(struct u_call *c)
{
	while (!c->done)
		cr_assert_eq(ipc_loop_turn(u_loop, 20), 0);
	return c->result;
}

int u_handle(const char *name, int flags, struct ipc_handle **out)
{
	struct ipc_cred cred = u_me();
	struct ipc_ref ref = u_named(name);
	struct stat st;
	int r = u_stat(name, &st);

	return r < 0 ? r : ipc_handle_new(u_ipc, &cred, &ref, flags, st.st_ino, out);
}

/* What never waits, or not here. */
static ssize_t at_once(struct ipc_handle *h, enum ipc_op_type type, const char *text)
{
	struct u_call c;

	u_begin(&c, h, type, text);
	cr_assert(c.done);
	return c.result;
}

struct ipc_handle *u_open(const char *name, int flags)
{
	struct ipc_handle *h;

	cr_assert_eq(u_handle(name, flags, &h), 0, "%s", name);
	cr_assert_eq(at_once(h, IPC_OPEN, NULL), 0, "%s", name);
	return h;
}

ssize_t u_put(struct ipc_handle *h, const char *text)
{
	return at_once(h, IPC_WRITE, text);
}

const char *u_ctl(const char *name)
{
	static struct u_call c;
	struct ipc_handle *h;
	char ctl[64];

	snprintf(ctl, sizeof(ctl), "%s@ctl", name);
	h = u_open(ctl, O_RDONLY);
	u_begin(&c, h, IPC_READ, NULL);
	cr_assert_gt(c.result, 0);
	ipc_close(h);
	return c.text;
}

static bool thread_sleeps(const char *tid)
{
	char path[64], line[256] = "";
	FILE *stat;
	const char *command_end;

	snprintf(path, sizeof(path), "/proc/self/task/%.20s/stat", tid);
	stat = fopen(path, "re");
	if (!stat)
		return true; /* it has ended */
	if (!fgets(line, sizeof(line), stat))
		line[0] = '\0';
	fclose(stat);
	command_end = strrchr(line, ')');
	return !command_end || command_end[2] == 'S';
}

static bool others_sleep(void)
{
	DIR *tasks = opendir("/proc/self/task");
	const struct dirent *task;
	bool all = true;

	cr_assert_not_null(tasks);
	while (all && (task = readdir(tasks)))
		all = task->d_name[0] == '.' || atoi(task->d_name) == gettid() || thread_sleeps(task->d_name);
	closedir(tasks);
	return all;
}

unsigned u_entries(const char *dir)
{
	DIR *open = opendir(dir);
	unsigned n = 0;

	cr_assert_not_null(open);
	while (readdir(open))
		n++;
	closedir(open);
	return n;
}

void u_await_sleepers(void)
{
	int64_t end = ipc_now() + INT64_C(10000000000);

	while (!others_sleep()) {
		cr_assert_lt(ipc_now(), end, "a thread does not come to rest");
		sched_yield();
	}
}

void u_count_ready(void *count)
{
	++*(int *)count;
}

int u_text_status(struct ipc *ipc, const struct ipc_cred *cred, enum ipc_status_form form, FILE *out)
{
	struct ipc_status *s = ipc_status_begin(ipc, cred, form);
	int r = s ? 1 : -ENOMEM;

	while (r > 0)
		r = ipc_status_step(s, out);
	ipc_status_end(s);
	return r;
}

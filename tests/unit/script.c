#include "script.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "core/keep.h"
#include "core/kind.h"
#include "core/settle.h"

enum { ANSWERS_MAX = 64, SENT_MAX = 256, LINE_MAX_BYTES = 16 };

struct answer {
	ssize_t result;
	const char *text;
};

static struct answer answers[4][ANSWERS_MAX];
static unsigned said[4], given[4];
static struct ipc_handle *served[ANSWERS_MAX];
static unsigned served_count;
static char sent[SENT_MAX], returned[SENT_MAX], settled[SENT_MAX], given_back[SENT_MAX];
static bool withdraws = true;
static bool takes_back;

struct script_handle {
	struct ipc_handle h;
	bool holds;
};

static struct script_handle *script_handle(struct ipc_handle *h)
{
	return ipc_container(h, struct script_handle, h);
}

static const struct answer *next_answer(struct ipc_op *op)
{
	if (given[op->type] == said[op->type])
		return NULL;
	served[served_count++] = op->handle;
	return &answers[op->type][given[op->type]++];
}

static int script_create(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, mode_t mode)
{
	return ipc_chan_create(ipc, cred, ref, mode, NULL);
}

static int script_depth(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_depth *depth)
{
	(void)ipc;
	(void)ref;
	*depth = (struct ipc_depth){.value = 7, .unit = "answers"};
	return 0;
}

static int script_open(struct ipc_handle *h, const struct ipc_ref *ref, int flags, ino_t ino)
{
	(void)ref;
	(void)flags;
	(void)ino;
	h->flushes = IPC_FLUSH_UNFINISHED;
	if (h->facets.set & IPC_F_ONE) {
		h->facets.set |= IPC_F_N;
		h->facets.n = 1;
	}
	return 0;
}

/* A message that is owed, and how often it was given back. */
struct script_debt {
	struct ipc_debt debt;
	char text[LINE_MAX_BYTES];
};

static int owe(struct ipc_op *op, const char *text)
{
	struct script_debt *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	ipc_list_init(&d->debt.link);
	d->debt.deliveries = 1;
	snprintf(d->text, sizeof(d->text), "%s", text);
	ipc_settle_took(op, &d->debt);
	return 0;
}

static void end_debt(struct ipc_debt *debt, char *to)
{
	struct script_debt *d = ipc_container(debt, struct script_debt, debt);
	size_t len = strlen(to);

	snprintf(to + len, SENT_MAX - len, "[%s]", d->text);
	free(d);
}

static void script_settled(struct ipc_debt *debt)
{
	end_debt(debt, settled);
}

static void script_given_back(struct ipc_debt *debt)
{
	end_debt(debt, given_back);
}

static void script_forgotten(struct ipc_chan *chan, const struct ipc_cred *by)
{
	(void)chan;
	(void)by;
}

static ssize_t script_read(struct ipc_op *op)
{
	const struct answer *answer;

	if (returned[0]) {
		op->data = strcpy(ipc_scratch(op->handle->ipc, sizeof(returned)), returned);
		returned[0] = '\0';
		return (ssize_t)strlen(op->data);
	}
	if ((op->handle->facets.set & IPC_F_N) && op->handle->taken >= op->handle->facets.n)
		return 0;
	answer = next_answer(op);
	if (!answer)
		return -EAGAIN;
	if (answer->result <= 0)
		return answer->result;
	op->data = strcpy(ipc_scratch(op->handle->ipc, SENT_MAX), answer->text);
	op->handle->taken++;
	return op->handle->owing && owe(op, answer->text) < 0 ? -ENOMEM : answer->result;
}

static int send_line(struct ipc_handle *h, const char *line, size_t n)
{
	size_t len = strlen(sent);

	(void)h;
	if (given[IPC_WRITE] == said[IPC_WRITE])
		return -EAGAIN;
	given[IPC_WRITE]++;
	snprintf(sent + len, sizeof(sent) - len, "[%.*s]", (int)n, line);
	return 0;
}

static ssize_t script_write(struct ipc_op *op)
{
	const struct answer *answer;

	if (op->handle->facets.set & IPC_F_LINES)
		return ipc_frame_write(op, '\n', LINE_MAX_BYTES, send_line);
	while ((answer = next_answer(op))) {
		if (answer->result < 0)
			return op->done ? (ssize_t)op->done : answer->result;
		op->done += (size_t)answer->result;
		if (op->done == op->size)
			return (ssize_t)op->done;
	}
	return -EAGAIN;
}

static int script_flush(struct ipc_op *op)
{
	return ipc_frame_flush(op, send_line);
}

static bool script_put_back(struct ipc_op *op, const char *message, size_t len)
{
	if (op->handle->owing)
		ipc_settle_undo(op->handle);
	else if (takes_back)
		snprintf(returned, sizeof(returned), "%.*s", (int)len, message);
	return op->handle->owing || takes_back;
}

static bool script_withdraw(struct ipc_op *op)
{
	(void)op;
	return withdraws;
}

void script_withdraws(bool can)
{
	withdraws = can;
}

/* The channel is there still. */
static void script_close(struct ipc_handle *h)
{
	if (script_handle(h)->holds)
		h->chan->holders--;
}

static int64_t script_held(const struct ipc_handle *h)
{
	return ipc_container(h, const struct script_handle, h)->holds;
}

static unsigned script_poll(struct ipc_handle *h)
{
	return h->readable && given[IPC_READ] < said[IPC_READ] ? POLLIN : 0;
}

static const struct ipc_kind_names script_names = {
	.stat = ipc_chan_stat,
	.create = script_create,
	.depth = script_depth,
};

static const struct ipc_kind_handles script_handles = {
	.open = script_open,
	.read = script_read,
	.write = script_write,
	.flush = script_flush,
	.withdraw = script_withdraw,
	.put_back = script_put_back,
	.close = script_close,
	.poll = script_poll,
	.holds = script_held,
};

static const struct ipc_kind_debts script_debts = {
	.settled = script_settled,
	.given_back = script_given_back,
	.forgotten = script_forgotten,
};

static const struct ipc_kind script = {
	.name = "script",
	.facets = IPC_F_LINES | IPC_F_TIMEOUT | IPC_F_IDLE | IPC_F_ONE | IPC_F_N | IPC_F_ACK | IPC_F_LEASE,
	.named = true,
	.handle_size = sizeof(struct script_handle),
	.names = &script_names,
	.handles = &script_handles,
	.debts = &script_debts,
};

static const struct ipc_kind *const script_alone[] = {&script, NULL};

void script_setup(void)
{
	u_kinds = script_alone;
	u_setup(&script);
	u_create("c");
}

void script_says(enum ipc_op_type type, ssize_t result, const char *text)
{
	answers[type][said[type]++] = (struct answer){result, text};
}

void script_wake(const char *name)
{
	ipc_waitq_wake(&ipc_chan_find(u_ipc, &script, name)->waitq);
}

void script_holds(struct ipc_handle *h)
{
	script_handle(h)->holds = true;
	h->chan->holders++;
}

void script_takes_back(bool takes)
{
	takes_back = takes;
}

struct ipc_handle *script_served(unsigned i)
{
	return i < served_count ? served[i] : NULL;
}

const char *script_sent(void)
{
	return sent;
}

const char *script_settled_so_far(void)
{
	return settled;
}

const char *script_given_back_so_far(void)
{
	return given_back;
}

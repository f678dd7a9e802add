/* Posting permits of a semaphore in a Redis. */
#include "kinds/permits.h"

#include <errno.h>
#include <hiredis/hiredis.h>

#include "sem.h"

REDIS_SCRIPT(sem_post);

static void post_done(struct redis_call *call, int err, const redisReply *reply)
{
	struct rsem_call *c = ipc_container(call, struct rsem_call, call);
	struct rsem_handle *s = c->handle;
	int r = rsem_call_result(c, err, reply);

	if (r == 0 && redis_reply_number(redis_reply_at(reply, 0), 0) != 1)
		r = -EOVERFLOW;
	/* The word of it may come later than who polls now. */
	if (r == 0)
		rsem_chan(c->chan)->waiters.dry = false;
	/* Whoever wrote it may have been interrupted; then nobody is to take it for his own. */
	if (s)
		s->posting = NULL;
	if (s && !ipc_list_empty(&s->waitq.ops[IPC_OUT])) {
		s->posted = r == 0;
		s->error[IPC_OUT] = r;
		ipc_waitq_wake(&s->waitq);
	}
	rsem_call_end(c);
}

static int post(struct ipc_handle *h, unsigned count)
{
	struct rsem_handle *s = rsem_handle(h);
	struct redis_arg args[2] = {redis_number(count), redis_number(IPC_PERMITS_MAX)};
	struct rsem_call *c;
	int r;

	if (s->posting)
		return -EAGAIN;
	r = rsem_error_take(s, IPC_OUT);
	if (r < 0)
		return r == -EOVERFLOW ? ipc_permits_refuse(h, count) : r;
	if (s->posted) {
		s->posted = false;
		return 0;
	}
	c = rsem_call_new(h->chan, s);
	if (!c)
		return -ENOMEM;
	c->call.replicated = true;
	if (!rsem_call_start(c, &redis_script_sem_post, args, 2, post_done))
		return -ENOMEM;
	s->posting = c;
	return -EAGAIN;
}

/* What the operation has not posted yet is on its way, or will not be any more. */
static ssize_t post_goes_on(struct ipc_op *op, ssize_t r)
{
	return r == -EAGAIN && rsem_handle(op->handle)->posting ? -EINPROGRESS : r;
}

/* Where the operation is to end, nothing more is begun. */
static int post_no_more(struct ipc_handle *h, unsigned count)
{
	struct rsem_handle *s = rsem_handle(h);

	return s->posted || s->error[IPC_OUT] ? post(h, count) : -EAGAIN;
}

static int post_line(struct ipc_handle *h, const char *line, size_t n)
{
	return ipc_permits_line(h, line, n, post);
}

static int post_line_no_more(struct ipc_handle *h, const char *line, size_t n)
{
	return ipc_permits_line(h, line, n, post_no_more);
}

ssize_t rsem_write(struct ipc_op *op)
{
	return post_goes_on(op, ipc_permits_write(op, op->ending ? post_line_no_more : post_line));
}

int rsem_flush(struct ipc_op *op)
{
	return (int)post_goes_on(op, ipc_permits_flush(op, op->ending ? post_line_no_more : post_line));
}

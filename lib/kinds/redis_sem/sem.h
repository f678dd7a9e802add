/*
 * /sem in a Redis: prelude.lua says how a semaphore lies there. sem.c has the names and the texts, io.c who opens them,
 * post.c who writes.
 */
#ifndef IPC_REDIS_SEM_H
#define IPC_REDIS_SEM_H

#include "core/chan.h"
#include "core/handle.h"
#include "core/instance.h"
#include "core/op.h"
#include "kinds/redis/handle.h"
#include "kinds/redis/wait.h"

struct rsem_chan {
	struct redis_chan redis;
	struct redis_waiters waiters;
};

/* A call for a handle, which may be closed before the answer. */
struct rsem_call {
	struct redis_call call;
	struct ipc_chan *chan;
	struct rsem_handle *handle; /* NULL: it has been closed */
	struct redis_holder holder; /* "": the permit is taken for nobody */
	unsigned wakes;
};

struct rsem_handle {
	struct ipc_handle h;
	struct ipc_waitq waitq; /* h waits here */
	struct redis_waiter waiter;
	struct redis_holder holder;
	struct rsem_call *asked, *posting; /* calls under way for who takes or reads, and who writes; NULL */
	unsigned asked_wakes;		   /* of the channel, when the last was sent: */
	bool empty;			   /* it found no permit */
	bool arrived;			   /* it brought one, which nobody has had yet */
	bool checked;			   /* it found the permit to be ours still */
	bool posted;			   /* what is written at the moment has been posted */
	int error[2];			   /* to be told to the next operation of that side */
	bool holds, lost, spent;
	int64_t since; /* ipc_now() when it began to hold */
	int64_t left;  /* the value when the permit was taken */
	int64_t token; /* the fencing number of what it holds */
};

static inline struct rsem_chan *rsem_chan(struct ipc_chan *chan)
{
	return ipc_container(redis_chan(chan), struct rsem_chan, redis);
}
static inline struct rsem_handle *rsem_handle(struct ipc_handle *h)
{
	return ipc_container(h, struct rsem_handle, h);
}

/* call.c. new: to be started; NULL: out of memory. start: false: out of memory, and it is gone. end: of one that is
 * over. */
struct rsem_call *rsem_call_new(struct ipc_chan *, struct rsem_handle *);
bool rsem_call_start(struct rsem_call *, const struct redis_script *, const struct redis_arg *args, unsigned count,
		     void (*done)(struct redis_call *, int err, const struct redisReply *));
int rsem_call_result(const struct rsem_call *, int err, const struct redisReply *);
void rsem_call_end(struct rsem_call *);
/* Its handle is being closed; accepts NULL. */
void rsem_call_leave(struct rsem_call *);
/* The error that is to be told to that side's next operation: it is told. */
int rsem_error_take(struct rsem_handle *, int side);

/* post.c, io.c */
int rsem_open(struct ipc_handle *, const struct ipc_ref *, int flags, ino_t ino);
int rsem_connect(struct ipc_op *);
ssize_t rsem_read(struct ipc_op *);
ssize_t rsem_write(struct ipc_op *);
int rsem_flush(struct ipc_op *);
bool rsem_withdraw(struct ipc_op *);
bool rsem_put_back(struct ipc_op *, const char *line, size_t len);
void rsem_close(struct ipc_handle *);
void rsem_waits_for(const struct ipc_op *, char *text, size_t size);
int64_t rsem_holds(const struct ipc_handle *);

#endif

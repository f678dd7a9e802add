/*
 * /bcast in a Redis: prelude.lua says how a broadcast lies there. A reader is the number of the message it reads next,
 * as locally. What one reader fetches all of this mount can read.
 */
#ifndef IPC_REDIS_BCAST_H
#define IPC_REDIS_BCAST_H

#include "core/chan.h"
#include "core/handle.h"
#include "core/instance.h"
#include "core/op.h"
#include "kinds/redis/handle.h"
#include "kinds/redis/sends.h"
#include "kinds/redis/wait.h"

enum { RBCAST_BUFFER }; /* redis_chan.field */
/* The buffer, in bytes of messages; so many of them allow one message. */
enum { RBCAST_DEFAULT = 1 << 20, RBCAST_MIN = 4096, RBCAST_MAX = 1 << 30, RBCAST_AVERAGE = 16 };

/* Messages of one answer; who reads in it has a reference. */
struct rbcast_chunk {
	unsigned refs;
	struct redisReply *reply;
	int64_t from, end; /* the numbers of the first, and behind the last */
};

struct rbcast_chan {
	struct redis_chan redis;
	struct redis_waiters waiters;
	struct rbcast_chunk *chunk;    /* the last that came; NULL */
	struct rbcast_fetch *fetching; /* under way; NULL */
	int64_t first, next;	       /* the oldest kept, and the next to come, as far as we have heard */
};

struct rbcast_handle {
	struct ipc_handle h;
	struct ipc_waitq waitq; /* h waits here */
	struct redis_waiter waiter;
	struct rbcast_chunk *chunk; /* NULL: none that has what it reads next */
	int64_t next, dropped;	    /* the number of the message it reads next; how many it missed */
	bool looked;		    /* the server was asked for the read that finds nothing at the moment */
	bool told;		    /* that it missed some, and has been given none since */
	int read_error;
	struct redis_sends sends;
};

static inline struct rbcast_chan *rbcast_chan(struct ipc_chan *chan)
{
	return ipc_container(redis_chan(chan), struct rbcast_chan, redis);
}
static inline struct rbcast_handle *rbcast_handle(struct ipc_handle *h)
{
	return ipc_container(h, struct rbcast_handle, h);
}

/* read.c */
ssize_t rbcast_read(struct ipc_op *);
void rbcast_read_close(struct rbcast_handle *);
void rbcast_read_fini(struct rbcast_chan *);
/* Whether a read has something to say at once, as far as is known here. */
bool rbcast_is_ready(struct rbcast_handle *);

/* write.c */
ssize_t rbcast_write(struct ipc_op *);
int rbcast_flush(struct ipc_op *);
bool rbcast_withdraw(struct ipc_op *);
void rbcast_write_open(struct rbcast_handle *);

#endif

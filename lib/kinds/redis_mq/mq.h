/*
 * /mq in a Redis. prelude.lua says how a queue lies there. Here is what each open file is at: a call that takes
 * messages for its reader, calls that send its writer's, and for which of them it waits to be woken.
 */
#ifndef IPC_REDIS_MQ_H
#define IPC_REDIS_MQ_H

#include "core/handle.h"
#include "core/op.h"
#include "core/settle.h"
#include "kinds/redis/handle.h"
#include "kinds/redis/sends.h"
#include "kinds/redis/wait.h"

enum { RMQ_MAXMSG, RMQ_MSGSIZE }; /* redis_chan.field */
enum { RMQ_TAG = 10, RMQ_COUNT = 4 };

struct rmq_chan {
	struct redis_chan redis;
	struct redis_waiters waiters[2]; /* by side: for messages, for room */
	struct ipc_list settling;	 /* of struct rmq_debt: to go with the next call */
	unsigned settling_count;
	struct ipc_task settle;
	struct ipc_list soon; /* of struct rmq_debt: the server is to know that they have come */
	struct ipc_timer soon_timer;
	struct ipc_list takes; /* of struct rmq_take, under way */
};

/* Messages that a call has brought. */
struct rmq_arrived {
	struct redisReply *reply; /* a copy; NULL: none */
	size_t next, count;	  /* elements of it, the next to be handed over and all */
	size_t given;		  /* the first of what the last read was given */
};

/* A call that takes messages. */
struct rmq_take {
	struct redis_call call;
	struct ipc_list link; /* of the channel's */
	struct ipc_chan *chan;
	struct rmq_handle *reader; /* NULL: it has been closed */
	struct redis_holder holder;
	bool owes;
	bool waits;	/* one is to be sent to us if there is none now */
	unsigned wakes; /* of the channel, when it was sent */
	unsigned number;
	int64_t leases;		   /* when it was made, if it takes our lease; 0: it does not */
	unsigned stood;		   /* since that take the server was to send one; 0: it was not */
	struct redisReply *early;  /* what was sent to us, before the answer that there was none */
	struct rmq_debt *received; /* of the reader's: the call tells the server */
};

struct rmq_handle {
	struct ipc_handle h;
	struct ipc_waitq waitq;
	struct redis_waiter waiter[2];
	struct redis_holder holder;

	/* read.c */
	struct rmq_take *take;	  /* under way; NULL */
	unsigned takes, answered; /* started so far; the last of them that the server has answered */
	struct rmq_arrived arrived;
	unsigned standing; /* the number of the take since which the server is to send us a message; 0: it is not */
	struct rmq_debt *received; /* without ack: the server does not know yet that it has come */
	int read_error;		   /* to be told to the next read */
	bool empty;		   /* the queue was so, and we are to be told when it is not */
	unsigned empty_wakes;	   /* the channel's wakes when that was asked: with more it may be so no longer */

	/* write.c */
	struct redis_sends sends;
	char ticket[40];     /* who it is in the line of those who wait for room */
	bool full;	     /* did not all fit: the place in the line is taken */
	bool woken;	     /* there may be room for those at its head, and it is tried again */
	unsigned full_wakes; /* the channel's wakes when it was sent */
};

static inline struct rmq_handle *rmq_handle(struct ipc_handle *h)
{
	return ipc_container(h, struct rmq_handle, h);
}
static inline struct rmq_chan *rmq_chan(struct ipc_chan *chan)
{
	return ipc_container(redis_chan(chan), struct rmq_chan, redis);
}

/* A message that is owed. */
struct rmq_debt {
	struct ipc_debt debt;
	struct ipc_list link; /* of the channel's settling */
	struct ipc_chan *chan;
	char tag[RMQ_TAG];
	struct redis_holder holder;
	bool back;		   /* it is given back */
	struct rmq_handle *reader; /* of one that is another's to settle soon: whose `received` it is; or NULL */
	unsigned take;		   /* the last of its handle's takes that settles it; 0: none */
};

/*
 * mq.c. wait: on that side, to be woken. hold: so many messages more that are owed by our readers, or writers in line.
 */
void rmq_wait(struct rmq_handle *, int side);
void rmq_hold(struct rmq_chan *, int more);

/* read.c */
ssize_t rmq_read(struct ipc_op *);
bool rmq_put_back(struct ipc_op *, const char *message, size_t len);
void rmq_read_close(struct rmq_handle *);

/* The messages of an answer, the handle's from now on; false: nobody wants them. */
bool rmq_arrived(struct rmq_handle *, struct redisReply *);

/*
 * sent.c. What a reader waits for is sent to him (prelude.lua: deal()), as soon as it is there.
 */
void rmq_sent(struct rmq_chan *, const struct redis_word *);
/* Such a message is for r, who waits. */
void rmq_sent_to(struct rmq_handle *, struct redisReply *);
/* From now on the server is to send one to r; nothing any more. */
void rmq_stand(struct rmq_handle *, unsigned take);
void rmq_stand_end(struct rmq_handle *);
/* The same, told to the server: what it has sent meanwhile goes back. */
void rmq_quit(struct rmq_handle *);
void rmq_quit_take(const struct rmq_take *); /* what it began, or was to end */

/* bury.c. Whether an owed message was delivered more often than its reader's tries: it goes to NAME.dead. */
bool rmq_bury(struct rmq_handle *, const struct redisReply *);

/* back.c. return: elements of an answer, that holder's where they are owed. */
void rmq_return(struct rmq_chan *, const struct redisReply *, size_t from, size_t to, struct redis_holder, bool owes);
void rmq_give_back(struct ipc_handle *, const char *data, size_t len, unsigned prio);

/* write.c */
ssize_t rmq_write(struct ipc_op *);
int rmq_flush(struct ipc_op *);
bool rmq_withdraw(struct ipc_op *);
void rmq_write_open(struct rmq_handle *);
void rmq_write_close(struct rmq_handle *);

/* settle.c */
/* The tags of what the handle owes, to be settled by its next take: to be freed. NULL: it owes nothing, or no memory.
 */
char *rmq_settle_tags(struct rmq_handle *, size_t *len);
void rmq_settled(struct ipc_debt *);
void rmq_given_back(struct ipc_debt *);
void rmq_settle_init(struct rmq_chan *);
void rmq_settle_fini(struct rmq_chan *);
/*
 * Without ack: the server is to know that it has come, by the reader's next take or soon; by the next settling; by that
 * of r's now; by a take, to which the caller sees. NULL: there is none.
 */
void rmq_settle_soon(struct rmq_debt *);
void rmq_settle_next(struct rmq_debt *);
void rmq_settle_received(struct rmq_handle *);
struct rmq_debt *rmq_settle_by_take(struct rmq_handle *);
/* Sends what is to be settled now; for the end of a channel. */
void rmq_settle_now(struct rmq_chan *);

#endif

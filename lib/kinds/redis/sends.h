/*
 * What a handle writes into a channel in a Redis: many messages in a call, several calls under way. A message is
 * counted as written when the server has it. Until then its operation waits, and the kind has it tried again: each try
 * first takes what has been sent meanwhile, and starts more when nothing is under way.
 */
#ifndef IPC_REDIS_SENDS_H
#define IPC_REDIS_SENDS_H

#include "core/handle.h"
#include "core/op.h"
#include "link.h"

struct redis_sends;
struct redis_sending;

/* A call, as its kind sees it. */
struct redis_send {
	struct redis_call call;
	struct ipc_list link;
	struct ipc_chan *chan;
	const struct redis_sending *how;
	struct redis_sends *sends; /* NULL: the handle has been closed */
	unsigned count;		   /* messages */
	unsigned wakes;		   /* the kind's own: of the channel, when it was sent */
	size_t len[];		   /* of each */
};

/* How a kind sends. */
struct redis_sending {
	const struct redis_script *script;
	/*
	 * Arguments before the messages, at most REDIS_LEAD_MAX; what they point at stays until the next call. follows:
	 * others of the same write are under way before these. Returns how many. Or NULL: there are none.
	 */
	unsigned (*lead)(struct redis_send *, struct redis_arg *args, bool follows);
	/*
	 * The server has answered; wanted: somebody waits for that. Returns how many of the messages went in.
	 */
	unsigned (*sent)(struct redis_send *, const struct redisReply *, bool wanted);
	int (*count)(struct ipc_handle *, const char *data, size_t n); /* redis_sends_count() of h's */
};
enum { REDIS_LEAD_MAX = 4 };

/* Of a handle. */
struct redis_sends {
	struct ipc_handle *h;
	const struct redis_sending *how;
	struct ipc_list flying; /* of struct redis_send */
	size_t credit;		/* messages of the operation that have been sent, and not yet been counted as written */
	int error;		/* to be told to the operation, or the next one */
};

void redis_sends_init(struct redis_sends *, struct ipc_handle *, const struct redis_sending *);
/* What is under way goes on without it. */
void redis_sends_close(struct redis_sends *);
/* For the kind's withdraw(): whether nothing is under way any more. */
bool redis_sends_withdraw(struct redis_sends *);

/* A message of the operation has been sent: 0, and taps have it; or -EAGAIN: it has not. */
int redis_sends_count(struct redis_sends *, const char *data, size_t n);
/*
 * write() and flush(), as far as what has been sent goes; -EAGAIN: there is more to do, which redis_sends_state() says.
 */
ssize_t redis_sends_write(struct ipc_op *, struct redis_sends *, size_t max);
int redis_sends_flush(struct ipc_op *, struct redis_sends *);
/*
 * -EINPROGRESS: calls are under way. An error, or how much was written before it: the operation is over. 0: more is to
 * be sent.
 */
ssize_t redis_sends_state(struct ipc_op *, struct redis_sends *);
/* Sends it: -EINPROGRESS, or -errno. */
int redis_sends_more(struct ipc_op *, struct redis_sends *, size_t max);

#endif

/*
 * The Redis that an instance's kinds live in: calls of scripts, wake-ups, leases. One link for all kinds of an
 * instance.
 *
 * A call is one script on one channel, atomic on the server. It is queued while there is no connection, and repeated
 * after a lost one until it is answered; what has effects is repeated under the same number, which the script knows
 * (prelude.lua), so that it happens once. Calls on one channel reach the server in the order in which they were
 * started.
 *
 * Scripts are the *.lua files of lib/kinds/redis and lib/kinds/redis_KIND, compiled in; intro.lua says of which parts
 * each is put together, prelude.lua what it finds, and what it returns. DIR/NAME.lua is redis_script_NAME, declared by
 * REDIS_SCRIPT(NAME).
 */
#ifndef IPC_REDIS_LINK_H
#define IPC_REDIS_LINK_H

#include <stddef.h>
#include <stdint.h>

#include "ipc.h"

struct redis_link;
struct redis_call;
struct redis_flight;
struct redis_node;
struct redisReply; /* <hiredis/hiredis.h> */

struct redis_script {
	const char *name, *sha; /* sha: 40 hex digits of the text's SHA-1, as EVALSHA takes it */
	const char *text;
	size_t len;
};
#define REDIS_SCRIPT(name) extern const struct redis_script redis_script_##name

/* The instance's link: made by the first, gone with the last. open: NULL with errno. close: accepts NULL. */
struct redis_link *redis_link_open(struct ipc *);
void redis_link_close(struct redis_link *);
/* This daemon, as scripts know it (ARGV[1]): text, a new one at each start. */
const char *redis_link_id(const struct redis_link *);
/* The server's or our own words for the last error; for use in done(). */
const char *redis_link_why(const struct redis_link *);
/* Known when the first call has been answered. */
bool redis_link_is_of_cluster(const struct redis_link *);
/* Whether calls are answered at the moment; and since when wake-ups arrive (ipc_now(); 0: they do not). */
bool redis_link_is_up(const struct redis_link *);
int64_t redis_link_heard_since(const struct redis_link *);

/*
 * A channel of Redis: what its keys begin with, and what we remember of the calls on it. Embedded by whoever makes
 * calls. init: 0 or -ENOMEM. fini: no call of it may be under way.
 */
struct redis_channel {
	struct redis_link *link;
	struct ipc_list all, leased;
	char *key;	  /* PREFIX{KIND/NAME}: KEYS[1] */
	uint16_t slot;	  /* of a cluster */
	unsigned flying;  /* calls under way */
	char id[24];	  /* of the object that had the name when it was opened; "" where the script does not ask */
	uint64_t *places; /* where the server keeps answers that we have: for those of later calls */
	unsigned place_count, place_room;
	struct ipc_timer quiet;
	int64_t looked;		    /* when a call last looked after what dead daemons held; 0: never */
	int64_t leased_at;	    /* when a script last took our lease, or earlier; 0: there is none */
	unsigned held;		    /* things of this daemon's there: while any, it has a lease */
	struct redis_call *renewal; /* under way; NULL */
	bool was_leased;	    /* the server has a lease of ours */
	void (*lost)(struct redis_channel *);
};
int redis_channel_init(struct redis_channel *, struct redis_link *, const char *kind, const char *name);
void redis_channel_fini(struct redis_channel *);
/*
 * So many things more that this daemon holds in the channel, or less. While there are any its lease on it is renewed
 * several times in it (redis_lease=); scripts take it first by lease(). lost(): it had run out (or the channel is gone)
 * before it was renewed: what this daemon held there may be somebody else's by now.
 */
void redis_channel_hold(struct redis_channel *, int more, void (*lost)(struct redis_channel *));
/* Whether a script had better take it again. */
bool redis_channel_lease_ages(const struct redis_channel *);

/*
 * A question about it, asked at that time, was not answered until now. If that is long: for a second it is silent, to
 * who can do without; when an answer comes, or there is a new connection, the listeners are told that they may have
 * missed something.
 */
void redis_channel_unanswered(const struct redis_channel *, int64_t asked);
bool redis_channel_is_silent(const struct redis_channel *);

/* An argument of a script: len bytes at data, which are the caller's, or, where that is NULL, in `own`. */
struct redis_arg {
	const char *data;
	size_t len;
	char own[24];
};
/* Of a string, of a number. */
struct redis_arg redis_text(const char *);
struct redis_arg redis_number(int64_t);

/*
 * Calls. The owner embeds the call and keeps it until done() has run, which happens once, from the loop, never from
 * within start; done() may free or reuse it. Arguments are copied. 0, or -ENOMEM and done() will not run.
 *
 * done(): err 0: reply is the script's answer, valid until done() returns. Else reply is NULL, redis_link_why() has
 * words, and err is
 * - -EACCES: the server does not let us in, or not do this; -EROFS: it is a replica;
 * - -ENOSPC: it is out of memory (maxmemory); -EIO: a key of another type, or a script's fault;
 * - -EOPNOTSUPP: it is too old; -EHOSTDOWN: no answer within call->patience;
 * - -ENOTCONN: the link was closed, and whether it happened is not known.
 *
 * Where the server is only away, loading, or fails over, the call waits: for ever, or for `patience` nanoseconds if
 * that is not 0. once: it has effects. It is numbered, and its answer kept by the server until we have it.
 */
struct redis_call {
	struct ipc_list link;
	struct redis_channel *channel;
	const struct redis_script *script;
	void (*done)(struct redis_call *, int err, const struct redisReply *);
	int64_t patience; /* set by the owner before the start, as are those that follow */
	bool once;
	bool replicated; /* answered when so many replicas have it as the mount asks for */
	bool stubborn;	 /* a refusal that may end (no right, no memory, a replica) is waited out */
	/* The link's own. */
	struct redis_node *node;
	struct redis_flight *flight;
	struct ipc_timer timer;
	char *command;
	size_t len, flag_at;	/* flag_at: 0: it has none */
	uint64_t number, place; /* of one that has effects */
	unsigned repeats;	/* how often it was sent before */
	bool asking;
	void *kept; /* the answer, while replicas are waited for */
	int64_t since;
};
int redis_call_start(struct redis_channel *, struct redis_call *, const struct redis_script *,
		     const struct redis_arg *args, unsigned count,
		     void (*done)(struct redis_call *, int err, const struct redisReply *));
/* True: it was never sent, done() will not run, and its memory is the owner's again. False: nothing has changed. */
bool redis_call_withdraw(struct redis_call *);
/* done() will not run, and the call's memory is the owner's again. It may happen all the same, or have happened. */
void redis_call_drop(struct redis_call *);

/*
 * Wake-ups, from wake() and changed() of prelude.lua: what is a word of the script's choice, "n" from changed(). name
 * NULL: wake-ups may have been missed: look at everything. Embedded by the kind, which fills kind and woken.
 */
struct redis_word {
	const char *text;
	const char *data; /* what the script sent with it, or NULL */
	size_t len;
};
struct redis_listener {
	struct ipc_list link;
	const char *kind;
	void (*woken)(struct redis_listener *, const char *name, const struct redis_word *what);
};
void redis_listen(struct redis_link *, struct redis_listener *);
void redis_listen_end(struct redis_listener *);

/* Answers, read: integers or decimal text as a number, else `none`. The i-th element of an array or NULL. */
int64_t redis_reply_number(const struct redisReply *, int64_t none);
const struct redisReply *redis_reply_at(const struct redisReply *, size_t i);
/* Whether the script said GONE: the channel does not exist, or another one has its name. */
bool redis_reply_is_gone(const struct redisReply *);
/* copy: NULL when out of memory. free: of a copy; accepts NULL. */
struct redisReply *redis_reply_copy(const struct redisReply *);
void redis_reply_free(struct redisReply *);

#endif

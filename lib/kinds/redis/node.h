/* The calls on one server: sent in their order, answered, and sent again after a loss. */
#ifndef IPC_REDIS_NODE_H
#define IPC_REDIS_NODE_H

#include "conn.h"
#include "link.h"

/* All scripts, NULL behind the last: scripts.sh. */
extern const struct redis_script *const redis_scripts[];

enum { REDIS_SLOTS = 16384, REDIS_ID_LEN = 16 };

/* judge.c */
struct redis_judge {
	int64_t heard;	   /* when the server last answered; before that, when it was first looked for */
	int64_t disturbed; /* since then nothing has kept others from renewing their leases */
	int64_t asked;	   /* when its clock was last asked for */
	int64_t ahead;	   /* its clock's milliseconds less ours; 0: it tells no time */
};

struct redis_node {
	struct redis_conn conn;
	struct redis_link *owner;
	struct ipc_list link;		     /* of the link's */
	struct ipc_list queued, sent, again; /* again: to be sent first when `sent` has been answered */
	bool stalled;			     /* nothing is sent until then, */
	int64_t stalled_until;		     /* and not before */
	bool loaded;			     /* the scripts have been sent on this connection */
	struct ipc_timer timer;		     /* of what is sent and not answered, or of the stall */
	struct ipc_list refusals;	     /* calls to be sent again later, as they are stubborn */
	struct ipc_timer refusals_timer;
	struct redis_judge judge;
	int64_t silent; /* it has left a question unanswered, and is not to be asked by who can do without until then;
			   or 0 */
	struct ipc_task task; /* fails what came while the server refused us */
	int refused;
};

/* A command with a call's answer to come. */
struct redis_flight {
	struct redis_call *call; /* NULL: nobody wants it any more */
};

struct redis_link {
	struct ipc *ipc;
	struct ipc_list link; /* of all */
	unsigned users;
	char id[REDIS_ID_LEN + 1]; /* 12 hex digits, and the lease in seconds, as prelude.lua reads it: lease_of() */
	char *prefix, *user, *password;
	uint64_t number;
	struct ipc_list nodes; /* the first is where we begin */
	struct redis_node **slots;
	struct ipc_list channels, leased, listeners;
	struct ipc_timer renewal;
	struct redis_wake *wake;
	int64_t heard_since;
	struct redis_place *seeds;
	unsigned seed_count, seed; /* the turn */
	unsigned node_count;
	const char *primary_name;   /* that redis_sentinel= gives: then the seeds are sentinels; or NULL */
	struct redis_place primary; /* as the sentinels say */
	int replicas;		    /* that have a change before it is answered */
	struct redis_sentinel *sentinel;
	char why[512];
	bool closing;
	bool ended; /* its nodes are going, so that no call can be made any more */
};

struct redis_node *redis_node_new(struct redis_link *, const struct redis_place *);
void redis_node_free(struct redis_node *);
void redis_node_put(struct redis_node *, struct redis_call *);
/* The node that serves a slot; the one at that place, made if there is none: NULL when out of memory. */
struct redis_node *redis_link_route(struct redis_link *, unsigned slot);
struct redis_node *redis_link_node_at(struct redis_link *, const struct redis_place *);
/*
 * places.c. A place for the answer of the call with that number, until the call is over. Calls reach the server in
 * their order, so that whatever was kept there belongs to an earlier one, which was answered. leave: whether this one
 * was; else nobody has the place any more.
 */
uint64_t redis_channel_place(struct redis_channel *, uint64_t number);
void redis_channel_leave(struct redis_channel *, uint64_t place, bool answered);
/* What the server need not keep for us any more it is told when no call comes for a second; or now. */
void redis_channel_quiet(struct redis_channel *);
void redis_channel_forget(struct redis_channel *);
/* Of a hash tag. */
uint16_t redis_slot_of(const char *tag, size_t len);
/* It is to be sent again, and may have been executed. */
void redis_call_again(struct redis_call *);
/* It is over. */
void redis_call_finish(struct redis_call *, int err, const redisReply *);
/* Where the first node is to be looked for next. */
void redis_link_seek(struct redis_conn *);
/* The first node was lost, or is there. found: the sentinels say that it is there. */
void redis_link_lost(struct redis_link *);
void redis_link_met(struct redis_link *);
void redis_link_found(struct redis_link *, const struct redis_place *);

/*
 * judge.c. met, lost: the connection. time: for a script that may take for dead whose lease is over: what the server's
 * clock is believed to say, and for how long others have been able to renew, both in milliseconds; "": it may not.
 */
enum { REDIS_JUDGE_TEXT = 48 };
void redis_judge_met(struct redis_node *);
void redis_judge_lost(struct redis_node *, bool was_up);
void redis_judge_time(struct redis_node *, char text[static REDIS_JUDGE_TEXT]);

/* silence.c. ends: the server speaks. answered: so it does where an answer came by that connection: unless it is NULL.
 */
void redis_silence_ends(struct redis_node *);
void redis_silence_answered(const redisAsyncContext *, const redisReply *);

/* wake.c */
struct redis_wake *redis_wake_new(struct redis_link *); /* NULL when out of memory */
void redis_wake_free(struct redis_wake *);
void redis_wake_move(struct redis_wake *, const struct redis_place *); /* the first node is there now */
void redis_wake_kinds(struct redis_link *);			       /* they are to look at everything again */

/* error.c. What an error is to the caller (-errno); whether it passes by itself; whether it begins with that word. */
int redis_error_number(const redisReply *);
bool redis_error_passes(const redisReply *);
bool redis_error_is(const redisReply *, const char *word);

/* cluster.c. redirected: whether the error says which node to ask, and the call has gone there. ask: of a node that
 * says it is of a cluster. next: a slot of a node that no lower slot has, behind that one (-1: from the beginning); -1:
 * there is none. seek: where to look for the first node. */
bool redis_cluster_redirected(struct redis_node *, struct redis_call *, const redisReply *);
void redis_cluster_ask(struct redis_node *);
int redis_cluster_next(const struct redis_link *, int slot);
void redis_cluster_seek(const struct redis_link *, struct redis_place *);

/* sentinel.c */
struct redis_sentinel *redis_sentinel_new(struct redis_link *); /* NULL when out of memory */
void redis_sentinel_free(struct redis_sentinel *);
void redis_sentinel_ask(struct redis_sentinel *);
const char *redis_sentinel_why(const struct redis_sentinel *); /* it says nothing */

#endif

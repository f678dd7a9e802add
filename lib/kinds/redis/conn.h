/*
 * One connection to one Redis: made, and made again with growing pauses while it cannot be had. hiredis's asynchronous
 * API on our loop; names of hosts are resolved by a helper.
 */
#ifndef IPC_REDIS_CONN_H
#define IPC_REDIS_CONN_H

#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#include "base/backoff.h"
#include "ipc.h"

struct redis_link;

/* Where a server is: a host's name or number and a port, or the path of a socket (port 0). */
enum { REDIS_HOST_MAX = 255 };
struct redis_place {
	char host[REDIS_HOST_MAX + 1];
	unsigned port;
};
/*
 * "HOST", "HOST:PORT", "[V6]:PORT", "V6" or "/PATH", up to a space or the end: what is behind it, or NULL where it is
 * no such thing.
 */
const char *redis_place_parse(const char *text, unsigned default_port, struct redis_place *);
bool redis_place_is(const struct redis_place *, const struct redis_place *);
/* "HOST:PORT", or the path. */
struct redis_place_text {
	char text[REDIS_HOST_MAX + 16];
};
struct redis_place_text redis_place_text(const struct redis_place *);

struct redis_conn {
	struct ipc *ipc;
	struct redis_place place;
	bool primary;	 /* a replica will not do */
	bool is_cluster; /* it says that it is of one */
	int64_t began;	 /* when it says that it was started (ipc_now()) */
	int64_t ahead;	 /* its clock's milliseconds, as it says, less ours (ipc_now()); 0: it does not say */
	bool plain;	 /* to who takes no password of ours (a sentinel): greet only by connecting */
	/*
	 * up: the server lets us in. down: the connection was lost, or could not be made (was_up false); it will be
	 * tried again by itself. err, and words: -EACCES, -EOPNOTSUPP: it does not want us; else it is away. again:
	 * before each attempt, may change place; or NULL.
	 */
	void (*up)(struct redis_conn *);
	void (*down)(struct redis_conn *, bool was_up, int err, const char *why);
	void (*again)(struct redis_conn *);
	const char *user, *password; /* or NULL */
	/* Its own. */
	redisAsyncContext *ac;
	struct redis_query *query;
	struct ipc_watch watch;
	struct ipc_task flush;
	struct ipc_timer timer; /* until the next attempt, or for this one to end */
	struct ipc_backoff backoff;
	bool connecting, is_up;
	bool writing;  /* what is to be sent has not gone whole */
	char why[256]; /* the last words with down */
};

/* The owner has filled the first part; the rest is 0. */
void redis_conn_start(struct redis_conn *);
/* The server is to be left, if only to be come back to: soon, or after the next pause. down() runs if it was up. */
void redis_conn_again(struct redis_conn *, bool soon, int err, const char *why);
void redis_conn_stop(struct redis_conn *);
/* Reads and writes without the loop for at most so long: at the end. False: there is nothing to wait for. */
bool redis_conn_turn(struct redis_conn *, int ms);

/*
 * resolve.c. A host's name to a number: done() runs once, later, unless it is cancelled; why: words where there is
 * none. NULL: no helper.
 */
struct redis_query *redis_resolve(struct ipc *, const char *host,
				  void (*done)(void *arg, const char *number, const char *why), void *arg);
void redis_resolve_cancel(struct redis_query *);

#endif

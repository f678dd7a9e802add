/*
 * A Redis of the test's own, on a socket in its scratch directory and on a port of 127.0.0.1, and mounts over it. It
 * keeps what it acknowledged (appendfsync always), so that it can be killed and started again. Scripts have $S, its
 * socket; $A and $B are theirs to set: redis_mount(). Several of them, on ports of 127.0.0.1 too, are for Sentinel and
 * Cluster.
 */
#ifndef TESTS_REDIS_H
#define TESTS_REDIS_H

#include "harness.h"

struct redis {
	char socket[PATH_MAX];
	const char *options; /* of a proxy: where it leads */
	pid_t pid;	     /* 0: it is not running */
	int port;	     /* of 127.0.0.1; 0: none */
};

/* Skips the test where there is no redis-server; else programs that it starts find one. */
void redis_need(void);
/* Does so, and starts one. options: more of its command line; or NULL. */
struct redis redis_start(const char *options);
/* One of several, whose socket and files are called name: on a free port, too. */
struct redis redis_start_on_port(const char *name, const char *options);
/* It watches that one, called main, and needs nobody's consent. */
struct redis redis_sentinel_start(const struct redis *primary);
/* SIGKILL; started again with what it had. */
void redis_kill(struct redis *);
void redis_again(struct redis *);
/* On the way to it: its socket leads there as long as nobody cuts it, with all connections. */
struct redis redis_proxy(const struct redis *);
void redis_cut(struct redis *proxy);
void redis_mend(struct redis *proxy);
/* A mount over it, the first on its socket, the second on its port, and so on; its directory is $NAME for scripts.
 * option: one more, or NULL. */
struct t_mount *redis_mount(const struct redis *, const char *name, const char *option);
/* The same, found at that address (redis=). */
struct t_mount *redis_mount_at(const char *address, const char *name, const char *option);
/* What redis-cli says to a command, in a line or several. */
char *redis_say(const struct redis *, const char *command);

/* Waits until there are no keys of ours left in it. */
void redis_await_empty(const struct redis *);

#endif

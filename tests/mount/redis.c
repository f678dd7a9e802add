#include "redis.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool answers(const struct redis *r)
{
	return strcmp(redis_say(r, "PING"), "PONG\n") == 0;
}

/* Debian's redis-tools has the server without a service: it is redis-check-rdb by another name. */
static void find_server(void)
{
	const char *dir = t_format("%s/bin", t_scratch());

	t_need("redis-cli");
	if (t_sh(NULL, "bash", "command -v redis-server >/dev/null", NULL) == 0)
		return;
	t_need("redis-check-rdb");
	if (t_sh(NULL, "bash", "mkdir -p bin && ln -sf \"$(command -v redis-check-rdb)\" bin/redis-server", NULL) != 0)
		t_fail("no bin/redis-server in %s", t_scratch());
	setenv("PATH", t_format("%s:%s", dir, getenv("PATH")), 1);
}

void redis_again(struct redis *r)
{
	r->pid = t_spawn(NULL, "bash",
			 t_format("exec redis-server --port 0 --unixsocket %s --dir %s --save '' --appendonly yes "
				  "--appendfsync always %s",
				  r->socket, t_scratch(), r->options ? r->options : ""));
	t_await(answers(r));
}

struct redis redis_start(const char *options)
{
	struct redis r = {.options = options};

	find_server();
	snprintf(r.socket, sizeof(r.socket), "%s/redis.sock", t_scratch());
	setenv("S", r.socket, 1);
	redis_again(&r);
	return r;
}

void redis_kill(struct redis *r)
{
	kill(r->pid, SIGKILL);
	t_wait_exit(r->pid, T_PATIENCE, &(char *){NULL});
	r->pid = 0;
	unlink(r->socket);
}

void redis_mend(struct redis *proxy)
{
	proxy->pid = t_spawn(
		NULL, "bash",
		t_format("exec socat UNIX-LISTEN:%s,fork,unlink-early UNIX-CONNECT:%s", proxy->socket, proxy->options));
	t_await(answers(proxy));
}

struct redis redis_proxy(const struct redis *r)
{
	struct redis proxy = {.options = r->socket};

	t_need("socat");
	snprintf(proxy.socket, sizeof(proxy.socket), "%s/proxy.sock", t_scratch());
	redis_mend(&proxy);
	return proxy;
}

/* It has a child for each connection. */
void redis_cut(struct redis *proxy)
{
	kill(-proxy->pid, SIGKILL);
	t_wait_exit(proxy->pid, T_PATIENCE, &(char *){NULL});
	unlink(proxy->socket);
}

void redis_await_empty(const struct redis *r)
{
	t_await(strcmp(redis_say(r, "KEYS '*'"), "\n") == 0);
}

struct t_mount *redis_mount(const struct redis *r, const char *name, const char *option)
{
	const char *where = t_format("redis=%s", r->socket);
	struct t_mount *m = option ? t_mount_start("-o", where, "-o", option, NULL) : t_mount_start("-o", where, NULL);

	setenv(name, m->dir, 1);
	return m;
}

char *redis_say(const struct redis *r, const char *command)
{
	char *said;

	t_sh(NULL, "bash", t_format("redis-cli -s %s %s 2>&1", r->socket, command), &said);
	return said;
}

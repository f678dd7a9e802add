#include "redis.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool answers(const struct redis *r)
{
	return strcmp(redis_say(r, "PING"), "PONG\n") == 0;
}

/* Debian's redis-tools has the server without a service: it is redis-check-rdb by another name. */
void redis_need(void)
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

static void start(struct redis *r)
{
	r->pid = t_spawn(
		NULL, "bash",
		t_format("mkdir -p %s.d; exec redis-server --bind 127.0.0.1 --port %d --unixsocket %s --dir %s.d "
			 "--save '' --appendonly yes --appendfsync always %s",
			 r->socket, r->port, r->socket, r->socket, r->options ? r->options : ""));
}

void redis_again(struct redis *r)
{
	start(r);
	t_await(answers(r));
}

static bool port_is_free(int port)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool is = fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0;

	close(fd);
	return is;
}

/* And the one 10000 above it, where the nodes of a cluster meet. */
static int port_find(void)
{
	static int last;

	if (!last)
		last = 20000 + getpid() % 500 * 20;
	do {
		last++;
	} while (!port_is_free(last) || !port_is_free(last + 10000));
	return last;
}

struct redis redis_start(const char *options)
{
	struct redis r = {.options = options};

	redis_need();
	r.port = port_find();
	snprintf(r.socket, sizeof(r.socket), "%s/redis.sock", t_scratch());
	setenv("S", r.socket, 1);
	redis_again(&r);
	return r;
}

static struct redis on_port(const char *name, const char *options)
{
	struct redis r = {.options = options};

	redis_need();
	r.port = port_find();
	snprintf(r.socket, sizeof(r.socket), "%s/%s", t_scratch(), name);
	return r;
}

struct redis redis_start_on_port(const char *name, const char *options)
{
	struct redis r = on_port(name, options);

	redis_again(&r);
	return r;
}

/*
 * A primary that is only slow, as on a machine with much to do, must not be taken for a dead one: who is replaced while
 * it lives acknowledges writes that the next primary does not have.
 */
enum { DOWN_AFTER_MS = 2000 };

struct redis redis_sentinel_start(const struct redis *primary)
{
	struct redis r = on_port("sentinel", NULL);
	const char *conf = t_format("%s.conf", r.socket);

	t_write(conf, t_format("bind 127.0.0.1\nport %d\nunixsocket %s\nsentinel monitor main 127.0.0.1 %d 1\n"
			       "sentinel down-after-milliseconds main %d\nsentinel failover-timeout main 3000\n",
			       r.port, r.socket, primary->port, DOWN_AFTER_MS));
	r.pid = t_spawn(NULL, "bash", t_format("exec redis-server %s --sentinel", conf));
	t_await(answers(&r));
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
	static unsigned mounts;
	bool by_port = r->port && mounts++ % 2;

	return redis_mount_at(by_port ? t_format("127.0.0.1:%d", r->port) : r->socket, name, option);
}

struct t_mount *redis_mount_at(const char *address, const char *name, const char *option)
{
	const char *where = t_format("redis=%s", address);
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

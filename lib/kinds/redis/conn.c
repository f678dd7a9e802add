/* One connection to one Redis: conn.h. */
#include "conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "core/instance.h"

#define PAUSE_FIRST INT64_C(20000000)
#define PAUSE_LAST INT64_C(2000000000)
/* So long an attempt may take. */
#define ATTEMPT_NS INT64_C(5000000000)
/* What is older lacks what the scripts use: WAIT and TIME beside writes, and ACL for users. */
enum { MAJOR_MIN = 7 };
/* So many reads in a turn, of 16 KiB each. */
enum { READS_MAX = 16 };

static void conn_attempt(struct redis_conn *);

/* --- hiredis on the loop --- */

/*
 * A command is written at the end of the turn, together with those that come behind it; only what the socket has no
 * room for makes us wait for it.
 */
static void conn_listen(struct redis_conn *c, uint32_t events, void (*ready)(struct ipc_watch *, uint32_t))
{
	if (c->watch.fd >= 0 && c->watch.events == events)
		return;
	if (c->watch.fd >= 0)
		ipc_watch_remove(&c->watch);
	if (ipc_watch_add(c->ipc->loop, &c->watch, c->ac->c.fd, events, ready) < 0)
		ipc_task_post(c->ipc->loop, &c->flush);
}

static void conn_ready(struct ipc_watch *watch, uint32_t events)
{
	struct redis_conn *c = ipc_container(watch, struct redis_conn, watch);
	int more = 0;

	if (c->connecting || (events & EPOLLOUT))
		redisAsyncHandleWrite(c->ac);
	for (int i = 0; c->ac && !c->connecting && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && i < READS_MAX; i++) {
		redisAsyncHandleRead(c->ac);
		if (!c->ac || ioctl(c->ac->c.fd, FIONREAD, &more) < 0 || more <= 0)
			break;
	}
	if (c->ac && !c->connecting)
		conn_listen(c, EPOLLIN | (c->writing ? EPOLLOUT : 0u), conn_ready);
}

static void conn_flush(struct ipc_task *task)
{
	struct redis_conn *c = ipc_container(task, struct redis_conn, flush);

	if (!c->ac)
		return;
	if (c->connecting) {
		conn_listen(c, EPOLLOUT, conn_ready);
		return;
	}
	if (c->writing)
		redisAsyncHandleWrite(c->ac);
	if (c->ac)
		conn_listen(c, EPOLLIN | (c->writing ? EPOLLOUT : 0u), conn_ready);
}

static void conn_want_write(void *arg)
{
	struct redis_conn *c = arg;

	c->writing = true;
	ipc_task_post(c->ipc->loop, &c->flush);
}

static void conn_want_none(void *arg)
{
	((struct redis_conn *)arg)->writing = false;
}

static void conn_ignore(void *arg)
{
	(void)arg;
}

/* hiredis is about to close the socket and free the context. */
static void conn_cleanup(void *arg)
{
	struct redis_conn *c = arg;

	if (c->watch.fd >= 0)
		ipc_watch_remove(&c->watch);
	ipc_task_cancel(&c->flush);
	c->ac = NULL;
	c->writing = c->connecting = false;
}

/* --- up and down --- */

static void conn_expired(struct ipc_timer *timer)
{
	struct redis_conn *c = ipc_container(timer, struct redis_conn, timer);

	if (c->ac)
		redis_conn_again(c, false, -ETIMEDOUT, "no answer to the greeting within 5 s");
	else
		conn_attempt(c);
}

static void conn_later(struct redis_conn *c, bool soon)
{
	int64_t pause = soon ? 0 : ipc_backoff_pause(&c->backoff);

	/* Without memory for a timer there is none for a connection either; a running one can be moved. */
	ipc_timer_start(c->ipc->loop, &c->timer, ipc_now() + pause, conn_expired);
}

/* The context is gone. */
static void conn_fell(struct redis_conn *c, bool soon, int err, const char *why)
{
	bool was_up = c->is_up;

	c->is_up = false;
	snprintf(c->why, sizeof(c->why), "%s", why);
	conn_later(c, soon);
	c->down(c, was_up, err, why);
}

/* hiredis may be up the stack, and frees it when it is not any more. */
static void conn_release(struct redis_conn *c)
{
	redisAsyncContext *ac = c->ac;

	ac->onConnect = NULL;
	ac->onDisconnect = NULL;
	memset(&ac->ev, 0, sizeof(ac->ev));
	conn_cleanup(c);
	redisAsyncFree(ac);
}

void redis_conn_again(struct redis_conn *c, bool soon, int err, const char *why)
{
	if (c->ac) {
		conn_release(c);
		conn_fell(c, soon, err, why);
	} else if (soon && !c->query) {
		conn_later(c, soon);
	}
}

static struct redis_conn *conn_of(const redisAsyncContext *ac)
{
	return ac->data;
}

static void conn_disconnected(const redisAsyncContext *ac, int status)
{
	struct redis_conn *c = conn_of(ac);
	char why[256];

	(void)status;
	snprintf(why, sizeof(why), "%s", ac->errstr && ac->errstr[0] ? ac->errstr : "the connection was closed");
	conn_cleanup(c);
	conn_fell(c, c->is_up, -ECONNRESET, why);
}

/* --- the greeting --- */

static void conn_refused(struct redis_conn *c, int err, const char *words)
{
	char why[256];

	snprintf(why, sizeof(why), "%s", words);
	redis_conn_again(c, false, err, why);
}

static void conn_authenticated(redisAsyncContext *ac, void *answer, void *arg)
{
	const redisReply *reply = answer;

	(void)arg;
	if (reply && conn_of(ac)->ac == ac && reply->type == REDIS_REPLY_ERROR)
		conn_refused(conn_of(ac), -EACCES, reply->str);
}

/* A number of INFO's; -1: there is none. */
static int64_t info_number(const redisReply *reply, const char *name)
{
	const char *line = reply->type == REDIS_REPLY_STRING ? strstr(reply->str, name) : NULL;

	return line ? strtoll(line + strlen(name), NULL, 10) : -1;
}

static void conn_clock(struct redis_conn *c, const redisReply *reply)
{
	int64_t now = ipc_now(), us = info_number(reply, "\r\nserver_time_usec:");

	c->began = now - info_number(reply, "\r\nuptime_in_seconds:") * INT64_C(1000000000);
	c->ahead = us < 0 ? 0 : us / 1000 - now / 1000000;
}

static void conn_greeted(redisAsyncContext *ac, void *answer, void *arg)
{
	const redisReply *reply = answer;
	struct redis_conn *c = conn_of(ac);
	const char *version;
	char why[128];

	(void)arg;
	if (!reply || c->ac != ac)
		return;
	if (reply->type == REDIS_REPLY_ERROR) {
		bool loading = strncmp(reply->str, "LOADING", 7) == 0 || strncmp(reply->str, "MASTERDOWN", 10) == 0;

		conn_refused(c, loading ? -EAGAIN : -EACCES, reply->str);
		return;
	}
	version = reply->type == REDIS_REPLY_STRING ? strstr(reply->str, "redis_version:") : NULL;
	if (version && atoi(version + strlen("redis_version:")) < MAJOR_MIN) {
		snprintf(why, sizeof(why), "the server is Redis %.16s; %d.0 is the oldest that will do",
			 version + strlen("redis_version:"), MAJOR_MIN);
		why[strcspn(why, "\r\n")] = ';';
		conn_refused(c, -EOPNOTSUPP, why);
		return;
	}
	if (reply->type == REDIS_REPLY_STRING && strstr(reply->str, "\r\nloading:1")) {
		conn_refused(c, -EAGAIN, "the server is loading its data");
		return;
	}
	c->is_cluster = reply->type == REDIS_REPLY_STRING && strstr(reply->str, "\r\nredis_mode:cluster");
	if (c->primary && reply->type == REDIS_REPLY_STRING && strstr(reply->str, "\r\nrole:slave")) {
		conn_refused(c, -EAGAIN, "it is a replica");
		return;
	}
	conn_clock(c, reply);
	ipc_timer_stop(c->ipc->loop, &c->timer);
	c->backoff = (struct ipc_backoff){PAUSE_FIRST, PAUSE_LAST};
	c->is_up = true;
	c->up(c);
}

static void conn_greet(struct redis_conn *c)
{
	if (c->plain) {
		ipc_timer_stop(c->ipc->loop, &c->timer);
		c->is_up = true;
		c->up(c);
		return;
	}
	if (c->password && c->user)
		redisAsyncCommand(c->ac, conn_authenticated, NULL, "AUTH %s %s", c->user, c->password);
	else if (c->password)
		redisAsyncCommand(c->ac, conn_authenticated, NULL, "AUTH %s", c->password);
	redisAsyncCommand(c->ac, conn_greeted, NULL, "INFO");
}

/* Half-open connections are noticed after 25 s; what is asked has its own patience. */
static void conn_keep_alive(int fd)
{
	const int on = 1, idle = 10, interval = 5, count = 3;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void conn_connected(const redisAsyncContext *ac, int status)
{
	struct redis_conn *c = conn_of(ac);
	char why[512];

	c->connecting = false;
	if (status == REDIS_OK) {
		if (c->place.port)
			conn_keep_alive(ac->c.fd);
		conn_greet(c);
		ipc_task_post(c->ipc->loop, &c->flush);
		return;
	}
	snprintf(why, sizeof(why), "%s: %s", redis_place_text(&c->place).text,
		 ac->c.errstr[0] ? ac->c.errstr : strerror(errno));
	conn_cleanup(c);
	conn_fell(c, false, -ECONNREFUSED, why);
}

/* --- an attempt --- */

static void conn_open(struct redis_conn *c, const char *host)
{
	redisAsyncContext *ac =
		c->place.port ? redisAsyncConnect(host, (int)c->place.port) : redisAsyncConnectUnix(host);
	char why[512];

	if (!ac || ac->err) {
		snprintf(why, sizeof(why), "%s: %s", redis_place_text(&c->place).text,
			 ac ? ac->errstr : strerror(ENOMEM));
		if (ac)
			redisAsyncFree(ac);
		conn_fell(c, false, -ECONNREFUSED, why);
		return;
	}
	c->ac = ac;
	c->connecting = true;
	ac->data = c;
	ac->ev.data = c;
	ac->ev.addRead = conn_ignore;
	ac->ev.delRead = conn_ignore;
	ac->ev.addWrite = conn_want_write;
	ac->ev.delWrite = conn_want_none;
	ac->ev.cleanup = conn_cleanup;
	ipc_timer_start(c->ipc->loop, &c->timer, ipc_now() + ATTEMPT_NS, conn_expired);
	redisAsyncSetDisconnectCallback(ac, conn_disconnected);
	redisAsyncSetConnectCallback(ac, conn_connected);
}

/* The host's address, or why there is none. */
static void conn_resolved(void *arg, const char *number, const char *why)
{
	struct redis_conn *c = arg;

	c->query = NULL;
	if (number)
		conn_open(c, number);
	else
		conn_fell(c, false, -EHOSTUNREACH, why);
}

static bool host_is_number(const char *host)
{
	unsigned char number[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, number) == 1 || inet_pton(AF_INET6, host, number) == 1;
}

static void conn_attempt(struct redis_conn *c)
{
	if (c->again)
		c->again(c);
	if (!c->place.host[0]) {
		conn_later(c, false);
		return;
	}
	if (!c->place.port || host_is_number(c->place.host)) {
		conn_open(c, c->place.host);
		return;
	}
	c->query = redis_resolve(c->ipc, c->place.host, conn_resolved, c);
	if (!c->query)
		conn_later(c, false);
}

void redis_conn_start(struct redis_conn *c)
{
	c->watch.fd = -1;
	c->backoff = (struct ipc_backoff){PAUSE_FIRST, PAUSE_LAST};
	ipc_task_init(&c->flush, conn_flush);
	conn_attempt(c);
}

void redis_conn_stop(struct redis_conn *c)
{
	ipc_timer_stop(c->ipc->loop, &c->timer);
	c->is_up = false;
	if (c->query)
		redis_resolve_cancel(c->query);
	c->query = NULL;
	if (c->ac)
		conn_release(c);
}

bool redis_conn_turn(struct redis_conn *c, int ms)
{
	struct pollfd p = {.fd = c->ac ? c->ac->c.fd : -1, .events = POLLIN};

	if (!c->ac || !c->is_up)
		return false;
	if (c->writing)
		redisAsyncHandleWrite(c->ac);
	if (c->ac && c->writing)
		p.events |= POLLOUT;
	if (c->ac && poll(&p, 1, ms) > 0 && (p.revents & ~POLLOUT))
		redisAsyncHandleRead(c->ac);
	return c->ac != NULL;
}

/*
 * From a host's and a service's name to addresses. Numbers are answered at once; all else may take a name server's
 * time, and is a helper's work. getaddrinfo(3) cannot be interrupted: who gives up leaves his helper to it, the daemon
 * at its end too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net.h"
#include "base/backoff.h"
#include "core/instance.h"

/*
 * So many at once, so that a name server that is silent leaves helpers to others, and one user's names to other users'.
 * Then again after such times.
 */
enum { QUERIES_MAX = 32, QUERIES_OF_USER_MAX = 8 };
#define DELAY_FIRST INT64_C(1000000)
#define DELAY_LAST INT64_C(128000000)

struct net_query {
	struct ipc_job job;
	struct ipc_timer timer;
	struct ipc_backoff backoff;
	struct ipc *ipc;
	struct ipc_cred cred;
	struct net_name name;
	bool passive;
	void (*done)(void *arg, int err, struct addrinfo *); /* NULL: cancelled */
	void *arg;
	int gai, err; /* getaddrinfo(3)'s result, and errno behind it */
	struct addrinfo *result;
};

static int query_ask(const struct net_query *q, int flags, struct addrinfo **out)
{
	struct addrinfo hints = {.ai_socktype = q->name.type, .ai_flags = flags | (q->passive ? AI_PASSIVE : 0)};

	return getaddrinfo(net_is_any(&q->name) ? NULL : q->name.host, q->name.port, &hints, out);
}

/* One line for MNT/errors, and the errno for it. */
static int query_refuse(const struct net_query *q)
{
	const char *proto = q->name.type == SOCK_STREAM ? "tcp" : "udp";
	const char *why = q->gai == EAI_SYSTEM ? strerror(q->err) : gai_strerror(q->gai);
	char path[3 * IPC_NAME_MAX];
	int err = ENOENT;

	if (q->gai == EAI_MEMORY)
		err = ENOMEM;
	else if (q->gai == EAI_SYSTEM && q->err)
		err = q->err == EAGAIN ? EIO : q->err;
	snprintf(path, sizeof(path), "net/%s/%s/%s", proto, q->name.host, q->name.port);
	if (q->gai == EAI_SERVICE)
		return ipc_refuse(q->ipc, &q->cred, EINVAL, path, "'%s' is no port from 0 to 65535, and no %s service",
				  q->name.port, proto);
	return ipc_refuse(q->ipc, &q->cred, err, path, "no address for the host '%s': %s", q->name.host, why);
}

static void query_finish(struct net_query *q)
{
	if (q->done)
		q->done(q->arg, q->gai ? query_refuse(q) : 0, q->result);
	else if (q->result)
		freeaddrinfo(q->result);
	free(q);
}

static void query_work(struct ipc_job *job)
{
	struct net_query *q = ipc_container(job, struct net_query, job);

	q->gai = query_ask(q, 0, &q->result);
	q->err = errno;
	if (q->gai)
		q->result = NULL;
}

static void query_done(struct ipc_job *job)
{
	struct net_query *q = ipc_container(job, struct net_query, job);

	net_of(q->ipc)->queries--;
	if (!job->abandoned)
		query_finish(q);
	else if (q->done)
		q->done(q->arg, -EINTR, NULL);
}

/* The daemon has ended meanwhile, or is about to. */
static void query_left(struct ipc_job *job)
{
	struct net_query *q = ipc_container(job, struct net_query, job);

	if (q->result)
		freeaddrinfo(q->result);
	free(q);
}

static int query_submit(struct net_query *);

static void query_again(struct ipc_timer *timer)
{
	struct net_query *q = ipc_container(timer, struct net_query, timer);
	int r = query_submit(q);

	if (r < 0) {
		q->gai = EAI_SYSTEM;
		q->err = -r;
		query_finish(q);
	}
}

static int query_submit(struct net_query *q)
{
	struct net *net = net_of(q->ipc);
	const struct ipc_pool_part part = {&net->querying, q->cred.uid, QUERIES_OF_USER_MAX};
	int r = -EAGAIN;

	q->gai = EAI_SYSTEM;
	q->err = EINTR;
	if (net->queries < QUERIES_MAX)
		r = ipc_pool_submit_part(q->ipc->pool, &q->job, &part, query_work, query_done, query_left);
	net->queries += r == 0;
	if (!ipc_pool_is_busy(r))
		return r;
	return ipc_timer_start(q->ipc->loop, &q->timer, ipc_now() + ipc_backoff_pause(&q->backoff), query_again);
}

/* What needs no asking: whether the port is a number, and what is wrong with it if it is. */
static bool query_port_is_number(struct net_query *q)
{
	const char *port = q->name.port;
	int64_t number;

	if (port[strspn(port, "0123456789")])
		return false;
	if (ipc_number_parse(port, strlen(port), 0, 0, UINT16_MAX, &number) < 0)
		q->gai = EAI_SERVICE;
	return true;
}

struct net_query *net_resolve(struct ipc *ipc, const struct ipc_cred *cred, const struct net_name *name, bool passive,
			      void (*done)(void *arg, int err, struct addrinfo *), void *arg)
{
	struct net_query *q = calloc(1, sizeof(*q));
	int r = 0;

	if (!q) {
		done(arg, -ENOMEM, NULL);
		return NULL;
	}
	q->ipc = ipc;
	q->cred = *cred;
	q->name = *name;
	q->passive = passive;
	q->done = done;
	q->arg = arg;
	q->backoff = (struct ipc_backoff){DELAY_FIRST, DELAY_LAST};
	if (query_port_is_number(q)) {
		if (!q->gai)
			q->gai = query_ask(q, AI_NUMERICHOST | AI_NUMERICSERV, &q->result);
		if (q->gai != EAI_NONAME) {
			query_finish(q);
			return NULL;
		}
	}
	r = query_submit(q);
	if (r == 0)
		return q;
	q->gai = EAI_SYSTEM;
	q->err = -r;
	query_finish(q);
	return NULL;
}

void net_resolve_cancel(struct net_query *q)
{
	if (!q)
		return;
	q->done = NULL;
	if (q->timer.slot) {
		ipc_timer_stop(q->ipc->loop, &q->timer);
		query_finish(q);
	} else {
		ipc_job_cancel(q->ipc->pool, &q->job);
	}
}

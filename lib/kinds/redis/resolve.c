/* The addresses of hosts. */
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "conn.h"
#include "core/instance.h"

/* A host's name, asked for by a helper. Nobody can interrupt that: who has no more use for the answer leaves it. */
struct redis_query {
	struct ipc_job job;
	void (*done)(void *arg, const char *number, const char *why); /* NULL: not wanted */
	void *arg;
	char host[REDIS_HOST_MAX + 1];
	char number[INET6_ADDRSTRLEN];
	int gai;
};

static void query_work(struct ipc_job *job)
{
	struct redis_query *q = ipc_container(job, struct redis_query, job);
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found;

	q->gai = getaddrinfo(q->host, NULL, &hints, &found);
	if (q->gai)
		return;
	q->gai = getnameinfo(found->ai_addr, found->ai_addrlen, q->number, sizeof(q->number), NULL, 0, NI_NUMERICHOST);
	freeaddrinfo(found);
}

static void query_left(struct ipc_job *job)
{
	free(ipc_container(job, struct redis_query, job));
}

static void query_done(struct ipc_job *job)
{
	struct redis_query *q = ipc_container(job, struct redis_query, job);
	char why[512];

	if (job->abandoned)
		return;
	snprintf(why, sizeof(why), "no address for the host '%s': %s", q->host, gai_strerror(q->gai));
	if (q->done)
		q->done(q->arg, q->gai ? NULL : q->number, q->gai ? why : NULL);
	free(q);
}

struct redis_query *redis_resolve(struct ipc *ipc, const char *host,
				  void (*done)(void *arg, const char *number, const char *why), void *arg)
{
	struct redis_query *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->done = done;
	q->arg = arg;
	q->gai = EAI_AGAIN;
	snprintf(q->host, sizeof(q->host), "%s", host);
	if (ipc_pool_submit_deaf(ipc->pool, &q->job, query_work, query_done, query_left) == 0)
		return q;
	free(q);
	return NULL;
}

void redis_resolve_cancel(struct redis_query *q)
{
	q->done = NULL;
}

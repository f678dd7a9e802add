/*
 * What a small write costs, or with -o an open, a write and a close: nanoseconds of an operation, all clients together.
 *
 * usage: writes [-o] [-c CLIENTS] [-s SIZE] [-n COUNT] [-b BURST] [-q QUEUE] FILE...
 *
 * The clients are threads, each with a descriptor of its own (the n-th FILE, again from the first where there are
 * fewer). Together they write bursts of BURST; only the bursts are timed. In between QUEUE is drained natively, and
 * each message must be there, whole, once and in its client's order.
 */
#include <mqueue.h>
#include <pthread.h>
#include <stdbool.h>

#include "bench.h"

enum { CLIENTS_MAX = 64, SIZE_MAX_ = 1 << 16 };

struct stamp {
	uint32_t client;
	uint32_t seq;
};

static struct {
	bool reopen;
	unsigned clients, files;
	size_t size;
	uint32_t count, burst; /* of each client */
	const char *queue;
	char **file;
	pthread_barrier_t barrier;
	int64_t begin[CLIENTS_MAX], end[CLIENTS_MAX];
	int64_t total;
	mqd_t mq;
	long msgsize;
	uint32_t seen[CLIENTS_MAX];
} run = {.clients = 1, .size = 64, .count = 1000, .burst = 1000, .mq = -1};

static void drain_one(char *buf)
{
	ssize_t n = mq_receive(run.mq, buf, (size_t)run.msgsize, NULL);
	struct stamp stamp;

	if (n < 0)
		bench_die("%s: a message is missing", run.queue);
	memcpy(&stamp, buf, sizeof(stamp));
	if ((size_t)n != run.size || stamp.client >= run.clients || stamp.seq != run.seen[stamp.client])
		bench_wrong("%s: %zd bytes of client %u, number %u", run.queue, n, stamp.client, stamp.seq);
	run.seen[stamp.client]++;
}

/* One thread does this between two barriers. */
static void burst_done(uint32_t burst)
{
	int64_t begin = run.begin[0], end = run.end[0];
	static char *buf;

	for (unsigned i = 1; i < run.clients; i++) {
		begin = run.begin[i] < begin ? run.begin[i] : begin;
		end = run.end[i] > end ? run.end[i] : end;
	}
	run.total += end - begin;
	if (run.mq < 0)
		return;
	if (!buf && !(buf = malloc((size_t)run.msgsize)))
		bench_die("malloc");
	for (uint32_t i = 0; i < burst * run.clients; i++)
		drain_one(buf);
}

static void *client(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;
	const char *path = run.file[me % run.files];
	static char data[CLIENTS_MAX][SIZE_MAX_];
	struct stamp stamp = {.client = me};
	int fd = run.reopen ? -1 : bench_open(path, O_WRONLY);

	while (stamp.seq < run.count) {
		uint32_t burst = run.count - stamp.seq < run.burst ? run.count - stamp.seq : run.burst;

		pthread_barrier_wait(&run.barrier);
		run.begin[me] = bench_now();
		for (uint32_t i = 0; i < burst; i++, stamp.seq++) {
			memcpy(data[me], &stamp, sizeof(stamp));
			if (run.reopen)
				fd = bench_open(path, O_WRONLY);
			if (write(fd, data[me], run.size) != (ssize_t)run.size)
				bench_die("%s: write", path);
			if (run.reopen)
				close(fd);
		}
		run.end[me] = bench_now();
		pthread_barrier_wait(&run.barrier);
		if (me == 0)
			burst_done(burst);
		pthread_barrier_wait(&run.barrier);
	}
	return NULL;
}

static void take_options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "oc:s:n:b:q:")) != -1) {
		switch (c) {
		case 'o':
			run.reopen = true;
			break;
		case 'c':
			run.clients = (unsigned)bench_number(optarg);
			break;
		case 's':
			run.size = (size_t)bench_number(optarg);
			break;
		case 'n':
			run.count = (uint32_t)bench_number(optarg);
			break;
		case 'b':
			run.burst = (uint32_t)bench_number(optarg);
			break;
		case 'q':
			run.queue = optarg;
			break;
		default:
			exit(2);
		}
	}
	run.file = argv + optind;
	run.files = (unsigned)(argc - optind);
	if (!run.files || !run.clients || run.clients > CLIENTS_MAX || run.size < sizeof(struct stamp) ||
	    run.size > SIZE_MAX_) {
		fputs("usage: writes [-o] [-c CLIENTS] [-s SIZE] [-n COUNT] [-b BURST] [-q QUEUE] FILE...\n", stderr);
		exit(2);
	}
	/* COUNT and BURST are of all clients. */
	run.count = run.count / run.clients ? run.count / run.clients : 1;
	run.burst = run.burst / run.clients ? run.burst / run.clients : 1;
}

static void queue_attach(void)
{
	struct mq_attr attr;

	if (!run.queue)
		return;
	run.mq = mq_open(run.queue, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (run.mq < 0 || mq_getattr(run.mq, &attr) < 0)
		bench_die("%s", run.queue);
	run.msgsize = attr.mq_msgsize;
	if (run.burst * run.clients > (unsigned long)attr.mq_maxmsg)
		run.burst = (uint32_t)attr.mq_maxmsg / run.clients;
	if (attr.mq_curmsgs || !run.burst) {
		errno = EBUSY;
		bench_die("%s", run.queue);
	}
}

int main(int argc, char **argv)
{
	pthread_t threads[CLIENTS_MAX];

	take_options(argc, argv);
	queue_attach();
	pthread_barrier_init(&run.barrier, NULL, run.clients);
	for (unsigned i = 0; i < run.clients; i++) {
		errno = pthread_create(&threads[i], NULL, client, (void *)(uintptr_t)i);
		if (errno)
			bench_die("pthread_create");
	}
	for (unsigned i = 0; i < run.clients; i++)
		pthread_join(threads[i], NULL);
	printf("%.1f\n", (double)run.total / run.count / run.clients);
	return 0;
}

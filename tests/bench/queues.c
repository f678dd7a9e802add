/*
 * Many queues written to at once: nanoseconds of a write, all of them together.
 *
 * usage: queues PREFIX COUNT ROUNDS [DIR]   COUNT threads, each with the queue /PREFIX-N of its own, made here; in a
 * round each sends some messages by mq_send(3) or, with DIR, by writes to the file DIR/PREFIX-N
 *
 * Between the rounds each receives natively what it has sent; a message that is not there, or another, is an error.
 */
#include <mqueue.h>
#include <pthread.h>
#include <sys/resource.h>

#include "bench.h"

enum { SIZE = 64, BURST = 2 };

struct writer {
	pthread_t thread;
	char name[96];
	mqd_t mq;
	int fd; /* -1: by mq_send(3) */
	int64_t begin, end;
	unsigned number;
};

static struct {
	long count, rounds;
	struct writer *writer;
	pthread_barrier_t barrier;
	int64_t total;
} run;

static void message(char text[static SIZE + 1], unsigned writer, unsigned number)
{
	snprintf(text, SIZE + 1, "%0*u-%0*u", SIZE / 2, writer, SIZE / 2 - 1, number);
}

static void send_burst(struct writer *w)
{
	char text[SIZE + 1];

	for (unsigned i = 0; i < BURST; i++) {
		message(text, w->number, i);
		if ((w->fd < 0 ? mq_send(w->mq, text, SIZE, 0) : write(w->fd, text, SIZE) - SIZE) != 0)
			bench_die("%s: write", w->name);
	}
}

static void receive_burst(struct writer *w)
{
	char text[SIZE + 1], got[SIZE];

	for (unsigned i = 0; i < BURST; i++) {
		message(text, w->number, i);
		if (mq_receive(w->mq, got, SIZE, NULL) != SIZE)
			bench_die("%s: a message is missing", w->name);
		if (memcmp(got, text, SIZE) != 0)
			bench_wrong("%s: message %u", w->name, i);
	}
}

static void *writer_run(void *arg)
{
	struct writer *w = arg;

	for (long round = 0; round < run.rounds; round++) {
		pthread_barrier_wait(&run.barrier);
		w->begin = bench_now();
		send_burst(w);
		w->end = bench_now();
		receive_burst(w);
		if (pthread_barrier_wait(&run.barrier) != 0) { /* in one of them */
			int64_t begin = run.writer[0].begin, end = run.writer[0].end;

			for (long i = 1; i < run.count; i++) {
				begin = run.writer[i].begin < begin ? run.writer[i].begin : begin;
				end = run.writer[i].end > end ? run.writer[i].end : end;
			}
			run.total += end - begin;
		}
	}
	return NULL;
}

/* Every queue goes when its last descriptor does, so that none is left behind. */
static void writer_open(struct writer *w, const char *prefix, const char *dir)
{
	struct mq_attr attr = {.mq_maxmsg = BURST, .mq_msgsize = SIZE};
	char path[512];

	snprintf(w->name, sizeof(w->name), "/%s-%u", prefix, w->number);
	mq_unlink(w->name);
	w->mq = mq_open(w->name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
	if (w->mq < 0)
		bench_die("%s", w->name);
	snprintf(path, sizeof(path), "%s%s", dir ? dir : "", w->name);
	w->fd = dir ? open(path, O_WRONLY | O_CLOEXEC) : -1;
	mq_unlink(w->name);
	if (dir && w->fd < 0)
		bench_die("%s", path);
}

int main(int argc, char **argv)
{
	struct rlimit files;
	pthread_attr_t attr;

	run.count = argc == 4 || argc == 5 ? bench_number(argv[2]) : 0;
	run.rounds = run.count ? bench_number(argv[3]) : 0;
	if (!run.rounds) {
		fputs("usage: queues PREFIX COUNT ROUNDS [DIR]\n", stderr);
		return 2;
	}
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	run.writer = calloc((size_t)run.count, sizeof(*run.writer));
	if (!run.writer)
		bench_die("calloc");
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 * 1024);
	pthread_barrier_init(&run.barrier, NULL, (unsigned)run.count);
	for (long i = 0; i < run.count; i++) {
		run.writer[i].number = (unsigned)i;
		writer_open(&run.writer[i], argv[1], argv[4]);
	}
	for (long i = 0; i < run.count; i++)
		if (pthread_create(&run.writer[i].thread, &attr, writer_run, &run.writer[i]) != 0)
			bench_die("thread %ld", i);
	for (long i = 0; i < run.count; i++)
		pthread_join(run.writer[i].thread, NULL);
	printf("%.1f\n", (double)run.total / (double)(run.count * run.rounds * BURST));
	return 0;
}

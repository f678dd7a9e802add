/*
 * A slow stream: writes 64 bytes to FILE at a steady RATE a second; with QUEUE, each is received natively from there at
 * once.
 *
 * usage: trickle RATE SECONDS FILE [QUEUE]
 */
#include <mqueue.h>

#include "bench.h"

enum { SIZE = 64 };

static mqd_t mq = -1;
static char *room;
static size_t msgsize;

static void attach(const char *queue)
{
	struct mq_attr attr;

	mq = mq_open(queue, O_RDONLY | O_NONBLOCK);
	if (mq < 0 || mq_getattr(mq, &attr) < 0)
		bench_die("%s", queue);
	msgsize = (size_t)attr.mq_msgsize;
	room = malloc(msgsize);
	if (!room)
		bench_die("malloc");
}

static void check(const char *sent, long number)
{
	if (mq_receive(mq, room, msgsize, NULL) != SIZE || memcmp(room, sent, SIZE) != 0)
		bench_wrong("message %ld", number);
}

int main(int argc, char **argv)
{
	long rate = argc >= 4 ? bench_number(argv[1]) : 0;
	long count = rate ? rate * bench_number(argv[2]) : 0;
	struct timespec when;
	char data[SIZE] = "";
	int fd;

	if (!count || argc > 5) {
		fputs("usage: trickle RATE SECONDS FILE [QUEUE]\n", stderr);
		return 2;
	}
	if (argc == 5)
		attach(argv[4]);
	fd = bench_open(argv[3], O_WRONLY);
	clock_gettime(CLOCK_MONOTONIC, &when);
	for (long i = 0; i < count; i++) {
		memcpy(data, &i, sizeof(i));
		if (write(fd, data, SIZE) != SIZE)
			bench_die("%s", argv[3]);
		if (room)
			check(data, i);
		when.tv_nsec += 1000000000 / rate;
		when.tv_sec += when.tv_nsec / 1000000000;
		when.tv_nsec %= 1000000000;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL);
	}
	free(room);
	return 0;
}

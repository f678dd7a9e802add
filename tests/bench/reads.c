/*
 * What a read of a message costs: nanoseconds.
 *
 * usage: reads COUNT QUEUE FILE    FILE: the queue in a mount, or - for mq_receive(3)
 *
 * QUEUE is filled natively in between; only the reads are timed. Each message must come whole and once.
 */
#include <mqueue.h>
#include <stdbool.h>

#include "bench.h"

enum { SIZE = 64, BURST_MAX = 1000 };

static void fill(mqd_t mq, uint32_t from, uint32_t count)
{
	char message[SIZE] = {0};

	for (uint32_t seq = from; seq < from + count; seq++) {
		memcpy(message, &seq, sizeof(seq));
		if (mq_send(mq, message, sizeof(message), 0) < 0)
			bench_die("mq_send");
	}
}

static void take(mqd_t mq, int fd, uint32_t expected)
{
	char message[SIZE + 1];
	ssize_t n = mq >= 0 ? mq_receive(mq, message, SIZE, NULL) : read(fd, message, sizeof(message));
	uint32_t seq;

	if (n < 0)
		bench_die("read");
	memcpy(&seq, message, sizeof(seq));
	if (n != SIZE || seq != expected)
		bench_wrong("%zd bytes, number %u instead of %u", n, seq, expected);
}

int main(int argc, char **argv)
{
	uint32_t count = argc == 4 ? (uint32_t)bench_number(argv[1]) : 0, seq = 0;
	mqd_t mq = argc == 4 ? mq_open(argv[2], O_RDWR | O_NONBLOCK | O_CLOEXEC) : -1;
	int64_t total = 0;
	struct mq_attr attr;
	bool native;
	int fd;

	if (!count) {
		fputs("usage: reads COUNT QUEUE FILE\n", stderr);
		return 2;
	}
	native = strcmp(argv[3], "-") == 0;
	if (mq < 0 || mq_getattr(mq, &attr) < 0)
		bench_die("%s", argv[2]);
	fd = native ? -1 : bench_open(argv[3], O_RDONLY);
	while (seq < count) {
		uint32_t burst = attr.mq_maxmsg < BURST_MAX ? (uint32_t)attr.mq_maxmsg : BURST_MAX;
		int64_t begin;

		burst = burst < count - seq ? burst : count - seq;
		fill(mq, seq, burst);
		begin = bench_now();
		for (uint32_t end = seq + burst; seq < end; seq++)
			take(native ? mq : -1, fd, seq);
		total += bench_now() - begin;
	}
	printf("%.1f\n", (double)total / count);
	return 0;
}

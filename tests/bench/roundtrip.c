/*
 * A request of 64 bytes and its answer: nanoseconds for both.
 *
 * usage: roundtrip [-w] COUNT REQUEST_OUT REQUEST_IN ANSWER_OUT ANSWER_IN
 *
 * -w: of the request's way alone, from before its write to after its read.
 *
 * The client writes to REQUEST_OUT and reads ANSWER_IN; the server is a process of its own, reads REQUEST_IN and writes
 * to ANSWER_OUT. A side whose two paths are the same opens it once, for both.
 */
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>

#include "bench.h"

/* A message is SIZE bytes: its number, in an answer the inverse of that, when it was written, how long it came. */
enum { SIZE = 64, NUMBER = 0, INVERSE = 1, WRITTEN = 2, WAY = 3 };

struct side {
	int in, out;
};

static struct side side_open(const char *in, const char *out, bool writes_first)
{
	struct side side;

	if (strcmp(in, out) == 0) {
		side.in = side.out = bench_open(in, O_RDWR);
	} else if (writes_first) {
		side.out = bench_open(out, O_WRONLY);
		side.in = bench_open(in, O_RDONLY);
	} else {
		side.in = bench_open(in, O_RDONLY);
		side.out = bench_open(out, O_WRONLY);
	}
	return side;
}

static bool take(int fd, uint64_t data[static SIZE / sizeof(uint64_t)])
{
	size_t done = 0;

	while (done < SIZE) {
		ssize_t n = read(fd, (char *)data + done, SIZE - done);

		if (n < 0)
			bench_die("read");
		if (n == 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static void give(int fd, const uint64_t data[static SIZE / sizeof(uint64_t)])
{
	if (write(fd, data, SIZE) != SIZE)
		bench_die("write");
}

static void serve(struct side side)
{
	uint64_t data[SIZE / sizeof(uint64_t)];

	while (take(side.in, data)) {
		data[INVERSE] = ~data[NUMBER];
		data[WAY] = (uint64_t)bench_now() - data[WRITTEN];
		give(side.out, data);
	}
}

/* Returns how long the request came. */
static uint64_t ask(struct side side, uint64_t seq)
{
	uint64_t data[SIZE / sizeof(uint64_t)] = {[NUMBER] = seq, [WRITTEN] = (uint64_t)bench_now()};

	give(side.out, data);
	if (!take(side.in, data) || data[NUMBER] != seq || data[INVERSE] != ~seq)
		bench_wrong("answer %llu", (unsigned long long)seq);
	return data[WAY];
}

int main(int argc, char **argv)
{
	bool way = argc == 7 && strcmp(argv[1], "-w") == 0;
	char **args = argv + way;
	uint64_t count = argc == 6 + way ? (uint64_t)bench_number(args[1]) : 0, ways = 0;
	struct side side;
	int64_t begin;
	pid_t pid;

	if (!count) {
		fputs("usage: roundtrip [-w] COUNT REQUEST_OUT REQUEST_IN ANSWER_OUT ANSWER_IN\n", stderr);
		return 2;
	}
	pid = fork();
	if (pid < 0)
		bench_die("fork");
	if (pid == 0) {
		serve(side_open(args[3], args[4], false));
		_exit(0);
	}
	side = side_open(args[5], args[2], true);
	for (uint64_t i = 0; i < 10; i++)
		ask(side, i);
	begin = bench_now();
	for (uint64_t i = 0; i < count; i++)
		ways += ask(side, i);
	printf("%.1f\n", (double)(way ? (int64_t)ways : bench_now() - begin) / (double)count);
	fflush(stdout);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return 0;
}

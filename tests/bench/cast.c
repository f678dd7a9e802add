/*
 * One message to many readers: nanoseconds of a message and reader.
 *
 * usage: cast READERS COUNT [OUT IN]   COUNT writes to the file OUT, and READERS who open IN and read it, each all of
 * them; without files a pipe for each reader, and a write to each of them
 *
 * A message has 64 bytes, with a newline at its end, so that OUT and IN may be @lines. Each reader is a process of its
 * own.
 */
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "bench.h"

enum { SIZE = 64, READERS_MAX = 1000 };

static int ins[READERS_MAX], outs[READERS_MAX];
static int64_t *ends; /* of each reader */

static void message(char *text, long number)
{
	snprintf(text, SIZE + 1, "%0*ld\n", SIZE - 1, number);
}

static void receive(int fd, long count)
{
	static char got[1 << 16];
	char text[SIZE + 1];

	for (long i = 0; i < count;) {
		ssize_t n = read(fd, got, sizeof(got));

		if (n < 0)
			bench_die("read, behind message %ld", i);
		if (n == 0 || n % SIZE)
			bench_wrong("%zd bytes behind message %ld", n, i);
		for (ssize_t at = 0; at < n; at += SIZE, i++) {
			message(text, i);
			if (memcmp(got + at, text, SIZE) != 0)
				bench_wrong("message %ld", i);
		}
	}
}

static void transmit(const int *fds, long n, long count)
{
	char text[SIZE + 1];

	for (long i = 0; i < count; i++) {
		message(text, i);
		for (long to = 0; to < n; to++)
			if (write(fds[to], text, SIZE) != SIZE)
				bench_die("write");
	}
}

/* All readers are open before the first message. Returns how many descriptors are to be written to. */
static long open_all(long readers, char **files)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	for (long i = 0; i < readers; i++) {
		int pair[2];

		if (files[0]) {
			ins[i] = bench_open(files[1], O_RDONLY);
			continue;
		}
		if (pipe2(pair, O_CLOEXEC) < 0)
			bench_die("pipe");
		ins[i] = pair[0];
		outs[i] = pair[1];
	}
	if (!files[0])
		return readers;
	outs[0] = bench_open(files[0], O_WRONLY);
	return 1;
}

static void start(long readers, long count)
{
	for (long i = 0; i < readers; i++) {
		pid_t pid = fork();

		if (pid < 0)
			bench_die("fork");
		if (pid == 0) {
			receive(ins[i], count);
			ends[i] = bench_now();
			_exit(0);
		}
	}
	for (long i = 0; i < readers; i++)
		close(ins[i]);
}

int main(int argc, char **argv)
{
	long readers = argc == 3 || argc == 5 ? bench_number(argv[1]) : 0;
	long count = readers ? bench_number(argv[2]) : 0;
	int64_t begin, end = 0;
	long n;

	if (!count || readers > READERS_MAX) {
		fputs("usage: cast READERS COUNT [OUT IN]\n", stderr);
		return 2;
	}
	ends = mmap(NULL, (size_t)readers * sizeof(*ends), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ends == MAP_FAILED)
		bench_die("mmap");
	n = open_all(readers, argv + 3);
	start(readers, count);
	begin = bench_now();
	transmit(outs, n, count);
	for (long i = 0; i < readers; i++) {
		int status;

		if (wait(&status) < 0 || status)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	}
	for (long i = 0; i < readers; i++)
		end = ends[i] > end ? ends[i] : end;
	printf("%.1f\n", (double)(end - begin) / (double)count / (double)readers);
	return 0;
}

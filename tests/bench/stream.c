/*
 * How many bytes a second go from a writer to a reader: megabytes (10^6) a second.
 *
 * usage: stream SIZE COUNT PATH    COUNT writes of SIZE bytes; the reader reads 64 KiB at a time
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include "bench.h"

enum { BLOCK = 1 << 16 };

static char buf[BLOCK];

/* Each block of `size` bytes begins with its number. */
static void check(const char *data, size_t n, uint64_t at, size_t size)
{
	uint64_t number = (at + size - 1) / size;

	for (uint64_t block = number * size; block + sizeof(number) <= at + n; block += size, number++)
		if (memcmp(data + (block - at), &number, sizeof(number)) != 0)
			bench_wrong("block %llu", (unsigned long long)number);
}

static void receive(const char *path, size_t size, uint64_t total)
{
	int fd = bench_open(path, O_RDONLY);
	uint64_t at = 0;

	while (at < total) {
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n < 0)
			bench_die("%s: read", path);
		if (n == 0)
			bench_wrong("%s: the end after %llu bytes", path, (unsigned long long)at);
		check(buf, (size_t)n, at, size);
		at += (uint64_t)n;
	}
}

static void transmit(int fd, size_t size, uint64_t count)
{
	for (uint64_t number = 0; number < count; number++) {
		size_t done = 0;

		memcpy(buf, &number, sizeof(number));
		while (done < size) {
			ssize_t n = write(fd, buf + done, size - done);

			if (n < 0)
				bench_die("write");
			done += (size_t)n;
		}
	}
}

int main(int argc, char **argv)
{
	size_t size = argc == 4 ? (size_t)bench_number(argv[1]) : 0;
	uint64_t count = size ? (uint64_t)bench_number(argv[2]) : 0;
	int64_t *end, begin;
	int status = 0;
	pid_t pid;
	int fd;

	if (size < sizeof(uint64_t) || size > BLOCK) {
		fputs("usage: stream SIZE COUNT PATH\n", stderr);
		return 2;
	}
	end = mmap(NULL, sizeof(*end), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (end == MAP_FAILED || (pid = fork()) < 0)
		bench_die("fork");
	if (pid == 0) {
		receive(argv[3], size, size * count);
		*end = bench_now();
		_exit(0);
	}
	fd = bench_open(argv[3], O_WRONLY);
	begin = bench_now();
	transmit(fd, size, count);
	if (waitpid(pid, &status, 0) < 0 || status)
		return status ? WEXITSTATUS(status) : 1;
	printf("%.1f\n", (double)(size * count) * 1e3 / (double)(*end - begin));
	return 0;
}

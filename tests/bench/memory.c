/*
 * Shared memory: megabytes (10^6) a second, or for `line` nanoseconds of a round trip.
 *
 * usage: memory read|write|copy|line PATH COUNT
 *
 * read, write: COUNT calls of 64 KiB, through a file of 16 MiB again and again. copy: as many bytes by memcpy(3) out of
 * a mapping. line: two processes hand one cache line of a mapping to and fro.
 */
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "bench.h"

enum { BLOCK = 1 << 16, BLOCKS = 256, SPINS = 10000 };

static char buf[BLOCK];

static void fill(int fd)
{
	for (uint64_t i = 0; i < BLOCKS; i++) {
		memcpy(buf, &i, sizeof(i));
		if (pwrite(fd, buf, BLOCK, (off_t)i * BLOCK) != BLOCK)
			bench_die("pwrite");
	}
}

static void check(uint64_t want)
{
	if (memcmp(buf, &want, sizeof(want)) != 0)
		bench_wrong("block %llu", (unsigned long long)want);
}

static void read_blocks(int fd, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		if (pread(fd, buf, BLOCK, (off_t)(i % BLOCKS) * BLOCK) != BLOCK)
			bench_die("pread");
		check(i % BLOCKS);
	}
}

static void write_blocks(int fd, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		memcpy(buf, &i, sizeof(i));
		if (pwrite(fd, buf, BLOCK, (off_t)(i % BLOCKS) * BLOCK) != BLOCK)
			bench_die("pwrite");
	}
}

static void check_written(int fd, uint64_t count)
{
	for (uint64_t i = count > BLOCKS ? count - BLOCKS : 0; i < count; i++) {
		if (pread(fd, buf, BLOCK, (off_t)(i % BLOCKS) * BLOCK) != BLOCK)
			bench_die("pread");
		check(i);
	}
}

static void *map(int fd)
{
	void *at = mmap(NULL, (size_t)BLOCKS * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);

	if (at == MAP_FAILED)
		bench_die("mmap");
	return at;
}

static void copy_blocks(const char *from, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		memcpy(buf, from + (i % BLOCKS) * BLOCK, BLOCK);
		check(i % BLOCKS);
	}
}

/* Where both processes have one processor, the other runs only if this one lets it. */
static void await(_Atomic uint64_t *line, uint64_t value)
{
	for (unsigned spins = 0; atomic_load_explicit(line, memory_order_acquire) != value; spins++)
		if (spins == SPINS) {
			sched_yield();
			spins = 0;
		}
}

static void hand(_Atomic uint64_t *line, uint64_t count, uint64_t mine)
{
	for (uint64_t i = 0; i < count; i++) {
		await(line, 2 * i + mine);
		atomic_store_explicit(line, 2 * i + mine + 1, memory_order_release);
	}
}

static int64_t hand_lines(_Atomic uint64_t *line, uint64_t count)
{
	int64_t begin;
	pid_t pid;

	atomic_store(line, 0);
	pid = fork();
	if (pid < 0)
		bench_die("fork");
	if (pid == 0) {
		hand(line, count, 1);
		_exit(0);
	}
	begin = bench_now();
	hand(line, count, 0);
	await(line, 2 * count);
	begin = bench_now() - begin;
	waitpid(pid, NULL, 0);
	return begin;
}

int main(int argc, char **argv)
{
	const char *mode = argc == 4 ? argv[1] : "";
	uint64_t count = argc == 4 ? (uint64_t)bench_number(argv[3]) : 0;
	int64_t begin;
	void *at;
	int fd;

	if (!count) {
		fputs("usage: memory read|write|copy|line PATH COUNT\n", stderr);
		return 2;
	}
	fd = bench_open(argv[2], O_RDWR | O_CREAT);
	fill(fd);
	at = map(fd);
	if (strcmp(mode, "line") == 0) {
		printf("%.1f\n", (double)hand_lines(at, count) / (double)count);
		return 0;
	}
	begin = bench_now();
	if (strcmp(mode, "read") == 0)
		read_blocks(fd, count);
	else if (strcmp(mode, "write") == 0)
		write_blocks(fd, count);
	else
		copy_blocks(at, count);
	begin = bench_now() - begin;
	if (strcmp(mode, "write") == 0)
		check_written(fd, count);
	printf("%.1f\n", (double)BLOCK * (double)count * 1e3 / (double)begin);
	return 0;
}

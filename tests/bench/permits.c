/*
 * What a small operation costs that carries no data: nanoseconds of each.
 *
 * usage: permits post FILE COUNT [SEM]   COUNT writes of a newline
 *        permits wait FILE COUNT [SEM]   COUNT reads, each of an open file of its own
 *        permits take FILE COUNT [SEM]   the same with opening and closing it
 *        permits signal DIR COUNT        COUNT times RTMIN to DIR/PID, our own, and taking it
 *        permits kill - COUNT            the same by kill(2)
 *
 * SEM is the semaphore behind FILE, which must have had so many permits more, or less, at the end.
 */
#include <semaphore.h>
#include <signal.h>

#include "bench.h"

enum { BURST = 64 };

static sem_t *sem;

static int sem_now(void)
{
	int value = 0;

	if (sem && sem_getvalue(sem, &value) < 0)
		bench_die("sem_getvalue");
	return value;
}

static void check_moved(int before, long by)
{
	if (sem && sem_now() - before != by)
		bench_wrong("%d permits became %d, and should have moved by %ld", before, sem_now(), by);
}

static int64_t post(const char *path, long count)
{
	int fd = bench_open(path, O_WRONLY), before = sem_now();
	int64_t begin = bench_now();

	for (long i = 0; i < count; i++)
		if (write(fd, "\n", 1) != 1)
			bench_die("%s: write", path);
	begin = bench_now() - begin;
	check_moved(before, count);
	while (sem && sem_trywait(sem) == 0)
		;
	return begin;
}

static int64_t read_one(int fd, const char *path)
{
	int64_t begin = bench_now();
	char line[16];

	if (read(fd, line, sizeof(line)) < 0)
		bench_die("%s: read", path);
	return bench_now() - begin;
}

static int64_t wait_or_take(const char *path, long count, int whole)
{
	int64_t reads = 0, begin;
	int fds[BURST];

	for (long i = 0; sem && i < count; i++)
		sem_post(sem);
	int before = sem_now();
	begin = bench_now();
	for (long done = 0, burst; done < count; done += burst) {
		burst = whole ? 1 : count - done < BURST ? count - done : BURST;
		for (long i = 0; i < burst; i++)
			fds[i] = bench_open(path, O_RDONLY);
		for (long i = 0; i < burst; i++)
			reads += read_one(fds[i], path);
		for (long i = 0; i < burst; i++)
			close(fds[i]);
	}
	begin = bench_now() - begin;
	check_moved(before, -count);
	return whole ? begin : reads;
}

/* dir: NULL for kill(2). Signals from RTMIN on are counted, not merged. */
static int64_t send(const char *dir, long count)
{
	const struct timespec none = {0};
	char path[4096];
	siginfo_t info;
	sigset_t set;
	int64_t begin;
	int fd = -1;

	snprintf(path, sizeof(path), "%s/%d", dir ? dir : "", (int)getpid());
	if (dir)
		fd = bench_open(path, O_WRONLY);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	begin = bench_now();
	for (long i = 0; i < count; i++) {
		if (dir ? write(fd, "RTMIN\n", 6) != 6 : kill(getpid(), SIGRTMIN) < 0)
			bench_die("%s: signal", path);
		if (sigwaitinfo(&set, &info) != SIGRTMIN)
			bench_wrong("%s: signal %ld", path, i);
	}
	begin = bench_now() - begin;
	if (sigtimedwait(&set, &info, &none) >= 0)
		bench_wrong("%s: more signals than were sent", path);
	return begin;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 3 ? argv[1] : "";
	long count = argc > 3 ? bench_number(argv[3]) : 0;
	int64_t took;

	if (argc > 4) {
		sem = sem_open(argv[4], 0);
		if (sem == SEM_FAILED)
			bench_die("%s", argv[4]);
	}
	if (count && strcmp(verb, "post") == 0) {
		took = post(argv[2], count);
	} else if (count && strcmp(verb, "take") == 0) {
		took = wait_or_take(argv[2], count, 1);
	} else if (count && strcmp(verb, "wait") == 0) {
		took = wait_or_take(argv[2], count, 0);
	} else if (count && strcmp(verb, "signal") == 0) {
		took = send(argv[2], count);
	} else if (count && strcmp(verb, "kill") == 0) {
		took = send(NULL, count);
	} else {
		fputs("usage: permits post|wait|take|signal|kill FILE COUNT [SEM]\n", stderr);
		return 2;
	}
	printf("%.1f\n", (double)took / (double)count);
	return 0;
}

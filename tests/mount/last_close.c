/* Which close of a descriptor ends an unfinished line, and what finding that out costs others. */
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "queue.h"

enum { DESCRIPTORS = 20000, CLOSES = 10, WRITES = 50 };

static const char *queue_path(void)
{
	return t_path(M, "mq/%s@lines", t_name("q"));
}

t_test(last_close, line_goes_on_over_a_bind_mount)
{
	if (geteuid() != 0)
		cr_skip_test("only root can mount");
	t_check("mkdir bound && unshare -m sh -c '\n"
		"mount --bind \"$M\" bound && exec 3>bound/mq/${P}q@lines\n"
		"printf par >&3; /bin/true; printf \"tial\\n\" >&3; exec 3>&-; cat \"$M/mq/${P}q@lines,drain\"'",
		"partial\n");
}

t_test(last_close, line_goes_on_where_one_file_is_bound)
{
	if (geteuid() != 0)
		cr_skip_test("only root can mount");
	t_check("touch file $M/mq/${P}q && unshare -m sh -c '\n"
		"mount --bind \"$M/mq/${P}q@lines\" file && exec 3>file\n"
		"printf par >&3; /bin/true; printf \"tial\\n\" >&3; exec 3>&-; cat \"$M/mq/${P}q@lines,drain\"'",
		"partial\n");
}

t_test(last_close, line_ends_at_the_last_close_though_a_reader_has_it_open)
{
	t_check("exec 3>$M/mq/${P}q@lines 4<$M/mq/${P}q@lines,drain; printf tail >&3; exec 3>&-; cat <&4", "tail\n");
}

struct shared {
	atomic_int ready, stop;
	atomic_long closes;
};

static double seconds_since(const struct timespec *from)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - from->tv_sec) + (double)(now.tv_nsec - from->tv_nsec) / 1e9;
}

/* Has an unfinished line, and closes a duplicate of its descriptor again and again. */
static int close_again_and_again(void *arg)
{
	struct shared *shared = arg;
	struct rlimit limit;
	int line = open(queue_path(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	int other = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int last;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
	last = (int)limit.rlim_cur - 1;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || write(line, "part", 4) != 4)
		return 1;
	/* Far behind the others, where it is found last. */
	if (dup2(line, last - 1) < 0 || dup2(line, last) < 0)
		return 2;
	while (dup(other) >= 0)
		;
	dup2(other, line);
	atomic_store(&shared->ready, 1);
	while (!atomic_load(&shared->stop)) {
		close(last);
		dup2(last - 1, last);
		atomic_fetch_add(&shared->closes, 1);
	}
	return 0;
}

static int seconds_compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* How long one of another's writes takes, usually. */
static double write_seconds(void)
{
	int fd = open(t_path(M, "bcast/%s", t_name("b")), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	double took[WRITES];

	for (int i = 0; i < WRITES; i++) {
		struct timespec from;

		clock_gettime(CLOCK_MONOTONIC, &from);
		cr_assert_eq(write(fd, "x", 1), 1);
		took[i] = seconds_since(&from);
	}
	close(fd);
	qsort(took, WRITES, sizeof(took[0]), seconds_compare);
	return took[WRITES / 2];
}

t_test(last_close, many_descriptors_delay_nobody_else)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct timespec from;
	double closing, writing;
	long before;
	pid_t closer;

	closer = t_fork(close_again_and_again, shared);
	t_await(atomic_load(&shared->ready));
	before = atomic_load(&shared->closes);
	clock_gettime(CLOCK_MONOTONIC, &from);
	writing = write_seconds();
	t_await(atomic_load(&shared->closes) >= before + CLOSES);
	closing = seconds_since(&from) / (double)(atomic_load(&shared->closes) - before);
	atomic_store(&shared->stop, 1);
	cr_assert_eq(t_wait_exit(closer, T_PATIENCE, NULL), 0);
	cr_assert_lt(writing, closing / 4, "a write took %g s, where another's close takes %g s", writing, closing);
}

/*
 * Producer and consumer over /shm with /sem: one of them native, the other one by files. Numbered lines go through a
 * ring, and each must come once, in its place. $ITEMS changes how many the shell takes.
 */
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"

TestSuite(sem_ring, .timeout = 120);

enum { SLOTS = 64, WIDTH = 16, ITEMS = 100000, SHELL_ITEMS = 10000 };

/* A semaphore as one of its two sides uses it. */
struct side {
	sem_t *native;
	char *path;
	int out; /* of the file's side: open for posting */
};

/* Not by t_name(), as children ask. */
static char *ring_name, *full_name, *empty_name;

static struct side side_of(const char *name, bool native)
{
	struct side s = {.path = t_path(M, "sem/%s", name), .out = -1};

	if (native)
		s.native = sem_open(t_format("/%s", name), 0);
	else
		s.out = t_open(s.path, O_WRONLY);
	return s;
}

static int file_wait(const char *path)
{
	int fd = t_open(path, O_RDONLY);
	char line[16];
	ssize_t n = read(fd, line, sizeof(line));

	close(fd);
	return n > 0 ? 0 : -1;
}

static void side_wait(const struct side *s)
{
	if ((s->native ? sem_wait(s->native) : file_wait(s->path)) < 0)
		t_fail("wait: %s", strerror(errno));
}

static void side_post(const struct side *s)
{
	if (s->native ? sem_post(s->native) < 0 : write(s->out, "\n", 1) != 1)
		t_fail("post: %s", strerror(errno));
}

static char *ring_of(bool native)
{
	int fd = native ? shm_open(t_format("/%s", ring_name), O_RDWR, 0)
			: t_open(t_path(M, "shm/%s", ring_name), O_RDWR);

	return mmap(NULL, (size_t)SLOTS * WIDTH, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

struct job {
	bool native;
	int items;
};

static int produce(void *arg)
{
	const struct job *job = arg;
	struct side empty = side_of(empty_name, job->native), full = side_of(full_name, job->native);
	char *ring = ring_of(job->native), line[WIDTH + 1];

	for (int i = 1; i <= job->items; i++) {
		side_wait(&empty);
		snprintf(line, sizeof(line), "%0*d\n", WIDTH - 1, i);
		memcpy(ring + (i - 1) % SLOTS * WIDTH, line, WIDTH);
		side_post(&full);
	}
	return 0;
}

static int consume(void *arg)
{
	const struct job *job = arg;
	struct side empty = side_of(empty_name, job->native), full = side_of(full_name, job->native);
	const char *ring = ring_of(job->native);

	for (int i = 1; i <= job->items; i++) {
		side_wait(&full);
		if (strtol(ring + (i - 1) % SLOTS * WIDTH, NULL, 10) != i)
			t_fail("item %d: %.15s", i, ring + (i - 1) % SLOTS * WIDTH);
		side_post(&empty);
	}
	return 0;
}

static void make_ring(void)
{
	ring_name = t_name("ring");
	full_name = t_name("full");
	empty_name = t_name("empty");
	t_bash(0, "touch $M/shm/${P}ring@size=1024 $M/sem/${P}full $M/sem/${P}empty@value=64");
}

static void check_pair(bool native_producer)
{
	struct job producer = {native_producer, ITEMS}, consumer = {!native_producer, ITEMS};
	pid_t pids[2];

	make_ring();
	pids[0] = t_fork(produce, &producer);
	pids[1] = t_fork(consume, &consumer);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(t_wait_exit(pids[i], 5 * T_PATIENCE, NULL), 0);
	t_check("grep -h ^value= $M/sem/${P}full@ctl $M/sem/${P}empty@ctl", "value=0\nvalue=64\n");
}

t_test(sem_ring, native_producer_and_file_consumer_are_exact)
{
	check_pair(true);
}

t_test(sem_ring, file_producer_and_native_consumer_are_exact)
{
	check_pair(false);
}

t_test(sem_ring, native_producer_and_shell_consumer_are_exact)
{
	const char *items = getenv("ITEMS");
	struct job job = {true, items ? atoi(items) : SHELL_ITEMS};
	pid_t producer, consumer;

	make_ring();
	setenv("N", t_format("%d", job.items), 1);
	producer = t_fork(produce, &job);
	consumer = t_spawn(M, "bash",
			   "exec 4>$M/sem/${P}empty\n"
			   "for ((i = 0; i < N; i++)); do\n"
			   "	read -r _ <$M/sem/${P}full; ((i % 64)) || exec 3<$M/shm/${P}ring\n"
			   "	read -r item <&3; echo >&4; echo $((10#$item))\n"
			   "done >got; seq $N | cmp - got");
	cr_assert_eq(t_wait_exit(consumer, 5 * T_PATIENCE, NULL), 0);
	cr_assert_eq(t_wait_exit(producer, T_PATIENCE, NULL), 0);
}

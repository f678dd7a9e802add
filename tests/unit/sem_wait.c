/* Waiting for semaphores. */
#include "sem.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* cppcheck-suppress unknownMacro */
TestSuite(sem_wait, .init = setup, .fini = u_teardown, .timeout = 20);

Test(sem_wait, a_read_takes_one_and_tells_what_is_left)
{
	struct ipc_handle *h;

	u_create("a@value=3");
	h = u_open("a", O_RDONLY);
	cr_assert_str_eq(get_at(h, 0), "2\n");
	cr_assert_str_eq(get_at(h, 2), "");
	cr_assert_str_eq(get_at(h, 0), "2\n");
	cr_assert_eq(value_of("a"), 2);
	ipc_close(h);
}

Test(sem_wait, an_open_handle_is_one_wait_also_if_it_writes)
{
	struct ipc_handle *h;

	u_create("a@value=3");
	h = u_open("a", O_RDWR);
	cr_assert_str_eq(get_at(h, 0), "2\n");
	cr_assert_str_eq(get_at(h, 0), "");
	cr_assert_eq(u_put(h, "\n"), 1);
	cr_assert_str_eq(get_at(h, 0), "");
	cr_assert_eq(value_of("a"), 3);
	ipc_close(h);
}

Test(sem_wait, without_a_permit_a_nonblocking_read_is_eagain)
{
	u_create("a");
	cr_assert_null(cat("a"));
}

Test(sem_wait, a_reader_is_woken_by_a_file)
{
	struct ipc_handle *r;
	struct u_call job;

	u_create("a");
	r = u_open("a", O_RDONLY);
	u_begin(&job, r, IPC_READ, NULL);
	cr_assert_not(job.done);
	cr_assert_eq(echo("a", "2\n"), 2);
	cr_assert_eq(u_finish(&job), 2);
	cr_assert_str_eq(job.text, "1\n");
	ipc_close(r);
}

Test(sem_wait, a_reader_is_woken_by_sem_post)
{
	sem_t *sem;
	struct ipc_handle *r;
	struct u_call job;

	u_create("a");
	sem = native("a");
	r = u_open("a", O_RDONLY);
	for (int i = 0; i < 50; i++) {
		struct ipc_handle *h = u_open("a", O_RDONLY);

		u_begin(&job, h, IPC_READ, NULL);
		if (i % 2)
			ipc_loop_turn(u_loop, 1);
		sem_post(sem);
		cr_assert_eq(u_finish(&job), 2);
		ipc_close(h);
	}
	ipc_close(r);
	sem_close(sem);
}

Test(sem_wait, readers_are_served_in_their_order)
{
	struct ipc_handle *h[3];
	struct u_call job[3];

	u_create("a");
	for (int i = 0; i < 3; i++) {
		h[i] = u_open("a", O_RDONLY);
		u_begin(&job[i], h[i], IPC_READ, NULL);
	}
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(echo("a", "\n"), 1);
		cr_assert_eq(u_finish(&job[i]), 2);
		cr_assert(i == 2 || !job[2].done);
		ipc_close(h[i]);
	}
}

static void *native_wait(void *arg)
{
	sem_wait(arg);
	return NULL;
}

static bool native_waits(const sem_t *sem)
{
	return __atomic_load_n((const uint64_t *)(const void *)sem, __ATOMIC_RELAXED) >> 32;
}

Test(sem_wait, posting_here_wakes_who_waits_natively)
{
	sem_t *sem;
	pthread_t waiter[3];

	u_create("a");
	sem = native("a");
	for (int i = 0; i < 3; i++)
		cr_assert_eq(pthread_create(&waiter[i], NULL, native_wait, sem), 0);
	while (!native_waits(sem))
		usleep(1000);
	cr_assert_eq(echo("a", "3\n"), 2);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(pthread_join(waiter[i], NULL), 0);
	sem_close(sem);
}

/* The kernel woke us because we came first; but our reader has gone, and the other one must not sleep on. */
Test(sem_wait, a_wake_up_that_we_have_no_use_for_is_handed_on)
{
	struct timespec until;
	sem_t *sem;
	pthread_t waiter;
	struct ipc_handle *r;
	struct u_call job;

	u_create("a");
	sem = native("a");
	r = u_open("a", O_RDONLY);
	u_begin(&job, r, IPC_READ, NULL);
	u_await_sleepers();
	cr_assert_eq(pthread_create(&waiter, NULL, native_wait, sem), 0);
	u_await_sleepers();
	ipc_interrupt(&job.op);
	cr_assert_eq(job.result, -EINTR);
	sem_post(sem);
	do {
		ipc_loop_turn(u_loop, 10);
		clock_gettime(CLOCK_REALTIME, &until);
	} while (pthread_timedjoin_np(waiter, NULL, &until) != 0);
	ipc_close(r);
	sem_close(sem);
}

Test(sem_wait, who_only_polls_hands_the_wake_up_on)
{
	struct timespec until;
	sem_t *sem;
	pthread_t waiter;
	struct ipc_handle *r;

	u_create("a");
	sem = native("a");
	r = u_open("a", O_RDONLY);
	cr_assert_eq(ipc_poll(r, true), 0);
	u_await_sleepers();
	cr_assert_eq(pthread_create(&waiter, NULL, native_wait, sem), 0);
	u_await_sleepers();
	sem_post(sem);
	do {
		ipc_loop_turn(u_loop, 10);
		clock_gettime(CLOCK_REALTIME, &until);
	} while (pthread_timedjoin_np(waiter, NULL, &until) != 0);
	ipc_close(r);
	sem_close(sem);
}

Test(sem_wait, a_semaphore_that_nobody_waits_for_is_left_as_it_was)
{
	sem_t *sem;
	struct ipc_handle *r;
	struct u_call job;

	u_create("a");
	sem = native("a");
	r = u_open("a", O_RDONLY);
	u_begin(&job, r, IPC_READ, NULL);
	cr_assert(native_waits(sem));
	ipc_interrupt(&job.op);
	ipc_close(r);
	while (native_waits(sem))
		cr_assert_eq(ipc_loop_turn(u_loop, 20), 0);
	sem_close(sem);
}

Test(sem_wait, a_timeout_ends_a_read)
{
	struct ipc_handle *r;
	struct u_call job;

	u_create("a");
	r = u_open("a@timeout=20ms", O_RDONLY);
	u_begin(&job, r, IPC_READ, NULL);
	cr_assert_eq(u_finish(&job), -ETIMEDOUT);
	ipc_close(r);
}

Test(sem_wait, a_read_that_could_not_be_delivered_gives_its_permit_back)
{
	struct ipc_handle *r;
	struct ipc_op op;

	u_create("a@value=2");
	r = u_open("a", O_RDONLY);
	op = (struct ipc_op){.type = IPC_READ, .handle = r, .cred = u_me(), .size = 64};
	cr_assert_eq(ipc_submit(&op), 2);
	ipc_undeliver(&op, 2);
	cr_assert_eq(value_of("a"), 2);
	ipc_undeliver(&op, 2);
	cr_assert_eq(value_of("a"), 2);
	cr_assert_str_eq(get_at(r, 0), "1\n");
	ipc_close(r);
}

static void ready(void *arg)
{
	*(bool *)arg = true;
}

Test(sem_wait, poll_tells_what_is_there_and_what_comes)
{
	struct ipc_handle *h;
	sem_t *sem;
	bool told = false;

	u_create("a");
	sem = native("a");
	h = u_open("a", O_RDWR);
	ipc_handle_on_ready(h, ready, &told);
	cr_assert_eq(ipc_poll(h, true), POLLOUT | POLLWRNORM);
	sem_post(sem);
	while (!told)
		cr_assert_eq(ipc_loop_turn(u_loop, 20), 0);
	cr_assert(ipc_poll(h, false) & POLLIN);
	cr_assert_str_eq(get_at(h, 0), "0\n");
	cr_assert(ipc_poll(h, false) & POLLIN);
	ipc_close(h);
	sem_close(sem);
}

/* A writer's open must go through while others wait: it is what they wait for. */
Test(sem_wait, open_does_not_wait_behind_readers)
{
	struct ipc_handle *r;
	struct u_call job;

	u_create("a");
	r = u_open("a", O_RDONLY);
	u_begin(&job, r, IPC_READ, NULL);
	ipc_close(u_open("a", O_WRONLY));
	ipc_close(u_open("a", O_RDONLY));
	ipc_close(u_open("a", O_RDWR));
	cr_assert_not(job.done);
	ipc_close(r);
	cr_assert_eq(job.result, -EBADF);
}

enum { MANY = 1000 };

static void *post_many(void *arg)
{
	sem_t **sems = arg;

	for (int i = 0; i < MANY; i++)
		sem_post(sems[i]);
	return NULL;
}

static int threads(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	char line[256];
	int n = 0;

	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "Threads: %d", &n) == 1)
			break;
	fclose(status);
	return n;
}

Test(sem_wait, a_thousand_semaphores_are_waited_for_by_few_threads_and_no_cpu)
{
	static struct ipc_handle *h[MANY];
	static struct u_call jobs[MANY];
	static sem_t *sems[MANY];
	struct rusage before, after;
	pthread_t poster;
	char name[16];
	int64_t used;

	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "%d", i);
		u_create(name);
		sems[i] = native(name);
		h[i] = u_open(name, O_RDONLY);
		u_begin(&jobs[i], h[i], IPC_READ, NULL);
		cr_assert_not(jobs[i].done);
	}
	cr_assert_leq(threads(), 12);
	u_await_sleepers();
	getrusage(RUSAGE_SELF, &before);
	ipc_loop_turn(u_loop, 300);
	getrusage(RUSAGE_SELF, &after);
	used = (after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) *
		       1000000 +
	       after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec;
	cr_assert_lt(used, 20000);
	cr_assert_eq(pthread_create(&poster, NULL, post_many, sems), 0);
	for (int i = 0; i < MANY; i++)
		cr_assert_eq(u_finish(&jobs[i]), 2);
	pthread_join(poster, NULL);
	for (int i = 0; i < MANY; i++) {
		ipc_close(h[i]);
		sem_close(sems[i]);
	}
}

struct rival {
	sem_t *sem;
	int rounds;
};

static void *post_rounds(void *arg)
{
	struct rival *rival = arg;

	for (int i = 0; i < rival->rounds; i++)
		sem_post(rival->sem);
	return NULL;
}

static void *wait_rounds(void *arg)
{
	struct rival *rival = arg;

	for (int i = 0; i < rival->rounds; i++)
		sem_wait(rival->sem);
	return NULL;
}

Test(sem_wait, with_native_rivals_each_permit_is_taken_exactly_once)
{
	struct rival poster, waiter;
	pthread_t posts, waits;
	int taken = 0;

	u_create("a");
	poster = (struct rival){native("a"), 4000};
	waiter = (struct rival){native("a"), 2000};
	cr_assert_eq(pthread_create(&waits, NULL, wait_rounds, &waiter), 0);
	cr_assert_eq(pthread_create(&posts, NULL, post_rounds, &poster), 0);
	while (taken < 2000) {
		struct ipc_handle *h = u_open("a", O_RDONLY);
		struct u_call job;

		u_begin(&job, h, IPC_READ, NULL);
		cr_assert_gt(u_finish(&job), 0);
		ipc_close(h);
		taken++;
	}
	pthread_join(posts, NULL);
	pthread_join(waits, NULL);
	cr_assert_eq(value_of("a"), 0);
	sem_close(poster.sem);
	sem_close(waiter.sem);
}

Test(sem_wait, a_permit_that_is_read_again_is_not_given_back)
{
	struct ipc_handle *r;
	struct ipc_op op;

	u_create("a@value=2");
	r = u_open("a", O_RDONLY);
	cr_assert_str_eq(get_at(r, 0), "1\n");
	op = (struct ipc_op){.type = IPC_READ, .handle = r, .cred = u_me(), .size = 64};
	cr_assert_eq(ipc_submit(&op), 2);
	ipc_undeliver(&op, 2);
	cr_assert_eq(value_of("a"), 1);
	ipc_close(r);
}

static void turn_until_told(const int *told, int count)
{
	int64_t end = ipc_now() + INT64_C(3000000000);

	while (*told < count && ipc_now() < end)
		cr_assert_eq(ipc_loop_turn(u_loop, 10), 0);
	cr_assert_geq(*told, count);
}

/* As an edge of epoll(7). */
Test(sem_wait, a_poller_is_told_of_each_post_and_of_nothing_else)
{
	struct ipc_handle *h;
	int told = 0;
	sem_t *sem;

	u_create("a@value=1");
	sem = native("a");
	h = u_open("a", O_RDONLY);
	ipc_handle_on_ready(h, u_count_ready, &told);
	cr_assert(ipc_poll(h, true) & POLLIN);
	for (int i = 0; i < 10; i++)
		ipc_loop_turn(u_loop, 5);
	cr_assert_eq(told, 0, "the permit that was there is no news");
	sem_post(sem);
	turn_until_told(&told, 1);
	cr_assert(ipc_poll(h, true) & POLLIN);
	u_await_sleepers();
	/* Back at the value that was there, by way of another. */
	sem_trywait(sem);
	sem_post(sem);
	turn_until_told(&told, 2);
	cr_assert(ipc_poll(h, true) & POLLIN);
	sem_trywait(sem);
	sem_trywait(sem);
	sem_post(sem);
	turn_until_told(&told, 3);
	ipc_close(h);
	sem_close(sem);
}

Test(sem_wait, a_poller_beside_permits_leaves_native_waiters_theirs)
{
	struct ipc_handle *h;
	struct timespec until;
	pthread_t waiter;
	sem_t *sem;

	u_create("a@value=1");
	sem = native("a");
	h = u_open("a", O_RDONLY);
	cr_assert(ipc_poll(h, true) & POLLIN);
	u_await_sleepers();
	cr_assert_eq(sem_trywait(sem), 0);
	cr_assert_eq(pthread_create(&waiter, NULL, native_wait, sem), 0);
	u_await_sleepers();
	sem_post(sem);
	do {
		ipc_loop_turn(u_loop, 10);
		clock_gettime(CLOCK_REALTIME, &until);
	} while (pthread_timedjoin_np(waiter, NULL, &until) != 0);
	ipc_close(h);
	sem_close(sem);
}

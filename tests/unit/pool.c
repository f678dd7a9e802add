#include "base/pool.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/loop.h"

enum { THREADS = 3 };

static struct ipc_loop *loop;
static struct ipc_pool *pool;

/* What the jobs saw. Those of the tests block on a pipe that is written to, or on the signal. */
struct errand {
	struct ipc_job job;
	pthread_t worker, completer;
	sigset_t mask;
	pid_t tid;
	int result, done;
	atomic_bool started, worked, told;
};

static int never[2]; /* a pipe that stays empty until a test fills it */

static void setup(void)
{
	loop = ipc_loop_new();
	cr_assert_not_null(loop);
	pool = ipc_pool_new(loop, THREADS);
	cr_assert_not_null(pool);
	cr_assert_eq(pipe(never), 0);
}

static void teardown(void)
{
	ipc_pool_free(pool);
	ipc_loop_free(loop);
}

/* cppcheck-suppress unknownMacro */
TestSuite(pool, .init = setup, .fini = teardown, .timeout = 20);

static struct errand *errand_of(struct ipc_job *job)
{
	return ipc_container(job, struct errand, job);
}

static void work_at_once(struct ipc_job *job)
{
	struct errand *call = errand_of(job);

	call->worker = pthread_self();
	call->tid = gettid();
	pthread_sigmask(SIG_SETMASK, NULL, &call->mask);
	call->worked = true;
}

static void work_read(struct ipc_job *job)
{
	struct errand *call = errand_of(job);
	char byte;

	call->worker = pthread_self();
	call->started = true;
	do
		call->result = read(never[0], &byte, 1) < 0 ? -errno : 0;
	while (call->result == -EINTR && !job->cancelled);
	call->worked = true;
}

/* Enters the blocking call only when the first signal has surely gone by. */
static void work_read_late(struct ipc_job *job)
{
	struct errand *call = errand_of(job);
	char byte;

	call->started = true;
	while (!call->told)
		;
	call->result = read(never[0], &byte, 1) < 0 ? -errno : 0;
}

static void done_count(struct ipc_job *job)
{
	errand_of(job)->completer = pthread_self();
	errand_of(job)->done++;
}

static void submit(struct errand *call, void (*work)(struct ipc_job *))
{
	cr_assert_eq(ipc_pool_submit(pool, &call->job, work, done_count), 0);
}

static void run_until_done(struct errand *call)
{
	while (!call->done)
		cr_assert_eq(ipc_loop_turn(loop, -1), 0);
}

static void wait_for(atomic_bool *flag)
{
	while (!*flag)
		usleep(100);
}

static void fill_pipe(int bytes)
{
	while (bytes-- > 0)
		cr_assert_eq(write(never[1], "", 1), 1);
}

Test(pool, work_runs_in_another_thread)
{
	struct errand call = {0};

	submit(&call, work_at_once);
	run_until_done(&call);
	cr_assert(call.worked);
	cr_assert_not(pthread_equal(call.worker, pthread_self()));
}

Test(pool, done_runs_in_the_thread_of_the_loop)
{
	struct errand call = {0};

	submit(&call, work_at_once);
	run_until_done(&call);
	cr_assert(pthread_equal(call.completer, pthread_self()));
}

/* --- a user's part --- */

enum { MOST = 2 };

static struct ipc_list parts;

static struct ipc_pool_part part_of(uid_t uid)
{
	if (!parts.next)
		ipc_list_init(&parts);
	return (struct ipc_pool_part){.all = &parts, .uid = uid, .most = MOST};
}

static int submit_part(struct errand *call, uid_t uid, void (*done)(struct ipc_job *))
{
	const struct ipc_pool_part part = part_of(uid);

	return ipc_pool_submit_part(pool, &call->job, &part, work_read, done, NULL);
}

Test(pool, user_has_no_more_jobs_than_his_part)
{
	struct errand his[MOST] = {0}, more = {0}, another = {0};

	for (int i = 0; i < MOST; i++)
		cr_assert_eq(submit_part(&his[i], 1, done_count), 0);
	cr_expect_eq(submit_part(&more, 1, done_count), -EDQUOT);
	cr_expect(ipc_pool_is_busy(-EDQUOT));
	cr_expect_eq(submit_part(&another, 2, done_count), 0);
	fill_pipe(MOST + 1);
	for (int i = 0; i < MOST; i++)
		run_until_done(&his[i]);
	run_until_done(&another);
	cr_expect(ipc_list_empty(&parts));
}

Test(pool, job_that_no_helper_takes_is_nobodys_part)
{
	struct errand busy[THREADS] = {0}, more = {0};

	for (uid_t i = 0; i < THREADS; i++)
		cr_assert_eq(submit_part(&busy[i], 1 + i, done_count), 0);
	cr_expect_eq(submit_part(&more, 1, done_count), -EAGAIN);
	fill_pipe(1);
	while (!(busy[0].done || busy[1].done || busy[2].done))
		cr_assert_eq(ipc_loop_turn(loop, -1), 0);
	cr_expect_eq(submit_part(&more, 4, done_count), 0);
	fill_pipe(THREADS);
	for (int i = 0; i < THREADS; i++)
		run_until_done(&busy[i]);
	run_until_done(&more);
}

static struct errand following;

static void done_submits(struct ipc_job *job)
{
	done_count(job);
	cr_expect_eq(submit_part(&following, 1, done_count), 0);
}

Test(pool, part_is_given_back_before_done_runs)
{
	struct errand his[MOST] = {0};

	cr_assert_eq(submit_part(&his[0], 1, done_submits), 0);
	fill_pipe(1);
	run_until_done(&his[0]);
	cr_assert_eq(submit_part(&his[1], 1, done_count), 0);
	cr_expect_eq(submit_part(&his[0], 1, done_count), -EDQUOT);
	fill_pipe(2);
	run_until_done(&his[1]);
	run_until_done(&following);
}

/* --- running --- */

Test(pool, done_waits_for_the_loop)
{
	struct errand call = {0};

	submit(&call, work_at_once);
	wait_for(&call.worked);
	cr_assert_eq(call.done, 0);
	run_until_done(&call);
}

Test(pool, jobs_block_side_by_side)
{
	struct errand calls[THREADS] = {0};

	for (int i = 0; i < THREADS; i++)
		submit(&calls[i], work_read);
	for (int i = 0; i < THREADS; i++)
		wait_for(&calls[i].started);
	fill_pipe(THREADS);
	for (int i = 0; i < THREADS; i++)
		run_until_done(&calls[i]);
}

Test(pool, job_above_the_limit_is_refused)
{
	static struct errand calls[THREADS + 1];

	for (int i = 0; i < THREADS; i++)
		submit(&calls[i], work_read);
	cr_assert_eq(ipc_pool_submit(pool, &calls[THREADS].job, work_read, done_count), -EAGAIN);
	fill_pipe(1);
	while (!calls[0].done && !calls[1].done && !calls[2].done)
		ipc_loop_turn(loop, -1);
	submit(&calls[THREADS], work_read);
	fill_pipe(THREADS);
	run_until_done(&calls[THREADS]);
}

Test(pool, thread_is_used_again)
{
	struct errand calls[2] = {0};

	for (int i = 0; i < 2; i++) {
		submit(&calls[i], work_at_once);
		run_until_done(&calls[i]);
	}
	cr_assert(pthread_equal(calls[0].worker, calls[1].worker));
}

Test(pool, idle_thread_leaves)
{
	struct errand call = {0};
	char task[64];

	submit(&call, work_at_once);
	run_until_done(&call);
	snprintf(task, sizeof(task), "/proc/self/task/%d", call.tid);
	while (access(task, F_OK) == 0)
		ipc_loop_turn(loop, 50);
	call.done = 0;
	submit(&call, work_at_once);
	run_until_done(&call);
}

Test(pool, helper_blocks_every_signal_but_the_interrupting_one)
{
	struct errand call = {0};

	submit(&call, work_at_once);
	run_until_done(&call);
	cr_assert(sigismember(&call.mask, SIGTERM));
	cr_assert(sigismember(&call.mask, SIGALRM));
	cr_assert_not(sigismember(&call.mask, SIGURG));
}

static void done_submit_again(struct ipc_job *job)
{
	struct errand *call = errand_of(job);

	if (++call->done < 5)
		cr_assert_eq(ipc_pool_submit(pool, job, work_at_once, done_submit_again), 0);
}

Test(pool, done_may_submit_its_job_again)
{
	struct errand call = {0};

	ipc_pool_submit(pool, &call.job, work_at_once, done_submit_again);
	while (call.done < 5)
		ipc_loop_turn(loop, -1);
}

static void done_free(struct ipc_job *job)
{
	ipc_loop_stop(loop);
	free(errand_of(job));
}

Test(pool, done_may_free_its_job)
{
	struct errand *call = calloc(1, sizeof(*call));

	ipc_pool_submit(pool, &call->job, work_at_once, done_free);
	cr_assert_eq(ipc_loop_run(loop), 0);
}

/* Cancelling */

Test(pool, cancel_interrupts_a_blocked_call)
{
	struct errand call = {0};

	submit(&call, work_read);
	wait_for(&call.started);
	ipc_job_cancel(pool, &call.job);
	run_until_done(&call);
	cr_assert_eq(call.result, -EINTR);
}

Test(pool, cancel_reaches_a_call_that_blocks_after_the_first_signal)
{
	struct errand call = {0};

	submit(&call, work_read_late);
	wait_for(&call.started);
	ipc_job_cancel(pool, &call.job);
	call.told = true;
	run_until_done(&call);
	cr_assert_eq(call.result, -EINTR);
}

Test(pool, cancel_leaves_the_other_jobs_alone)
{
	struct errand cancelled = {0}, other = {0};

	submit(&other, work_read);
	submit(&cancelled, work_read);
	ipc_job_cancel(pool, &cancelled.job);
	run_until_done(&cancelled);
	cr_assert_not(other.worked);
	fill_pipe(1);
	run_until_done(&other);
	cr_assert_eq(other.result, 0);
}

Test(pool, cancel_does_not_run_done_itself)
{
	struct errand call = {0};

	submit(&call, work_read);
	ipc_job_cancel(pool, &call.job);
	cr_assert_eq(call.done, 0);
	run_until_done(&call);
}

Test(pool, cancel_of_a_job_that_has_worked_lets_it_be_done_once)
{
	struct errand call = {0};

	submit(&call, work_at_once);
	wait_for(&call.worked);
	ipc_job_cancel(pool, &call.job);
	run_until_done(&call);
	ipc_loop_turn(loop, 5);
	cr_assert_eq(call.done, 1);
}

Test(pool, cancel_of_an_idle_job_is_harmless)
{
	struct errand call = {0};

	ipc_job_cancel(pool, &call.job);
	ipc_loop_turn(loop, 0);
	cr_assert_eq(call.done, 0);
}

Test(pool, job_cancelled_at_once_is_done_once)
{
	/* Nearly every one of them is cancelled before its thread has come to it. */
	for (int i = 0; i < 500; i++) {
		struct errand call = {0};

		submit(&call, work_read);
		ipc_job_cancel(pool, &call.job);
		run_until_done(&call);
		cr_assert_eq(call.done, 1);
		cr_assert_eq(call.worked, call.started);
	}
}

Test(pool, cancelled_job_can_be_submitted_again)
{
	struct errand call = {0};

	submit(&call, work_read);
	ipc_job_cancel(pool, &call.job);
	run_until_done(&call);
	call.done = 0;
	submit(&call, work_at_once);
	cr_assert_not(call.job.cancelled);
	run_until_done(&call);
	cr_assert(call.worked);
}

/* Helpers with descriptors of their own */

struct opening {
	struct ipc_job job;
	int also, other;
	bool apart, has_also, has_other, done;
};

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void work_hand(struct ipc_job *job)
{
	struct opening *o = ipc_container(job, struct opening, job);

	o->apart = job->apart;
	o->has_also = is_open(o->also);
	o->has_other = is_open(o->other);
	ipc_job_hand(job, open("/dev/zero", O_RDONLY | O_CLOEXEC));
}

static void work_borrow(struct ipc_job *job)
{
	struct opening *o = ipc_container(job, struct opening, job);
	int borrowed = ipc_job_borrow(o->other);

	o->has_other = borrowed >= 0;
	ipc_job_hand(job, open(ipc_job_fd_path(borrowed).text, O_RDONLY | O_CLOEXEC));
	close(borrowed);
}

static void done_hand(struct ipc_job *job)
{
	ipc_container(job, struct opening, job)->done = true;
}

static void open_apart(struct ipc_pool *apart, struct opening *o, void (*work)(struct ipc_job *))
{
	cr_assert_eq(ipc_pool_submit(apart, &o->job, work, done_hand), 0);
	while (!o->done)
		cr_assert_eq(ipc_loop_turn(loop, -1), 0);
}

static void check_file(int fd, const char *path)
{
	struct stat a, b;

	cr_assert_eq(fstat(fd, &a), 0);
	cr_assert_eq(stat(path, &b), 0);
	cr_expect_eq(a.st_ino, b.st_ino);
	cr_expect_neq(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	close(fd);
}

Test(pool, helper_apart_has_none_of_our_descriptors_and_hands_over_its_own)
{
	struct opening o = {.also = never[0], .other = never[1]};
	struct ipc_pool *apart = ipc_pool_new_apart(loop, THREADS, never[0]);

	for (int i = 0; i < 3; i++) {
		o.done = false;
		open_apart(apart, &o, work_hand);
		cr_expect(o.apart);
		cr_expect(o.has_also);
		cr_expect_not(o.has_other);
		check_file(o.job.fd, "/dev/zero");
	}
	cr_expect(is_open(never[1]));
	ipc_pool_free(apart);
}

Test(pool, helper_apart_borrows_a_file_of_ours)
{
	struct opening o = {.other = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)};
	struct ipc_pool *apart = ipc_pool_new_apart(loop, THREADS, -1);

	open_apart(apart, &o, work_borrow);
	cr_expect(o.has_other);
	check_file(o.job.fd, "/");
	close(o.other);
	ipc_pool_free(apart);
}

/* Leaves room for so many descriptors more; returns what the limit was. */
static struct rlimit leave_room(rlim_t count)
{
	struct rlimit was, now;
	int next = dup(0);

	close(next);
	getrlimit(RLIMIT_NOFILE, &was);
	now = was;
	now.rlim_cur = (rlim_t)next + count;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &now), 0);
	return was;
}

Test(pool, job_apart_without_room_for_its_descriptor_is_refused)
{
	struct opening o = {.also = -1, .other = -1};
	struct ipc_pool *apart = ipc_pool_new_apart(loop, THREADS, -1);
	struct rlimit all = leave_room(0);
	int r = ipc_pool_submit(apart, &o.job, work_hand, done_hand);

	setrlimit(RLIMIT_NOFILE, &all);
	cr_expect_eq(r, -EMFILE);
	ipc_pool_free(apart);
}

Test(pool, job_apart_finds_the_room_that_was_kept_for_its_descriptor)
{
	struct opening o = {.also = -1, .other = -1};
	struct ipc_pool *apart = ipc_pool_new_apart(loop, THREADS, -1);
	struct rlimit all = leave_room(1);

	cr_assert_eq(ipc_pool_submit(apart, &o.job, work_hand, done_hand), 0);
	cr_expect_eq(dup(0), -1);
	while (!o.done)
		cr_assert_eq(ipc_loop_turn(loop, -1), 0);
	setrlimit(RLIMIT_NOFILE, &all);
	check_file(o.job.fd, "/dev/zero");
	ipc_pool_free(apart);
}

/* Freeing the pool */

Test(pool, free_cancels_running_jobs_and_completes_them)
{
	struct errand calls[THREADS] = {0};

	for (int i = 0; i < THREADS; i++)
		submit(&calls[i], work_read);
	wait_for(&calls[0].started);
	ipc_pool_free(pool);
	pool = NULL;
	for (int i = 0; i < THREADS; i++)
		cr_assert_eq(calls[i].done, 1);
	cr_assert_eq(calls[0].result, -EINTR);
}

Test(pool, free_completes_jobs_that_have_worked)
{
	struct errand call = {0};

	submit(&call, work_at_once);
	wait_for(&call.worked);
	ipc_pool_free(pool);
	pool = NULL;
	cr_assert_eq(call.done, 1);
}

static int refused;

static void done_submit_in_vain(struct ipc_job *job)
{
	refused = ipc_pool_submit(pool, job, work_at_once, done_count);
}

Test(pool, job_submitted_while_the_pool_is_freed_is_refused)
{
	struct errand call = {0};

	ipc_pool_submit(pool, &call.job, work_at_once, done_submit_in_vain);
	ipc_pool_free(pool);
	pool = NULL;
	cr_assert_eq(refused, -EAGAIN);
}

Test(pool, null_pool_can_be_freed)
{
	ipc_pool_free(NULL);
}

Test(pool, many_jobs_are_each_done_once)
{
	enum { JOBS = 2000 };
	static struct errand calls[JOBS];
	int submitted = 0;

	while (submitted < JOBS) {
		struct errand *call = &calls[submitted];

		if (ipc_pool_submit(pool, &call->job, work_at_once, done_count) == 0)
			submitted++;
		else
			ipc_loop_turn(loop, -1);
		if (submitted % 7 == 0)
			ipc_job_cancel(pool, &call->job);
	}
	for (int i = 0; i < JOBS; i++)
		run_until_done(&calls[i]);
	for (int i = 0; i < JOBS; i++)
		cr_assert_eq(calls[i].done, 1);
}

/* --- what no signal ends --- */

static atomic_int deaf_steps; /* 1: works, 2: may end, 3: left() */

static void work_deaf(struct ipc_job *job)
{
	(void)job;
	atomic_store(&deaf_steps, 1);
	while (atomic_load(&deaf_steps) != 2)
		usleep(1000);
}

static void deaf_left(struct ipc_job *job)
{
	cr_assert(job->abandoned);
	free(errand_of(job));
	atomic_store(&deaf_steps, 3);
}

static int deaf_done;

static void note_deaf_done(struct ipc_job *job)
{
	deaf_done += job->abandoned ? 1 : 100;
}

Test(pool, a_deaf_job_is_left_behind)
{
	struct errand *call = calloc(1, sizeof(*call));

	atomic_store(&deaf_steps, 0);
	cr_assert_eq(ipc_pool_submit_deaf(pool, &call->job, work_deaf, note_deaf_done, deaf_left), 0);
	while (!atomic_load(&deaf_steps))
		usleep(1000);
	ipc_pool_free(pool);
	pool = NULL;
	cr_assert_eq(deaf_done, 1);
	cr_assert_eq(atomic_load(&deaf_steps), 1);
	atomic_store(&deaf_steps, 2);
	while (atomic_load(&deaf_steps) != 3)
		usleep(1000);
}

Test(pool, a_deaf_job_that_ends_in_time_is_done_as_any_other)
{
	struct errand *call = calloc(1, sizeof(*call));

	cr_assert_eq(ipc_pool_submit_deaf(pool, &call->job, work_at_once, note_deaf_done, deaf_left), 0);
	while (!atomic_load(&call->worked))
		usleep(1000);
	ipc_pool_free(pool);
	pool = NULL;
	cr_assert_eq(deaf_done, 100);
	free(call);
}

/* Holding permits, and what a crash held. */
#include "sem.h"

#include "kinds/sem/held.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* cppcheck-suppress unknownMacro */
TestSuite(sem_hold, .init = setup, .fini = u_teardown, .timeout = 20);

Test(sem_hold, hold_has_a_permit_until_close)
{
	struct ipc_handle *h;

	u_create("a@value=2");
	h = u_open("a@hold", O_RDONLY);
	cr_assert_eq(value_of("a"), 1);
	cr_assert_str_eq(get_at(h, 0), "1\n");
	cr_assert_str_eq(get_at(h, 2), "");
	cr_assert_eq(value_of("a"), 1);
	ipc_close(h);
	cr_assert_eq(value_of("a"), 2);
}

Test(sem_hold, hold_waits_for_a_permit_and_gets_the_one_that_is_given_back)
{
	struct ipc_handle *first, *second;
	struct u_call job;

	u_create("a@value=1");
	first = u_open("a@hold", O_WRONLY);
	cr_assert_eq(u_handle("a@hold", O_RDONLY, &second), 0);
	u_begin(&job, second, IPC_OPEN, NULL);
	cr_assert_not(job.done);
	ipc_close(first);
	cr_assert_eq(u_finish(&job), 0);
	cr_assert_eq(value_of("a"), 0);
	ipc_close(second);
	cr_assert_eq(value_of("a"), 1);
}

Test(sem_hold, hold_can_time_out_and_then_holds_nothing)
{
	struct ipc_handle *h;
	struct u_call job;

	u_create("a");
	cr_assert_eq(u_handle("a@hold,timeout=20ms", O_RDONLY, &h), 0);
	u_begin(&job, h, IPC_OPEN, NULL);
	cr_assert_eq(u_finish(&job), -ETIMEDOUT);
	ipc_close(h);
	cr_assert_eq(value_of("a"), 0);
}

Test(sem_hold, hold_without_waiting_is_eagain)
{
	struct ipc_handle *h;
	struct ipc_op op;

	u_create("a");
	cr_assert_eq(u_handle("a@hold", O_RDONLY | O_NONBLOCK, &h), 0);
	op = (struct ipc_op){.type = IPC_OPEN, .handle = h, .cred = u_me(), .nonblock = true};
	cr_assert_eq(ipc_submit(&op), -EAGAIN);
	ipc_close(h);
	cr_assert_eq(value_of("a"), 0);
}

Test(sem_hold, an_undelivered_read_gives_no_held_permit_back)
{
	struct ipc_handle *h;
	struct ipc_op op;

	u_create("a@value=1");
	h = u_open("a@hold", O_RDONLY);
	op = (struct ipc_op){.type = IPC_READ, .handle = h, .cred = u_me(), .size = 64};
	cr_assert_eq(ipc_submit(&op), 2);
	ipc_undeliver(&op, 2);
	cr_assert_eq(value_of("a"), 0);
	ipc_close(h);
	cr_assert_eq(value_of("a"), 1);
}

Test(sem_hold, many_permits_are_held_and_all_come_back)
{
	enum { HOLDERS = 500 };
	struct ipc_handle *h[HOLDERS];

	u_create("a@value=500");
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < HOLDERS; i++)
			h[i] = u_open("a@hold", O_RDONLY);
		cr_assert_eq(value_of("a"), 0);
		for (int i = 0; i < HOLDERS; i++)
			ipc_close(h[(i + 100) % HOLDERS]);
		cr_assert_eq(value_of("a"), HOLDERS);
	}
}

/* Holds two permits of a and one of b, and dies without a word. */
static void hold_and_die(void)
{
	u_start();
	u_open("a@hold", O_RDONLY);
	ipc_close(u_open("a@hold", O_RDONLY));
	u_open("a@hold", O_RDONLY);
	u_open("b@hold", O_RDONLY);
	kill(getpid(), SIGKILL);
}

static void crash_holding(void)
{
	pid_t pid = fork();
	int status;

	cr_assert_geq(pid, 0);
	if (pid == 0)
		hold_and_die();
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* Any start on this machine finds what a crash left, so another test may have been faster, or be just at it. */
static void restart_until(const char *name, int value)
{
	do {
		ipc_free(u_ipc);
		ipc_loop_free(u_loop);
		cr_assert(u_start());
	} while (value_of(name) != value);
}

Test(sem_hold, what_a_crash_held_comes_back_with_the_next_start)
{
	u_create("a@value=5");
	u_create("b@value=1");
	crash_holding();
	restart_until("a", 5);
	restart_until("b", 1);
	restart_until("a", 5);
}

Test(sem_hold, what_a_crash_held_comes_back_to_the_same_semaphore_only)
{
	u_create("a@value=2");
	u_create("b@value=1");
	crash_holding();
	cr_assert_eq(u_rename("a", "c", 0), 0);
	u_create("a");
	cr_assert_eq(u_remove("b"), 0);
	u_create("b");
	restart_until("c", 2);
	cr_assert_eq(value_of("a"), 0);
	cr_assert_eq(value_of("b"), 0);
}

Test(sem_hold, what_another_instance_holds_is_left_alone)
{
	struct ipc_handle *h;
	struct ipc *other = u_ipc;
	struct ipc_loop *others = u_loop;

	u_create("a@value=1");
	h = u_open("a@hold", O_RDONLY);
	cr_assert(u_start());
	cr_assert_eq(value_of("a"), 0);
	ipc_free(u_ipc);
	ipc_loop_free(u_loop);
	u_ipc = other;
	u_loop = others;
	ipc_close(h);
	cr_assert_eq(value_of("a"), 1);
}

/* A file that was cut off while its permit was being taken leaves a mark that nobody wipes. */
Test(sem_hold, a_place_that_is_released_is_unmarked)
{
	struct sem_held *held = sem_held_new(u_ipc->rundir);
	char why[128];
	int place;

	cr_assert_not_null(held);
	place = sem_held_reserve(held, 1, 2, why, sizeof(why));
	cr_assert_geq(place, 0, "%s", why);
	atomic_store(sem_held_mark(held, place), 1);
	sem_held_release(held, place);
	cr_assert_eq(sem_held_reserve(held, 1, 3, why, sizeof(why)), place);
	cr_assert_eq(atomic_load(sem_held_mark(held, place)), 0);
	sem_held_release(held, place);
	sem_held_free(held);
}

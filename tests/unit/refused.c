/* Callers who are expected back after an ESTALE: fs/refused.h. */
#include "../../fs/refused.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static struct fs_refusals all;

static void setup(void)
{
	fs_refusals_start(&all);
}

static void teardown(void)
{
	fs_refusals_end(&all);
}

TestSuite(refused, .init = setup, .fini = teardown, .timeout = 20);

/* A number that a thread had which has ended. */
static pid_t number_of_dead(void)
{
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	return pid;
}

Test(refused, nobody_is_expected_at_first)
{
	cr_expect_null(fs_refused_find(&all, getpid()));
	cr_expect_not(fs_refused_is(&all, getpid()));
}

Test(refused, who_was_served_is_expected_no_more)
{
	fs_refused_remove(&all, fs_refused_add(&all, getpid()));
	cr_expect_not(fs_refused_is(&all, getpid()));
	cr_expect_eq(all.count, 0);
}

Test(refused, second_refusal_forgets_what_the_first_one_was_for)
{
	fs_refused_add(&all, getpid())->makes = 7;
	fs_refused_add(&all, getpid());
	cr_expect_eq(fs_refused_find(&all, getpid())->makes, 0);
	cr_expect_eq(all.count, 1);
}

/* More than the 1,024 places that there were once, and all of them alive: children who wait to be killed. */
Test(refused, nobody_is_forgotten_for_another)
{
	enum { MANY = 1500 };
	static pid_t child[MANY];

	for (int i = 0; i < MANY; i++) {
		child[i] = fork();
		cr_assert_geq(child[i], 0, "child %d", i);
		if (child[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				pause();
		}
		fs_refused_add(&all, child[i])->serial = (uint64_t)child[i];
	}
	for (int i = 0; i < MANY; i++) {
		const struct fs_refused *refused = fs_refused_find(&all, child[i]);

		cr_expect(refused && refused->serial == (uint64_t)child[i], "child %d", i);
		kill(child[i], SIGKILL);
		waitpid(child[i], NULL, 0);
	}
}

Test(refused, dead_threads_leave_nothing_that_grows)
{
	for (int i = 0; i < 500; i++)
		fs_refused_add(&all, number_of_dead());
	cr_expect_leq(all.count, 2);
}

/* They share one number, so one who is served says nothing of the others. */
Test(refused, callers_whom_we_do_not_see_are_kept_as_one_who_may_live)
{
	fs_refused_add(&all, 0);
	for (int i = 0; i < 10; i++)
		fs_refused_add(&all, number_of_dead());
	cr_expect(fs_refused_is(&all, 0));
}

Test(refused, who_is_expected_for_too_long_is_so_no_more)
{
	struct fs_refused *refused = fs_refused_add(&all, getpid());

	refused->until = 1;
	cr_expect_not(fs_refused_is(&all, getpid()));
	fs_refused_add(&all, getppid());
	cr_expect_eq(all.count, 1);
}

/* Posting to semaphores. */
#include "sem.h"

/* cppcheck-suppress unknownMacro */
TestSuite(sem_post, .init = setup, .fini = u_teardown, .timeout = 20);

static ssize_t flush(struct ipc_handle *h)
{
	struct u_call job;

	u_begin(&job, h, IPC_FLUSH, NULL);
	cr_assert(job.done);
	return job.result;
}

Test(sem_post, an_empty_line_posts_one_and_a_number_so_many)
{
	u_create("a");
	cr_assert_eq(echo("a", "\n"), 1);
	cr_assert_eq(value_of("a"), 1);
	cr_assert_eq(echo("a", "3\n"), 2);
	cr_assert_eq(value_of("a"), 4);
	cr_assert_eq(echo("a", "1\n\n 010 \n"), 9);
	cr_assert_eq(value_of("a"), 16);
}

Test(sem_post, a_number_may_be_split_over_writes)
{
	struct ipc_handle *h;

	u_create("a");
	h = u_open("a", O_WRONLY);
	cr_assert_eq(u_put(h, "1"), 1);
	cr_assert_eq(value_of("a"), 0);
	cr_assert_eq(u_put(h, "2\n"), 2);
	cr_assert_eq(value_of("a"), 12);
	ipc_close(h);
}

Test(sem_post, a_last_line_without_newline_is_posted_at_close)
{
	struct ipc_handle *h;

	u_create("a");
	h = u_open("a", O_WRONLY);
	cr_assert(ipc_handle_wants_flush(h));
	cr_assert_eq(u_put(h, "3"), 1);
	cr_assert_eq(flush(h), 0);
	cr_assert_eq(value_of("a"), 3);
	cr_assert_eq(flush(h), 0);
	cr_assert_eq(u_put(h, "4"), 1);
	ipc_close(h);
	cr_assert_eq(value_of("a"), 7);
}

Test(sem_post, what_is_no_count_is_refused_at_once_and_posts_nothing)
{
	static const char *const bad[] = {"abc\n", "abc", "-1\n", "-", "1.5\n", "1 2\n", "0x3\n", "0\n", "+2\n", "3a"};
	struct ipc_handle *h;

	u_create("a");
	h = u_open("a", O_WRONLY);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(u_put(h, bad[i]), -EINVAL, "%s", bad[i]);
	cr_assert_eq(flush(h), 0);
	cr_assert_eq(value_of("a"), 0);
	cr_assert(u_refused("sem/a: EINVAL: '-1' is no count: each line posts so many permits"));
	ipc_close(h);
	cr_assert_eq(value_of("a"), 0);
}

Test(sem_post, a_zero_without_newline_is_refused_at_close)
{
	struct ipc_handle *h;

	u_create("a");
	h = u_open("a", O_WRONLY);
	cr_assert_eq(u_put(h, "0"), 1);
	cr_assert_eq(flush(h), -EINVAL);
	cr_assert_eq(flush(h), 0);
	ipc_close(h);
}

Test(sem_post, lines_before_a_bad_one_are_posted_and_reported)
{
	struct ipc_handle *h;

	u_create("a");
	h = u_open("a", O_WRONLY);
	cr_assert_eq(u_put(h, "2\n3\nx\n"), 4);
	cr_assert_eq(value_of("a"), 5);
	cr_assert_eq(u_put(h, "x\n"), -EINVAL);
	cr_assert_eq(u_put(h, "1\ny"), 2);
	cr_assert_eq(u_put(h, "y"), -EINVAL);
	cr_assert_eq(value_of("a"), 6);
	ipc_close(h);
}

Test(sem_post, a_line_that_turns_out_bad_takes_its_beginning_with_it)
{
	struct ipc_handle *h;

	u_create("a");
	h = u_open("a", O_WRONLY);
	cr_assert_eq(u_put(h, "12"), 2);
	cr_assert_eq(u_put(h, "x\n"), -EINVAL);
	cr_assert_eq(u_put(h, "12"), 2);
	cr_assert_eq(u_put(h, "x"), -EINVAL);
	ipc_close(h);
	cr_assert_eq(value_of("a"), 0);
}

Test(sem_post, overflow_posts_nothing_of_the_line)
{
	u_create("a@value=2147483640");
	cr_assert_eq(echo("a", "8\n"), -EOVERFLOW);
	cr_assert_eq(value_of("a"), 2147483640);
	cr_assert_eq(echo("a", "7\n"), 2);
	cr_assert_eq(echo("a", "\n"), -EOVERFLOW);
	cr_assert_eq(echo("a", "99999999999999999999999\n"), -EOVERFLOW);
	cr_assert_eq(value_of("a"), 2147483647);
	cr_assert(u_refused("sem/a: EOVERFLOW: 8 more would be above the most that a semaphore can have, 2147483647"));
}

/*
 * When a message that was handed over is settled, and when it is given back: lib/core/settle.c, over the scripted kind.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "script.h"

TestSuite(settle, .init = script_setup, .fini = u_teardown, .timeout = 20);

static void check(const char *settled, const char *given_back)
{
	cr_assert_str_eq(script_settled_so_far(), settled, "settled: '%s' instead of '%s'", script_settled_so_far(),
			 settled);
	cr_assert_str_eq(script_given_back_so_far(), given_back, "given back: '%s' instead of '%s'",
			 script_given_back_so_far(), given_back);
}

/* A read that gets this. */
static void get(struct ipc_handle *h, const char *text)
{
	struct u_call c;

	script_says(IPC_READ, (ssize_t)strlen(text), text);
	u_begin(&c, h, IPC_READ, NULL);
	cr_assert(c.done);
	cr_assert_str_eq(c.text, text);
}

/* A read that is answered by an end or by an error. */
static void get_result(struct ipc_handle *h, ssize_t result)
{
	struct u_call c;

	script_says(IPC_READ, result, NULL);
	u_begin(&c, h, IPC_READ, NULL);
	cr_assert_eq(u_finish(&c), result);
}

/* Who read "job" ends so, and the file is closed for good. */
static void end_reader(enum ipc_end end)
{
	struct ipc_handle *h = u_open("c@ack", O_RDONLY);

	get(h, "job");
	cr_assert(ipc_handle_owes(h));
	if (end != IPC_END_UNKNOWN)
		ipc_handle_ends(h, getpid(), end);
	ipc_close(h);
}

Test(settle, asking_for_more_settles)
{
	struct ipc_handle *h = u_open("c@ack", O_RDONLY);

	get(h, "one");
	check("", "");
	get(h, "two");
	check("[one]", "");
	ipc_close(h);
	check("[one]", "[two]");
}

Test(settle, waiting_for_more_settles)
{
	struct ipc_handle *h = u_open("c@ack", O_RDONLY);
	struct u_call c;

	get(h, "one");
	u_begin(&c, h, IPC_READ, NULL);
	cr_assert_not(c.done);
	check("[one]", "");
	ipc_interrupt(&c.op);
	ipc_close(h);
	check("[one]", "");
}

Test(settle, read_that_must_not_wait_settles)
{
	struct ipc_handle *h = u_open("c@ack", O_RDONLY);
	struct u_call c;

	get(h, "one");
	u_prepare(&c, h, IPC_READ, NULL);
	c.op.nonblock = true;
	u_submit(&c);
	cr_assert_eq(c.result, -EAGAIN);
	check("[one]", "");
	ipc_close(h);
}

Test(settle, read_that_fails_settles_nothing)
{
	struct ipc_handle *h = u_open("c@ack", O_RDONLY);

	get(h, "one");
	get_result(h, -EIO);
	check("", "");
	ipc_close(h);
	check("", "[one]");
}

Test(settle, end_of_the_channel_settles)
{
	struct ipc_handle *h = u_open("c@ack", O_RDONLY);

	get(h, "one");
	get_result(h, 0);
	check("[one]", "");
	ipc_close(h);
	check("[one]", "");
}

Test(settle, end_by_idle_settles)
{
	struct ipc_handle *h = u_open("c@ack,idle=1ms", O_RDONLY);
	struct u_call c;

	get(h, "one");
	u_begin(&c, h, IPC_READ, NULL);
	cr_assert_eq(u_finish(&c), 0);
	check("[one]", "");
	ipc_close(h);
}

Test(settle, end_that_one_brings_settles_nothing)
{
	struct ipc_handle *h = u_open("c@ack,one", O_RDONLY);
	struct u_call c;

	get(h, "one");
	u_begin(&c, h, IPC_READ, NULL);
	cr_assert(c.done);
	cr_assert_eq(c.result, 0);
	check("", "");
	ipc_handle_ends(h, getpid(), IPC_END_FAILURE);
	ipc_close(h);
	check("", "[one]");
}

Test(settle, last_of_n_is_settled_by_what_becomes_of_its_reader)
{
	struct ipc_handle *h = u_open("c@ack,n=2", O_RDONLY);

	get(h, "one");
	get(h, "two");
	check("[one]", "");
	ipc_handle_ends(h, getpid(), IPC_END_SUCCESS);
	ipc_close(h);
	check("[one][two]", "");
}

/* --- how the reader ends --- */

Test(settle, exit_with_status_0_settles)
{
	end_reader(IPC_END_SUCCESS);
	check("[job]", "");
}

Test(settle, exit_with_another_status_gives_back)
{
	end_reader(IPC_END_FAILURE);
	check("", "[job]");
}

Test(settle, end_that_nobody_saw_gives_back)
{
	end_reader(IPC_END_UNKNOWN);
	check("", "[job]");
}

Test(settle, close_gives_back)
{
	end_reader(IPC_END_CLOSED);
	check("", "[job]");
}

Test(settle, close_at_the_end_settles)
{
	struct ipc_handle *h = u_open("c@ack,one", O_RDONLY);
	struct u_call c;

	get(h, "one");
	u_begin(&c, h, IPC_READ, NULL);
	cr_assert_eq(c.result, 0);
	ipc_handle_ends(h, getpid(), IPC_END_CLOSED);
	ipc_close(h);
	check("[one]", "");
}

Test(settle, last_close_counts)
{
	struct ipc_handle *h = u_open("c@ack", O_RDONLY);

	get(h, "one");
	ipc_handle_ends(h, getpid(), IPC_END_FAILURE);
	ipc_handle_ends(h, getpid(), IPC_END_SUCCESS);
	check("", "");
	ipc_close(h);
	check("[one]", "");
}

Test(settle, end_before_the_last_read_says_nothing_of_it)
{
	struct ipc_handle *h = u_open("c@ack", O_RDONLY);

	get(h, "one");
	ipc_handle_ends(h, getpid(), IPC_END_SUCCESS);
	get(h, "two");
	ipc_close(h);
	check("[one]", "[two]");
}

/* dash and BusyBox sh open a command's files themselves, and close them behind it. */
Test(settle, close_by_another_than_the_reader_leaves_it_to_his_exit)
{
	struct ipc_handle *h = u_open("c@ack,one", O_RDONLY);

	get(h, "one");
	ipc_handle_ends(h, getpid(), IPC_END_FAILURE);
	ipc_handle_ends(h, getppid(), IPC_END_CLOSED);
	ipc_close(h);
	check("", "[one]");
}

/* --- leases --- */

Test(settle, lease_that_runs_out_gives_back_and_says_so)
{
	struct ipc_handle *h = u_open("c@ack,lease=1ms", O_RDONLY);

	get(h, "one");
	while (!script_given_back_so_far()[0])
		cr_assert_eq(ipc_loop_turn(u_loop, 100), 0);
	cr_assert(u_refused("lease"));
	cr_assert_not(ipc_handle_owes(h));
	get(h, "two");
	check("", "[one]");
	ipc_close(h);
}

Test(settle, lease_begins_anew_with_each_message)
{
	struct ipc_handle *h = u_open("c@ack,lease=1h", O_RDONLY);

	get(h, "one");
	get(h, "two");
	cr_assert_eq(ipc_loop_turn(u_loop, 0), 0);
	check("[one]", "");
	ipc_handle_ends(h, getpid(), IPC_END_SUCCESS);
	ipc_close(h);
	check("[one][two]", "");
}

/* --- and besides --- */

Test(settle, read_that_did_not_reach_its_reader_gives_back)
{
	struct ipc_handle *h = u_open("c@ack,n=1", O_RDONLY);
	struct u_call c;

	script_says(IPC_READ, 3, "one");
	u_prepare(&c, h, IPC_READ, NULL);
	ipc_list_init(&c.op.link);
	cr_assert_eq(ipc_submit(&c.op), 3);
	ipc_undeliver(&c.op, 3);
	check("", "[one]");
	get(h, "two"); /* it did not count as the one that was asked for */
	ipc_close(h);
}

Test(settle, reader_without_ack_owes_nothing)
{
	struct ipc_handle *h = u_open("c", O_RDONLY);

	get(h, "one");
	cr_assert_not(ipc_handle_owes(h));
	ipc_handle_ends(h, getpid(), IPC_END_FAILURE);
	ipc_close(h);
	check("", "");
}

Test(settle, ctl_says_who_owes)
{
	struct ipc_handle *h = u_open("c@ack", O_RDONLY);
	char line[64];

	get(h, "one");
	snprintf(line, sizeof(line), "owed_by=pid:%d ", (int)getpid());
	cr_assert(strstr(u_ctl("c"), line), "%s", u_ctl("c"));
	cr_assert(strstr(u_ctl("c"), "deliveries:1"));
	ipc_close(h);
	cr_assert_not(strstr(u_ctl("c"), "owed_by"));
}

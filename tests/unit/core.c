/* The core alone, over the scripted kind: waiting, giving up, what is kept, lines, quotas, and what is told of it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "script.h"

TestSuite(core, .init = script_setup, .fini = u_teardown, .timeout = 20);

/* --- waiting --- */

Test(core, a_read_without_an_answer_waits_for_one)
{
	struct ipc_handle *h = u_open("c", O_RDONLY);
	struct u_call c;

	u_begin(&c, h, IPC_READ, NULL);
	cr_assert_not(c.done);
	script_says(IPC_READ, 5, "hello");
	script_wake("c");
	cr_assert_eq(u_finish(&c), 5);
	cr_assert_str_eq(c.text, "hello");
	ipc_close(h);
}

Test(core, an_event_without_an_answer_leaves_it_waiting)
{
	struct ipc_handle *h = u_open("c", O_RDONLY);
	struct u_call c;

	u_begin(&c, h, IPC_READ, NULL);
	script_wake("c");
	cr_assert_eq(ipc_loop_turn(u_loop, 0), 0);
	cr_assert_not(c.done);
	ipc_close(h);
}

Test(core, who_waits_is_served_in_the_order_of_arrival)
{
	struct ipc_handle *h[3];
	struct u_call c[3];

	for (int i = 0; i < 3; i++) {
		h[i] = u_open("c", O_RDONLY);
		u_begin(&c[i], h[i], IPC_READ, NULL);
	}
	script_says(IPC_READ, 1, "a");
	script_says(IPC_READ, 1, "b");
	script_wake("c");
	cr_assert_eq(u_finish(&c[0]), 1);
	cr_assert_eq(u_finish(&c[1]), 1);
	cr_assert_str_eq(c[0].text, "a");
	cr_assert_str_eq(c[1].text, "b");
	cr_assert_not(c[2].done);
	cr_assert(script_served(0) == h[0] && script_served(1) == h[1] && !script_served(2));
	for (int i = 0; i < 3; i++)
		ipc_close(h[i]);
}

Test(core, who_comes_later_queues_behind_who_waits)
{
	struct ipc_handle *a = u_open("c", O_RDONLY), *b = u_open("c", O_RDONLY);
	struct u_call first, second;

	u_begin(&first, a, IPC_READ, NULL);
	script_says(IPC_READ, 1, "a");
	script_says(IPC_READ, 1, "b");
	u_begin(&second, b, IPC_READ, NULL);
	cr_assert_not(second.done);
	script_wake("c");
	cr_assert_eq(u_finish(&second), 1);
	cr_assert_str_eq(first.text, "a");
	cr_assert_str_eq(second.text, "b");
	ipc_close(a);
	ipc_close(b);
}

Test(core, without_waiting_it_is_eagain)
{
	struct ipc_handle *h = u_open("c", O_RDONLY);
	struct u_call c;

	u_prepare(&c, h, IPC_READ, NULL);
	c.op.nonblock = true;
	u_submit(&c);
	cr_assert(c.done);
	cr_assert_eq(c.result, -EAGAIN);
	ipc_close(h);
}

Test(core, an_error_is_the_answer)
{
	struct ipc_handle *h = u_open("c", O_RDONLY);
	struct u_call c;

	u_begin(&c, h, IPC_READ, NULL);
	script_says(IPC_READ, -EIO, NULL);
	script_wake("c");
	cr_assert_eq(u_finish(&c), -EIO);
	ipc_close(h);
}

Test(core, a_write_goes_on_where_it_was_stopped)
{
	struct ipc_handle *h = u_open("c", O_WRONLY);
	struct u_call c;

	script_says(IPC_WRITE, 2, NULL);
	u_begin(&c, h, IPC_WRITE, "hello");
	cr_assert_not(c.done);
	script_says(IPC_WRITE, 3, NULL);
	script_wake("c");
	cr_assert_eq(u_finish(&c), 5);
	ipc_close(h);
}

/* --- giving up --- */

Test(core, closing_ends_what_waits)
{
	struct ipc_handle *h = u_open("c", O_RDONLY);
	struct u_call c;

	u_begin(&c, h, IPC_READ, NULL);
	ipc_close(h);
	cr_assert(c.done);
	cr_assert_eq(c.result, -EBADF);
}

Test(core, shutting_down_ends_what_waits_and_what_would)
{
	struct ipc_handle *h = u_open("c", O_RDONLY);
	struct u_call c, later;

	u_begin(&c, h, IPC_READ, NULL);
	ipc_shut_down(u_ipc);
	cr_assert_eq(u_finish(&c), -ENOTCONN);
	u_begin(&later, h, IPC_READ, NULL);
	cr_assert_eq(u_finish(&later), -ENOTCONN);
	ipc_close(h);
}

Test(core, a_timeout_is_etimedout_and_is_explained)
{
	struct ipc_handle *h = u_open("c@timeout=5ms", O_RDONLY);
	struct u_call c;

	u_begin(&c, h, IPC_READ, NULL);
	cr_assert_eq(u_finish(&c), -ETIMEDOUT);
	cr_assert(u_refused("nothing to read within 0.005s"));
	ipc_close(h);
}

Test(core, idle_is_the_end_of_the_file)
{
	struct ipc_handle *h = u_open("c@idle=5ms", O_RDONLY);
	struct u_call c;

	u_begin(&c, h, IPC_READ, NULL);
	cr_assert_eq(u_finish(&c), 0);
	ipc_close(h);
}

/* --- interrupts --- */

Test(core, an_interrupt_ends_a_read_that_waits)
{
	struct ipc_handle *h = u_open("c", O_RDONLY);
	struct u_call c, next;

	u_begin(&c, h, IPC_READ, NULL);
	u_begin(&next, h, IPC_READ, NULL);
	ipc_interrupt(&c.op);
	cr_assert(c.done);
	cr_assert_eq(c.result, -EINTR);
	script_says(IPC_READ, 1, "a");
	script_wake("c");
	cr_assert_eq(u_finish(&next), 1, "what the interrupted one has not taken is there for the next");
	ipc_close(h);
}

Test(core, an_interrupt_between_event_and_retry_takes_no_answer)
{
	struct ipc_handle *h = u_open("c", O_RDONLY);
	struct u_call c, next;

	u_begin(&c, h, IPC_READ, NULL);
	script_says(IPC_READ, 1, "a");
	script_wake("c");
	ipc_interrupt(&c.op);
	cr_assert_eq(c.result, -EINTR);
	u_begin(&next, h, IPC_READ, NULL);
	cr_assert_eq(u_finish(&next), 1);
	cr_assert_str_eq(next.text, "a");
	ipc_close(h);
}

Test(core, an_interrupt_of_what_is_over_does_nothing)
{
	struct ipc_handle *h = u_open("c", O_RDONLY);
	struct u_call c;

	u_begin(&c, h, IPC_READ, NULL);
	script_says(IPC_READ, 1, "a");
	script_wake("c");
	cr_assert_eq(u_finish(&c), 1);
	ipc_interrupt(&c.op);
	cr_assert_eq(c.result, 1);
	ipc_close(h);
}

Test(core, an_interrupted_write_says_how_far_it_came)
{
	struct ipc_handle *h = u_open("c", O_WRONLY);
	struct u_call c;

	script_says(IPC_WRITE, 2, NULL);
	u_begin(&c, h, IPC_WRITE, "hello");
	ipc_interrupt(&c.op);
	cr_assert_eq(c.result, 2);
	ipc_close(h);
}

/* --- what is kept --- */

static ssize_t read_at(struct ipc_handle *h, struct u_call *c, size_t size, off_t offset)
{
	u_prepare(c, h, IPC_READ, NULL);
	c->op.size = size;
	c->op.offset = offset;
	c->op.nonblock = true;
	u_submit(c);
	cr_assert(c->done);
	return c->result;
}

Test(core, the_rest_of_a_long_message_comes_next)
{
	struct ipc_handle *h = u_open("c", O_RDONLY);
	struct u_call c;

	script_says(IPC_READ, 10, "0123456789");
	cr_assert_eq(read_at(h, &c, 4, 0), 4);
	cr_assert(ipc_poll(h, false) & POLLIN, "there is a rest to read");
	cr_assert_eq(read_at(h, &c, 100, 4), 6);
	cr_assert_str_eq(c.text, "456789");
	cr_assert_not(ipc_poll(h, false) & POLLIN);
	cr_assert_eq(read_at(h, &c, 100, 10), -EAGAIN);
	ipc_close(h);
}

Test(core, the_last_message_can_be_read_again_and_no_other)
{
	struct ipc_handle *h = u_open("c", O_RDONLY);
	struct u_call c;

	script_says(IPC_READ, 3, "one");
	script_says(IPC_READ, 3, "two");
	cr_assert_eq(read_at(h, &c, 100, 0), 3);
	cr_assert_eq(read_at(h, &c, 100, 3), 3);
	cr_assert_eq(read_at(h, &c, 100, 4), 2);
	cr_assert_str_eq(c.text, "wo");
	cr_assert_eq(read_at(h, &c, 100, 0), -EINVAL);
	cr_assert(u_refused("a channel cannot go back further"));
	ipc_close(h);
}

Test(core, a_duplex_handle_reads_on_wherever_it_is_said_to_be)
{
	struct ipc_handle *h = u_open("c", O_RDWR);
	struct u_call c;

	script_says(IPC_READ, 5, "hello");
	cr_assert_eq(read_at(h, &c, 2, 77), 2);
	cr_assert_eq(read_at(h, &c, 100, 0), 3);
	cr_assert_str_eq(c.text, "llo");
	cr_assert_eq(read_at(h, &c, 100, 0), -EAGAIN);
	ipc_close(h);
}

/* Takes "hello" for a reader who has gone. */
static void deliver_to_nobody(struct ipc_handle *h)
{
	struct u_call c;

	u_begin(&c, h, IPC_READ, NULL);
	c.undeliverable = true;
	script_says(IPC_READ, 5, "hello");
	script_wake("c");
	cr_assert_eq(u_finish(&c), 5);
}

Test(core, what_was_not_delivered_goes_back_to_the_channel)
{
	struct ipc_handle *h = u_open("c", O_RDONLY), *other = u_open("c", O_RDONLY);
	struct u_call c;

	script_takes_back(true);
	deliver_to_nobody(h);
	cr_assert_eq(read_at(other, &c, 100, 0), 5);
	cr_assert_str_eq(c.text, "hello");
	cr_assert_eq(read_at(h, &c, 100, 0), -EAGAIN);
	ipc_close(h);
	ipc_close(other);
}

Test(core, what_does_not_go_back_is_the_handles_next_read)
{
	struct ipc_handle *h = u_open("c", O_RDONLY), *duplex = u_open("c", O_RDWR);
	struct u_call c;

	deliver_to_nobody(h);
	cr_assert(ipc_poll(h, false) & POLLIN);
	cr_assert_eq(read_at(h, &c, 100, 0), 5);
	cr_assert_str_eq(c.text, "hello");
	deliver_to_nobody(duplex);
	cr_assert_eq(read_at(duplex, &c, 100, 0), 5);
	cr_assert_eq(read_at(duplex, &c, 100, 0), -EAGAIN);
	ipc_close(h);
	ipc_close(duplex);
}

Test(core, a_rest_that_was_not_delivered_stays_the_readers)
{
	struct ipc_handle *h = u_open("c", O_RDWR);
	struct u_call c;

	script_takes_back(true);
	script_says(IPC_READ, 5, "hello");
	cr_assert_eq(read_at(h, &c, 2, 0), 2);
	u_prepare(&c, h, IPC_READ, NULL);
	cr_assert_eq(ipc_submit(&c.op), 3);
	ipc_undeliver(&c.op, 3);
	cr_assert_eq(read_at(h, &c, 100, 0), 3);
	cr_assert_str_eq(c.text, "llo");
	ipc_close(h);
}

/* --- lines --- */

Test(core, lines_are_cut_wherever_the_writes_are)
{
	struct ipc_handle *h = u_open("c@lines", O_WRONLY);

	for (int i = 0; i < 4; i++)
		script_says(IPC_WRITE, 0, NULL);
	cr_assert_eq(u_put(h, "ab\nc"), 4);
	cr_assert_eq(u_put(h, "d\n\nlast"), 7);
	cr_assert_str_eq(script_sent(), "[ab][cd][]");
	cr_assert(ipc_handle_has_unfinished(h));
	ipc_close(h);
	cr_assert_str_eq(script_sent(), "[ab][cd][][last]");
}

Test(core, an_unfinished_line_waits_for_room_after_close)
{
	struct ipc_handle *h = u_open("c@lines", O_WRONLY);

	cr_assert_eq(u_put(h, "last"), 4);
	ipc_close(h);
	cr_assert_str_eq(script_sent(), "");
	script_says(IPC_WRITE, 0, NULL);
	script_wake("c");
	while (!*script_sent())
		cr_assert_eq(ipc_loop_turn(u_loop, 20), 0);
	cr_assert_str_eq(script_sent(), "[last]");
}

Test(core, a_line_beyond_the_limit_is_emsgsize)
{
	struct ipc_handle *h = u_open("c@lines", O_WRONLY);

	cr_assert_eq(u_put(h, "12345678901234567\n"), -EMSGSIZE);
	cr_assert_eq(u_put(h, "begun"), 5);
	cr_assert_eq(u_put(h, "123456789012\n"), -EMSGSIZE);
	cr_assert(u_refused("longer than a message may be (16)"));
	ipc_close(h);
	cr_assert_str_eq(script_sent(), "", "no part of it is taken for a message");
}

/* --- quotas --- */

Test(core, who_has_enough_waiting_may_not_wait_more)
{
	struct ipc_handle *h = u_open("c", O_RDONLY);
	struct u_call first, second;

	u_ipc->opt.quota[IPC_QUOTA_PARKED] = 1;
	u_begin(&first, h, IPC_READ, NULL);
	u_begin(&second, h, IPC_READ, NULL);
	cr_assert_not(first.done);
	cr_assert_eq(u_finish(&second), -EDQUOT);
	ipc_interrupt(&first.op);
	u_begin(&second, h, IPC_READ, NULL);
	cr_assert_not(second.done, "what has ended counts no more");
	ipc_close(h);
}

Test(core, handles_and_channels_and_bytes_are_counted)
{
	struct ipc_handle *h = u_open("c", O_WRONLY), *more;
	struct u_call c;

	u_ipc->opt.quota[IPC_QUOTA_HANDLES] = 1;
	cr_assert_eq(u_handle("c", O_RDONLY, &more), -EMFILE);
	u_ipc->opt.quota[IPC_QUOTA_CHANNELS] = 1;
	cr_assert_eq(u_create_type("d", S_IFREG | 0600), -EDQUOT);
	u_ipc->opt.quota[IPC_QUOTA_BYTES] = 4;
	u_begin(&c, h, IPC_WRITE, "hello");
	cr_assert_eq(u_finish(&c), -EDQUOT);
	ipc_close(h);
	cr_assert_eq(u_handle("c", O_RDONLY, &more), 0);
	ipc_close(more);
}

/* --- what is told, and the names --- */

Test(core, ctl_tells_who_waits_and_for_what)
{
	struct ipc_handle *h = u_open("c", O_RDONLY);
	struct u_call c;
	const char *text;

	u_begin(&c, h, IPC_READ, NULL);
	text = u_ctl("c");
	cr_assert(strstr(text, "kind=script\n"));
	cr_assert(strstr(text, "readers=1\nwriters=0\nwaiters=1\n"));
	cr_assert(strstr(text, "operation:read"));
	ipc_close(h);
	cr_assert(strstr(u_ctl("c"), "waiters=0\n"));
}

Test(core, status_has_a_line_for_each_channel)
{
	struct ipc_handle *h = u_open("c", O_RDONLY);
	struct ipc_cred cred = u_me();
	char text[1024] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	cr_assert_eq(u_text_status(u_ipc, &cred, IPC_STATUS_LINES, out), 0);
	fclose(out);
	cr_assert(strstr(text, "script        7        1        0  c\n"), "%s", text);
	ipc_close(h);
}

Test(core, a_named_kind_needs_no_unlink_rename_chattr_or_list)
{
	struct stat st;

	cr_assert_eq(u_rename("c", "d", 0), 0);
	cr_assert_eq(u_stat("c", &st), -ENOENT);
	cr_assert_eq(u_stat("d", &st), 0);
	st.st_mode = 0640;
	cr_assert_eq(u_change("d", NULL, &st, IPC_SET_MODE), 0);
	cr_assert_eq(u_stat("d", &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0640);
	cr_assert_eq(u_remove("d"), 0);
	cr_assert_eq(u_remove("d"), -ENOENT);
}

Test(core, removing_the_name_leaves_who_has_it_open)
{
	struct ipc_handle *h = u_open("c", O_RDONLY);
	struct u_call c;

	cr_assert_eq(u_remove("c"), 0);
	script_says(IPC_READ, 1, "a");
	u_begin(&c, h, IPC_READ, NULL);
	cr_assert_eq(u_finish(&c), 1);
	ipc_close(h);
}

/* NAME@tap: copies of what passes, in order; and who is slow loses, and is told how many. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "core/tap.h"
#include "fixture.h"

static void setup(void)
{
	u_setup(&ipc_bcast);
	u_create("b");
}

TestSuite(tap, .init = setup, .fini = u_teardown, .timeout = 20);

/* What there is now, in a static buffer; NULL for an error, which is put in *err. */
static const char *seen(struct ipc_handle *h, ssize_t *err)
{
	static struct u_call c;

	u_prepare(&c, h, IPC_READ, NULL);
	c.op.nonblock = true;
	u_submit(&c);
	*err = c.result;
	return c.result > 0 ? c.text : NULL;
}

static void check_seen(struct ipc_handle *h, const char *expected)
{
	ssize_t err;
	const char *text = seen(h, &err);

	cr_assert_not_null(text, "%zd", err);
	cr_assert_str_eq(text, expected);
}

static void check_result(struct ipc_handle *h, ssize_t expected)
{
	ssize_t err;
	const char *text = seen(h, &err);

	cr_assert_eq(err, expected, "%s", text ? text : "");
}

Test(tap, sees_what_is_written_and_what_is_read)
{
	struct ipc_handle *t = u_open("b@tap,lines", O_RDONLY), *r = u_open("b@lines", O_RDONLY);
	struct ipc_handle *w = u_open("b@lines", O_WRONLY);
	struct u_call c;

	u_put(w, "one\ntwo\n");
	check_seen(t, "one\ntwo\n");
	u_begin(&c, r, IPC_READ, NULL);
	cr_assert(c.done);
	check_seen(t, "one\n");
	check_result(t, -EAGAIN);
	ipc_close(w);
	ipc_close(r);
	ipc_close(t);
}

Test(tap, without_a_frame_a_read_is_a_message)
{
	struct ipc_handle *t = u_open("b@tap", O_RDONLY), *w = u_open("b", O_WRONLY);

	u_put(w, "one");
	u_put(w, "two");
	check_seen(t, "one");
	check_seen(t, "two");
	check_result(t, -EAGAIN);
	ipc_close(w);
	ipc_close(t);
}

Test(tap, meta_says_when_which_way_and_who)
{
	struct ipc_handle *t = u_open("b@tap,lines,meta", O_RDONLY), *w = u_open("b", O_WRONLY);
	char way[8], command[32], message[32];
	const char *text;
	ssize_t err;
	int pid;

	u_put(w, "one");
	text = seen(t, &err);
	cr_assert_not_null(text);
	cr_assert_eq(sscanf(text, "%*[0-9T:.+-]\t%7s\t%d\t%31s\t%31s\n", way, &pid, command, message), 4, "%s", text);
	cr_assert_str_eq(way, "in");
	cr_assert_eq(pid, getpid());
	cr_assert_str_eq(message, "one");
	ipc_close(w);
	ipc_close(t);
}

Test(tap, is_no_reader_of_the_channel)
{
	struct ipc_handle *t = u_open("b@tap", O_RDONLY);
	const char *ctl = u_ctl("b");

	cr_assert(strstr(ctl, "readers=0\n") && strstr(ctl, "taps=1\n"), "%s", ctl);
	ipc_close(t);
	cr_assert_null(strstr(u_ctl("b"), "taps="));
}

Test(tap, a_slow_one_loses_the_oldest_and_hears_how_many)
{
	struct ipc_handle *t = u_open("b@tap,lines", O_RDONLY), *m = u_open("b@tap,lines,meta", O_RDONLY);
	struct ipc_handle *w = u_open("b", O_WRONLY);
	const char *text;
	ssize_t err;

	for (int i = 0; i < 5000; i++)
		u_put(w, "x");
	check_result(t, -ENOBUFS);
	cr_assert(u_refused("this tap was too slow: 904 messages"));
	text = seen(t, &err);
	cr_assert(text && strncmp(text, "x\n", 2) == 0);
	text = seen(m, &err);
	cr_assert(text && strstr(text, "\tlost\t0\t?\t904\n"), "%.100s", text);
	ipc_close(w);
	ipc_close(m);
	ipc_close(t);
}

Test(tap, ends_when_nothing_more_can_come)
{
	struct ipc_handle *t = u_open("b@tap,lines", O_RDONLY), *w = u_open("b", O_WRONLY);
	struct u_call c;

	u_begin(&c, t, IPC_READ, NULL);
	cr_assert_eq(u_remove("b"), 0);
	ipc_loop_turn(u_loop, 20);
	cr_assert_not(c.done);
	u_put(w, "last");
	cr_assert_eq(u_finish(&c), 5);
	u_begin(&c, t, IPC_READ, NULL);
	cr_assert_not(c.done);
	ipc_close(w);
	cr_assert_eq(u_finish(&c), 0);
	cr_assert(ipc_poll(t, false) & POLLIN);
	ipc_close(t);
}

Test(tap, polls_tell_of_each_message)
{
	struct ipc_handle *t = u_open("b@tap", O_RDONLY), *w = u_open("b", O_WRONLY);
	int ready = 0;

	ipc_handle_on_ready(t, u_count_ready, &ready);
	cr_assert_eq(ipc_poll(t, true), 0u);
	u_put(w, "x");
	while (!ready)
		ipc_loop_turn(u_loop, 20);
	cr_assert(ipc_poll(t, true) & POLLIN);
	u_put(w, "x");
	while (ready < 2)
		ipc_loop_turn(u_loop, 20);
	ipc_close(w);
	ipc_close(t);
}

Test(tap, takes_no_other_facets)
{
	struct stat st;
	struct ipc_handle *h;

	cr_assert_eq(u_handle("b@tap,lines", O_RDWR, &h), -EACCES);
	cr_assert_eq(u_stat("b@tap,nul,meta", &st), 0);
	for (size_t i = 0; i < 4; i++) {
		static const char *const bad[] = {"b@tap,drain", "b@tap,meta", "b@last=3,tap", "b@tap,lines,nul"};
		struct ipc_cred cred = u_me();
		struct ipc_ref ref;

		cr_assert_eq(ipc_resolve(u_ipc, &cred, &ipc_bcast, bad[i], &ref), -EINVAL, "%s", bad[i]);
	}
}

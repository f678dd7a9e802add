/* lib/core/timeout.c: the clock that idle and timeout run for those who do not park, on a broadcast's handles. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "fixture.h"

static void timeout_setup(void)
{
	u_setup(&ipc_bcast);
	u_create("b");
}

TestSuite(timeout, .init = timeout_setup, .fini = u_teardown, .timeout = 30);

#define MS INT64_C(1000000)

static void turn_until(const int *count)
{
	while (!*count)
		cr_assert_eq(ipc_loop_turn(u_loop, 20), 0);
}

static void turn_for(int64_t ns)
{
	int64_t end = ipc_now() + ns;

	while (ipc_now() < end)
		cr_assert_eq(ipc_loop_turn(u_loop, 5), 0);
}

/* A read that does not wait. */
static ssize_t try_read(struct ipc_handle *h)
{
	struct ipc_op op = {
		.type = IPC_READ, .nonblock = true, .handle = h, .cred = u_me(), .size = 100, .offset = h->pos};

	ipc_list_init(&op.link);
	return ipc_submit(&op);
}

Test(timeout, a_poll_is_told_when_idle_is_over)
{
	struct ipc_handle *h = u_open("b@idle=30ms", O_RDONLY);
	int told = 0;

	ipc_handle_on_ready(h, u_count_ready, &told);
	cr_assert_eq(ipc_poll(h, true), 0);
	turn_until(&told);
	cr_assert_eq(ipc_poll(h, true), POLLIN | POLLRDNORM);
	cr_assert_eq(try_read(h), 0);
	ipc_close(h);
}

Test(timeout, a_read_that_said_eagain_has_started_the_clock)
{
	struct ipc_handle *h = u_open("b@timeout=30ms", O_RDONLY);

	cr_assert_eq(try_read(h), -EAGAIN);
	turn_for(40 * MS);
	cr_assert_eq(ipc_poll(h, false), POLLIN | POLLRDNORM);
	cr_assert_eq(try_read(h), -ETIMEDOUT);
	cr_assert(u_refused("nothing to read within 0.03s"));
	ipc_close(h);
}

Test(timeout, behind_its_end_the_clock_starts_anew)
{
	struct ipc_handle *h = u_open("b@idle=30ms", O_RDONLY);

	cr_assert_eq(try_read(h), -EAGAIN);
	turn_for(40 * MS);
	cr_assert_eq(try_read(h), 0);
	cr_assert_eq(try_read(h), -EAGAIN);
	cr_assert_eq(ipc_poll(h, false), 0);
	ipc_close(h);
}

Test(timeout, a_message_stops_the_clock)
{
	struct ipc_handle *h = u_open("b@idle=50ms", O_RDONLY), *w = u_open("b", O_WRONLY);

	cr_assert_eq(try_read(h), -EAGAIN);
	turn_for(60 * MS);
	cr_assert_eq(u_put(w, "late"), 4);
	cr_assert_eq(try_read(h), 4);
	cr_assert_eq(try_read(h), -EAGAIN);
	ipc_close(h);
	ipc_close(w);
}

Test(timeout, what_was_not_asked_for_has_no_clock)
{
	struct ipc_handle *h = u_open("b@timeout=20ms", O_RDWR);

	cr_assert_eq(ipc_poll_for(h, POLLOUT, false), POLLOUT | POLLWRNORM);
	turn_for(30 * MS);
	cr_assert_eq(ipc_poll_for(h, POLLIN, false), POLLOUT | POLLWRNORM);
	turn_for(30 * MS);
	cr_assert(ipc_poll_for(h, POLLIN, false) & POLLIN);
	ipc_close(h);
}

Test(timeout, a_read_that_waits_behind_a_poll_has_what_is_left)
{
	struct ipc_handle *h = u_open("b@idle=300ms", O_RDONLY);
	int64_t began = ipc_now();
	struct u_call c;

	cr_assert_eq(ipc_poll(h, true), 0);
	turn_for(200 * MS);
	u_begin(&c, h, IPC_READ, NULL);
	cr_assert_eq(u_finish(&c), 0);
	cr_assert_lt(ipc_now() - began, 480 * MS);
	ipc_close(h);
}

Test(timeout, a_handle_that_is_closed_forgets_its_clock)
{
	struct ipc_handle *h = u_open("b@idle=20ms", O_RDONLY);
	int told = 0;

	ipc_handle_on_ready(h, u_count_ready, &told);
	cr_assert_eq(ipc_poll(h, true), 0);
	ipc_close(h);
	turn_for(40 * MS);
	cr_assert_eq(told, 0);
}

Test(timeout, without_these_facets_nothing_ends)
{
	struct ipc_handle *h = u_open("b", O_RDONLY);

	cr_assert_eq(try_read(h), -EAGAIN);
	cr_assert_eq(ipc_poll(h, true), 0);
	turn_for(30 * MS);
	cr_assert_eq(ipc_poll(h, false), 0);
	ipc_close(h);
}

/* MNT/events: who hears of what, and what becomes of who is slow. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/event.h"
#include "script.h"

static void setup(void)
{
	script_setup();
}

TestSuite(event, .init = setup, .fini = u_teardown, .timeout = 20);

static struct ipc_handle *watch_as(struct ipc_cred cred, bool json)
{
	struct ipc_handle *h = NULL;

	cr_assert_eq(ipc_events_open(u_ipc, &cred, json, O_RDONLY, &h), 0);
	return h;
}

static struct ipc_handle *watch(void)
{
	return watch_as(u_me(), false);
}

/* What there is for the reader now, in a static buffer; "" for nothing. */
static const char *told(struct ipc_handle *h)
{
	static struct u_call c;

	u_prepare(&c, h, IPC_READ, NULL);
	c.op.cred = h->cred;
	c.op.nonblock = true;
	u_submit(&c);
	cr_assert(c.result > 0 || c.result == -EAGAIN);
	return c.text;
}

/* Nobody else's eyes: a user who is neither us nor root. */
static struct ipc_cred stranger(void)
{
	return (struct ipc_cred){.uid = 54321, .gid = 54321, .pid = getpid(), .fixed = true};
}

static void event(const char *path)
{
	const struct ipc_event e = {.type = IPC_EVENT_MADE, .path = path};

	ipc_event(u_ipc, &e);
}

/* Its own refusal, which is nobody else's. */
static void refuse_us(void)
{
	struct ipc_cred cred = u_me();

	ipc_refuse(u_ipc, &cred, EINVAL, "kind/name", "for a reason");
}

static unsigned lines(const char *text)
{
	unsigned n = 0;

	for (; (text = strchr(text, '\n')); text++)
		n++;
	return n;
}

Test(event, nothing_is_kept_without_a_reader)
{
	struct ipc_handle *h;

	cr_assert_null(u_ipc->events);
	ipc_close(u_open("c", O_RDONLY));
	h = watch();
	cr_assert_str_eq(told(h), "");
	ipc_close(h);
	cr_assert_null(u_ipc->events);
}

Test(event, opening_and_closing_are_told_to_each_reader)
{
	struct ipc_handle *a = watch(), *b = watch();

	ipc_close(u_open("c", O_RDONLY));
	for (int i = 0; i < 2; i++) {
		const char *text = told(i ? b : a);

		cr_assert(strstr(text, "/c opened pid=") && strstr(text, "for=read"), "%s", text);
		cr_assert(strstr(text, "/c closed pid="), "%s", text);
	}
	ipc_close(a);
	ipc_close(b);
}

Test(event, a_reader_hears_nothing_from_before_his_open)
{
	struct ipc_handle *a = watch(), *b;

	event("mq/before");
	b = watch();
	event("mq/after");
	cr_assert_null(strstr(told(b), "before"));
	cr_assert_not_null(strstr(told(a), "before"));
	ipc_close(a);
	ipc_close(b);
}

Test(event, a_parked_read_gets_the_line)
{
	struct ipc_handle *h = watch();
	struct u_call c;

	u_begin(&c, h, IPC_READ, NULL);
	cr_assert_not(c.done);
	event("mq/x");
	cr_assert_gt(u_finish(&c), 0);
	cr_assert_not_null(strstr(c.text, " mq/x made\n"));
	ipc_close(h);
}

Test(event, a_burst_wakes_once_and_loses_nothing)
{
	struct ipc_handle *h = watch();
	struct u_call c;
	unsigned reads = 0, got = 0;

	for (int i = 0; i < 100; i++)
		event("mq/x");
	while (got < 100) {
		u_begin(&c, h, IPC_READ, NULL);
		cr_assert_gt(u_finish(&c), 0);
		got += lines(c.text);
		reads++;
	}
	cr_assert_eq(got, 100);
	cr_assert_leq(reads, 4);
	ipc_close(h);
}

Test(event, polls_tell_of_each)
{
	struct ipc_handle *h = watch();
	int ready = 0;

	ipc_handle_on_ready(h, u_count_ready, &ready);
	cr_assert_eq(ipc_poll(h, true), 0u);
	event("mq/x");
	while (!ready)
		ipc_loop_turn(u_loop, 20);
	cr_assert(ipc_poll(h, true) & POLLIN);
	event("mq/y");
	while (ready < 2)
		ipc_loop_turn(u_loop, 20);
	ipc_close(h);
}

Test(event, a_slow_reader_loses_the_oldest_and_is_told_how_many)
{
	struct ipc_handle *slow = watch(), *quick = watch();
	const char *text;

	for (int i = 0; i < 5000; i++) {
		event("mq/x");
		if (i % 8 == 0)
			told(quick);
	}
	text = told(slow);
	cr_assert_not_null(strstr(text, " events lost lines=904\n"), "%.80s", text);
	cr_assert_not_null(strstr(text, " mq/x made\n"));
	cr_assert_null(strstr(told(slow), "lost"));
	while (*(text = told(quick)))
		cr_assert_null(strstr(text, "lost"));
	ipc_close(slow);
	ipc_close(quick);
}

Test(event, long_lines_count_in_bytes)
{
	struct ipc_handle *slow = watch();
	char why[1000];

	memset(why, 'y', sizeof(why) - 1);
	why[sizeof(why) - 1] = '\0';
	for (int i = 0; i < 3000; i++) {
		const struct ipc_event e = {.path = "mq/x", .value = {{.key = "why", .text = why, .words = true}}};

		ipc_event(u_ipc, &e);
	}
	cr_assert_not_null(strstr(told(slow), " events lost lines="));
	ipc_close(slow);
}

Test(event, refusals_are_for_who_was_refused)
{
	struct ipc_handle *mine = watch(), *other = watch_as(stranger(), false);

	refuse_us();
	event("mq/x");
	cr_assert_not_null(strstr(told(mine), "kind/name refused"));
	cr_assert_null(strstr(told(other), "refused"));
	ipc_close(mine);
	ipc_close(other);
}

Test(event, what_is_lost_says_nothing_of_others_refusals)
{
	struct ipc_handle *other = watch_as(stranger(), false);

	for (int i = 0; i < 5000; i++)
		refuse_us();
	cr_assert_str_eq(told(other), "");
	event("mq/x");
	cr_assert_null(strstr(told(other), "lost"));
	ipc_close(other);
}

Test(event, who_it_was_is_for_those_who_may_read_the_channel)
{
	struct ipc_handle *other = watch_as(stranger(), false);
	struct stat st = {.st_uid = getuid(), .st_gid = getgid(), .st_mode = S_IFREG | 0600};
	struct ipc_cred me = u_me();
	struct ipc_event e = {.type = IPC_EVENT_OPENED, .path = "mq/x", .st = &st, .by = &me};
	const char *text;

	ipc_event(u_ipc, &e);
	text = told(other);
	cr_assert(strstr(text, " mq/x opened\n") && !strstr(text, "pid="), "%s", text);
	st.st_mode = S_IFREG | 0644;
	ipc_event(u_ipc, &e);
	cr_assert_not_null(strstr(told(other), " mq/x opened pid="));
	ipc_close(other);
}

Test(event, names_that_harm_are_one_word)
{
	struct ipc_handle *h = watch(), *json = watch_as(u_me(), true);
	const char *text;

	event("mq/a b\nc\033[31m\"\\\xe2\x80\xae\xff");
	text = told(h);
	cr_assert_not_null(strstr(text, " mq/a\\x20b\\x0ac\\x1b[31m\"\\x5c\\xe2\\x80\\xae\\xff made\n"), "%s", text);
	text = told(json);
	cr_assert_not_null(
		strstr(text, "\"kind\": \"mq\", \"name\": \"a b\\\\x0ac\\\\x1b[31m\\\"\\\\x5c\\\\xe2\\\\x80"), "%s",
		text);
	ipc_close(h);
	ipc_close(json);
}

Test(event, a_write_without_room_is_told_once_until_there_was_some)
{
	struct ipc_handle *w = u_open("c", O_WRONLY), *h = watch();
	struct u_call a, b;
	const char *text;

	u_begin(&a, w, IPC_WRITE, "x");
	u_begin(&b, w, IPC_WRITE, "y");
	text = told(h);
	cr_assert_not_null(strstr(text, "/c full pid="), "%s", text);
	cr_assert_eq(lines(text), 1);
	script_says(IPC_WRITE, 1, NULL);
	script_says(IPC_WRITE, 1, NULL);
	script_wake("c");
	u_finish(&b);
	u_begin(&a, w, IPC_WRITE, "z");
	cr_assert_not_null(strstr(told(h), "/c full pid="));
	ipc_close(w);
	ipc_close(h);
}

Test(event, who_waits_for_a_second_is_told)
{
	struct ipc_handle *r = u_open("c", O_RDONLY), *h = watch();
	struct u_call c, e;

	u_begin(&c, r, IPC_READ, NULL);
	cr_assert_str_eq(told(h), "");
	u_begin(&e, h, IPC_READ, NULL);
	u_finish(&e);
	cr_assert_geq(ipc_now() - c.op.since, 1000000000);
	cr_assert_not_null(strstr(e.text, "/c waiting pid="));
	cr_assert_not_null(strstr(e.text, "operation=read\n"));
	ipc_close(r);
	ipc_close(h);
}

Test(event, it_can_only_be_read)
{
	struct ipc_cred cred = u_me();
	struct ipc_handle *h;

	cr_assert_eq(ipc_events_open(u_ipc, &cred, false, O_RDWR, &h), -EACCES);
	cr_assert_null(u_ipc->events);
}

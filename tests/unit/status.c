/* The forms of MNT/status, step by step: what is counted, and how much is done at once. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "core/quote.h"
#include "fixture.h"

TestSuite(status, .fini = u_teardown, .timeout = 30);

static struct ipc_text text;

static const char *status_of(enum ipc_status_form form)
{
	struct ipc_cred cred = u_me();
	FILE *out;

	free(text.data);
	out = ipc_text_open(&text);
	cr_assert(out);
	cr_assert_eq(u_text_status(u_ipc, &cred, form, out), 0);
	fputc('\0', out);
	cr_assert_eq(ipc_text_close(&text), 0);
	return text.data;
}

/* A read of h that nobody takes. */
static void read_in_vain(struct ipc_handle *h)
{
	struct ipc_op op = {
		.type = IPC_READ, .handle = h, .cred = u_me(), .nonblock = true, .size = 64, .offset = h->pos};
	ssize_t n;

	ipc_list_init(&op.link);
	n = ipc_submit(&op);
	cr_assert_gt(n, 0);
	ipc_undeliver(&op, n);
}

Test(status, what_went_back_takes_nothing_from_a_counter)
{
	struct ipc_handle *h;
	struct u_call c;

	u_setup(&ipc_sem);
	u_create("s");
	h = u_open("s", O_RDWR);
	u_put(h, "1\n");
	read_in_vain(h);
	cr_expect(strstr(status_of(IPC_STATUS_METRICS), "ipcfs_messages_out_total{kind=\"sem\",name=\"s\"} 1\n"), "%s",
		  text.data);
	cr_expect(strstr(text.data, "ipcfs_messages_returned_total{kind=\"sem\",name=\"s\"} 1\n"), "%s", text.data);
	cr_expect(strstr(u_ctl("s"), "out_messages=0\nout_bytes=0\n"), "%s", u_ctl("s"));
	u_begin(&c, h, IPC_READ, NULL);
	cr_assert_eq(u_finish(&c), 2);
	cr_expect(strstr(status_of(IPC_STATUS_METRICS), "ipcfs_messages_out_total{kind=\"sem\",name=\"s\"} 2\n"), "%s",
		  text.data);
	ipc_close(h);
}

Test(status, who_is_at_an_object_that_was_replaced_is_not_at_the_new_one)
{
	struct ipc_handle *h;
	char path[64], other[64];

	u_setup(&ipc_sem);
	u_create("s");
	h = u_open("s", O_WRONLY);
	cr_expect(strstr(status_of(IPC_STATUS_JSON), "\"openers\": 1,"), "%s", text.data);
	snprintf(path, sizeof(path), "/dev/shm/sem.%ss", u_prefix);
	snprintf(other, sizeof(other), "/dev/shm/sem.%sold", u_prefix);
	cr_assert_eq(rename(path, other), 0);
	u_create("s");
	cr_expect(strstr(status_of(IPC_STATUS_JSON),
			 "\"s\", \"depth\": 0, \"limit\": null, \"unit\": \"permits\", \"openers\": 0,"),
		  "%s", text.data);
	ipc_close(h);
}

/* Milliseconds until who reads every 20 ms is told that. */
static int64_t told_after(const char *what)
{
	int64_t began = ipc_now();

	while (!strstr(status_of(IPC_STATUS_BRIEF), what)) {
		cr_assert_lt(ipc_now() - began, INT64_C(10000000000), "%s", what);
		ipc_loop_turn(u_loop, 20);
	}
	return (ipc_now() - began) / 1000000;
}

Test(status, who_reads_again_and_again_is_told_in_time)
{
	char path[64], name[64];
	struct ipc_handle *h;
	sem_t *sem;

	u_setup(&ipc_sem);
	u_create("s");
	for (int i = 0; i < 10; i++) {
		ipc_loop_turn(u_loop, 20);
		cr_assert(strstr(status_of(IPC_STATUS_BRIEF), "\"s\", \"depth\": 0"));
	}
	snprintf(name, sizeof(name), "/%ss", u_prefix);
	sem = sem_open(name, 0);
	sem_post(sem);
	cr_expect_leq(told_after("\"s\", \"depth\": 1"), 4500);
	/* What is used through us is told at once, and so are names. */
	h = u_open("s", O_WRONLY);
	cr_assert_eq(u_put(h, "3\n"), 2);
	cr_expect(strstr(status_of(IPC_STATUS_BRIEF), "\"s\", \"depth\": 4, \"openers\": 1"), "%s", text.data);
	ipc_close(h);
	snprintf(path, sizeof(path), "/dev/shm/sem.%ss", u_prefix);
	snprintf(name, sizeof(name), "/dev/shm/sem.%st", u_prefix);
	cr_assert_eq(rename(path, name), 0);
	cr_expect(strstr(status_of(IPC_STATUS_BRIEF), "\"t\", \"depth\": 4"), "%s", text.data);
	cr_expect(!strstr(text.data, "\"s\""), "%s", text.data);
	sem_close(sem);
}

/* Returns how many lines the longest step wrote. */
static unsigned longest_step(enum ipc_status_form form)
{
	struct ipc_cred cred = u_me();
	struct ipc_status *s = ipc_status_begin(u_ipc, &cred, form);
	unsigned longest = 0;
	int r = 1;

	while (r > 0) {
		FILE *out = ipc_text_open(&text);
		unsigned lines = 0;

		r = ipc_status_step(s, out);
		cr_assert_geq(r, 0);
		cr_assert_eq(ipc_text_close(&text), 0);
		for (size_t i = 0; i < text.len; i++)
			lines += text.data[i] == '\n';
		longest = lines > longest ? lines : longest;
		free(text.data);
		text.data = NULL;
	}
	ipc_status_end(s);
	return longest;
}

Test(status, no_step_is_long_however_much_there_is)
{
	enum { MANY = 2000 };
	struct ipc_handle *crowd[MANY];
	char name[16];

	u_setup(&ipc_bcast);
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "b%d", i);
		u_create(name);
		crowd[i] = u_open(i % 2 ? name : "b0", O_RDONLY);
	}
	cr_expect_leq(longest_step(IPC_STATUS_LINES), 66);
	cr_expect_leq(longest_step(IPC_STATUS_JSON), 66);
	cr_expect_leq(longest_step(IPC_STATUS_METRICS), 1026);
	cr_expect_leq(longest_step(IPC_STATUS_DOT), 2 * (128 + 64) + 128);
	for (int i = 0; i < MANY; i++)
		ipc_close(crowd[i]);
}

Test(status, what_a_step_keeps_is_told)
{
	struct ipc_cred cred;
	struct ipc_status *s;
	char name[16];
	FILE *out;

	u_setup(&ipc_bcast);
	cred = u_me();
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "b%d", i);
		u_create(name);
	}
	s = ipc_status_begin(u_ipc, &cred, IPC_STATUS_METRICS);
	out = ipc_text_open(&text);
	while (ipc_status_step(s, out) > 0)
		;
	cr_expect_geq(ipc_status_memory(s), 500U * 100);
	ipc_status_end(s);
	cr_assert_eq(ipc_text_close(&text), 0);
}

static const char *quoted(void (*quote)(FILE *, const char *), const char *from)
{
	static char to[256];
	FILE *out = fmemopen(to, sizeof(to), "w");

	quote(out, from);
	fclose(out);
	return to;
}

Test(status, quotes_escape_what_ends_them_and_what_is_not_text)
{
	u_setup(&ipc_sem);
	cr_expect_str_eq(quoted(ipc_quote, "a\"b\\c\nd\xff"), "\"a\\\"b\\\\x5cc\\\\x0ad\\\\xff\"");
	cr_expect_str_eq(quoted(ipc_quote, "plain \xe2\x82\xac"), "\"plain \xe2\x82\xac\"");
	cr_expect_str_eq(quoted(ipc_quote_shown, "a\\x0a"), "\"a\\\\x0a\"");
	cr_expect_str_eq(quoted(ipc_quote_label, "<b>&amp;\""), "<b>&amp;amp;\\\"");
}

/* Reading several messages at once, and what becomes of them when the reader cannot be told: lib/kinds/mq/back.c. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"

static mqd_t native = -1;

static char *kernel_name(void)
{
	static char name[64];

	snprintf(name, sizeof(name), "/%sq", u_prefix);
	return name;
}

static void back_setup(void)
{
	u_setup(&ipc_mq);
}

static void back_teardown(void)
{
	if (native >= 0)
		mq_close(native);
	mq_unlink(kernel_name());
	u_teardown();
}

TestSuite(mq_back, .init = back_setup, .fini = back_teardown, .timeout = 30);

static void make(const char *name)
{
	u_create(name);
	native = mq_open(kernel_name(), O_RDWR | O_NONBLOCK);
	cr_assert_geq(native, 0);
}

static void give(const char *text, unsigned prio)
{
	cr_assert_eq(mq_send(native, text, strlen(text), prio), 0);
}

/* What a native receiver gets: "PRIO:TEXT", or "" of an empty queue. */
static const char *take(void)
{
	static char text[128];
	char message[64];
	unsigned prio;
	ssize_t n = mq_receive(native, message, sizeof(message), &prio);

	if (n < 0)
		return "";
	snprintf(text, sizeof(text), "%u:%.*s", prio, (int)n, message);
	return text;
}

static struct ipc_op read_op(struct ipc_handle *h, size_t size, off_t offset)
{
	struct ipc_op op = {
		.type = IPC_READ, .handle = h, .cred = u_me(), .nonblock = true, .size = size, .offset = offset};

	ipc_list_init(&op.link);
	return op;
}

/* The daemon has done what it has to do; for native receivers, who see what is in the queue. */
static void settle(void)
{
	ipc_loop_turn(u_loop, 0);
}

/* A read that nobody takes. */
static void read_in_vain(struct ipc_handle *h, size_t size)
{
	struct ipc_op op = read_op(h, size, h->pos);
	ssize_t n = ipc_submit(&op);

	cr_assert_gt(n, 0);
	ipc_undeliver(&op, n);
	settle();
}

static const char *read_lines(struct ipc_handle *h, size_t size)
{
	static char text[1024];
	struct ipc_op op = read_op(h, size, h->pos);
	ssize_t n = ipc_submit(&op);

	cr_assert_geq(n, 0, "%zd", n);
	snprintf(text, sizeof(text), "%.*s", (int)n, op.data);
	return text;
}

Test(mq_back, an_undelivered_message_goes_back)
{
	const char *const faces[] = {"q", "q@lines", "q@lines,meta"};

	make("q@maxmsg=4,msgsize=64");
	for (unsigned i = 0; i < 3; i++) {
		struct ipc_handle *h = u_open(faces[i], O_RDONLY);

		give("precious", 5);
		read_in_vain(h, 4096);
		cr_assert_str_eq(take(), "5:precious", "%s", faces[i]);
		ipc_close(h);
	}
}

Test(mq_back, a_message_that_did_not_fit_the_read_goes_back_whole)
{
	struct ipc_handle *h;

	make("q@maxmsg=4,msgsize=64");
	h = u_open("q", O_RDONLY);
	give("precious", 0);
	read_in_vain(h, 3);
	cr_assert_str_eq(take(), "0:precious");
	ipc_close(h);
}

Test(mq_back, each_of_a_batch_goes_back_with_its_priority_and_its_bytes)
{
	const char *const faces[] = {"q@lines,batch", "q@lines,batch,meta"};

	make("q@maxmsg=4,msgsize=64");
	for (unsigned i = 0; i < 2; i++) {
		struct ipc_handle *h = u_open(faces[i], O_RDONLY);

		give("low", 1);
		give("two\nlines", 7);
		give("", 3);
		read_in_vain(h, 4096);
		cr_assert_str_eq(take(), "7:two\nlines", "%s", faces[i]);
		cr_assert_str_eq(take(), "3:");
		cr_assert_str_eq(take(), "1:low");
		cr_assert_str_eq(take(), "");
		ipc_close(h);
	}
}

/* Reads "a" and "b" in vain, while the queue is filled with "c" and "d". */
static void leave_no_room(struct ipc_handle *h)
{
	struct ipc_op op = read_op(h, 4096, 0);
	ssize_t n;

	give("a", 0);
	give("b", 0);
	n = ipc_submit(&op);
	cr_assert_eq(n, 4);
	give("c", 0);
	give("d", 0);
	ipc_undeliver(&op, n);
}

Test(mq_back, what_does_not_fit_waits_for_room_before_other_writers)
{
	struct ipc_handle *h, *w;
	struct u_call late;

	make("q@maxmsg=2,msgsize=64");
	h = u_open("q@lines,batch", O_RDONLY);
	w = u_open("q", O_WRONLY);
	leave_no_room(h);
	u_begin(&late, w, IPC_WRITE, "late");
	cr_assert_str_eq(take(), "0:c");
	settle();
	cr_assert_str_eq(take(), "0:a");
	settle();
	cr_assert_str_eq(take(), "0:b");
	settle();
	cr_assert_str_eq(take(), "0:d");
	cr_assert_eq(u_finish(&late), 4);
	settle();
	cr_assert_str_eq(take(), "0:late");
	ipc_close(h);
	ipc_close(w);
}

Test(mq_back, readers_have_what_does_not_fit_at_once_and_first)
{
	struct ipc_handle *h;

	make("q@maxmsg=2,msgsize=64");
	h = u_open("q@lines,batch", O_RDONLY);
	leave_no_room(h);
	cr_assert(strstr(u_ctl("q"), "given_back=2\n"), "%s", u_ctl("q"));
	cr_assert_str_eq(read_lines(h, 4096), "a\nb\nc\nd\n");
	ipc_close(h);
}

Test(mq_back, what_comes_back_again_and_again_keeps_its_place)
{
	struct ipc_handle *h;

	make("q@maxmsg=4,msgsize=64");
	h = u_open("q@lines", O_RDONLY);
	give("first", 0);
	give("second", 0);
	read_in_vain(h, 64);
	give("third", 0);
	read_in_vain(h, 64);
	read_in_vain(h, 128 << 10);
	cr_assert_str_eq(take(), "0:first");
	cr_assert_str_eq(take(), "0:second");
	cr_assert_str_eq(take(), "0:third");
	ipc_close(h);
}

/* The daemon is killed: a child that ends does nothing more. */
Test(mq_back, what_waits_for_room_is_found_by_the_next_daemon)
{
	struct ipc_handle *h;
	int status;
	pid_t child;

	make("q@maxmsg=2,msgsize=64");
	child = fork();
	cr_assert_geq(child, 0);
	if (child == 0) {
		leave_no_room(u_open("q@lines,batch", O_RDONLY));
		_exit(0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0);
	ipc_free(u_ipc);
	ipc_loop_free(u_loop);
	cr_assert(u_start());
	h = u_open("q@lines,batch", O_RDONLY);
	cr_assert_str_eq(read_lines(h, 4096), "a\nb\nc\nd\n");
	ipc_close(h);
}

Test(mq_back, what_comes_back_to_a_queue_without_a_name_is_behind_the_others)
{
	struct ipc_handle *h, *other;
	struct ipc_op op;

	make("q@maxmsg=4,msgsize=64");
	h = u_open("q", O_RDONLY);
	other = u_open("q@lines", O_RDONLY);
	give("first", 0);
	give("second", 0);
	op = read_op(h, 64, 0);
	cr_assert_eq(ipc_submit(&op), 5);
	cr_assert_eq(u_remove("q"), 0);
	ipc_undeliver(&op, 5);
	cr_assert_str_eq(read_lines(other, 4096), "second\n");
	cr_assert_str_eq(read_lines(other, 4096), "first\n");
	ipc_close(h);
	ipc_close(other);
}

/* A daemon that is killed before it has answered the reader must not have told the writer that all is well. */
Test(mq_back, whose_line_skips_the_queue_is_answered_behind_its_reader)
{
	struct ipc_handle *h, *w;
	struct u_call writing;

	make("q@maxmsg=1,msgsize=64");
	h = u_open("q@lines,batch", O_RDONLY);
	w = u_open("q@lines", O_WRONLY);
	u_begin(&writing, w, IPC_WRITE, "a\nb\nc\n");
	cr_assert_not(writing.done);
	cr_assert_str_eq(read_lines(h, 4096), "a\nb\nc\n");
	cr_assert_not(writing.done);
	cr_assert_eq(u_finish(&writing), 6);
	ipc_close(h);
	ipc_close(w);
}

Test(mq_back, a_writer_whose_line_is_with_the_reader_cannot_be_interrupted_any_more)
{
	struct ipc_handle *h, *w;
	struct u_call writing;

	make("q@maxmsg=1,msgsize=64");
	h = u_open("q@lines,batch", O_RDONLY);
	w = u_open("q@lines", O_WRONLY);
	give("first", 0);
	u_begin(&writing, w, IPC_WRITE, "second\n");
	cr_assert_not(writing.done);
	cr_assert_str_eq(read_lines(h, 4096), "first\nsecond\n");
	ipc_interrupt(&writing.op);
	cr_assert_eq(writing.result, 7);
	ipc_close(h);
	ipc_close(w);
}

Test(mq_back, what_is_read_again_does_not_go_back_twice)
{
	struct ipc_handle *h;
	struct ipc_op op;

	make("q@maxmsg=4,msgsize=64");
	h = u_open("q", O_RDONLY);
	give("once", 0);
	cr_assert_str_eq(read_lines(h, 64), "once");
	op = read_op(h, 64, 0);
	cr_assert_eq(ipc_submit(&op), 4);
	ipc_undeliver(&op, 4);
	cr_assert_str_eq(take(), "");
	ipc_close(h);
}

/* --- several messages for cat(1) --- */

Test(mq_back, a_read_with_plenty_of_room_gets_all_lines_that_are_there)
{
	struct ipc_handle *h;

	make("q@maxmsg=4,msgsize=64");
	h = u_open("q@lines", O_RDONLY);
	give("a", 0);
	give("b", 2);
	give("c", 0);
	cr_assert_str_eq(read_lines(h, 128 << 10), "b\na\nc\n");
	ipc_close(h);
}

Test(mq_back, a_smaller_read_gets_one_line)
{
	struct ipc_handle *h;

	make("q@maxmsg=4,msgsize=64");
	h = u_open("q@lines", O_RDONLY);
	give("a", 0);
	give("b", 0);
	cr_assert_str_eq(read_lines(h, 64 << 10), "a\n");
	cr_assert_str_eq(read_lines(h, 64 << 10), "b\n");
	ipc_close(h);
}

Test(mq_back, plenty_of_room_takes_no_more_than_was_asked_for)
{
	struct ipc_handle *h;

	make("q@maxmsg=4,msgsize=64");
	h = u_open("q@lines,n=2", O_RDONLY);
	give("a", 0);
	give("b", 0);
	give("c", 0);
	cr_assert_str_eq(read_lines(h, 128 << 10), "a\nb\n");
	cr_assert_str_eq(read_lines(h, 128 << 10), "");
	cr_assert_str_eq(take(), "0:c");
	ipc_close(h);
}

Test(mq_back, plenty_of_room_takes_what_a_waiting_writer_sends_meanwhile)
{
	struct ipc_handle *h, *w;
	struct u_call writing;

	make("q@maxmsg=1,msgsize=64");
	h = u_open("q@lines", O_RDONLY);
	w = u_open("q@lines", O_WRONLY);
	u_begin(&writing, w, IPC_WRITE, "a\nb\nc\n");
	cr_assert_str_eq(read_lines(h, 128 << 10), "a\nb\nc\n");
	/* If we are killed before the reader is answered, the writer has not been told that his lines are written. */
	cr_assert_not(writing.done);
	cr_assert_eq(u_finish(&writing), 6);
	ipc_close(h);
	ipc_close(w);
}

Test(mq_back, who_waits_to_read_has_his_share_of_a_waiting_writer)
{
	struct ipc_handle *h[2], *w;
	struct u_call reading[2], writing;

	make("q@maxmsg=1,msgsize=64");
	w = u_open("q@lines", O_WRONLY);
	for (int i = 0; i < 2; i++) {
		h[i] = u_open("q@lines", O_RDONLY);
		u_prepare(&reading[i], h[i], IPC_READ, "");
		reading[i].op.size = 128 << 10;
		u_submit(&reading[i]);
	}
	u_begin(&writing, w, IPC_WRITE, "a\nb\nc\n");
	cr_assert_eq(u_finish(&writing), 6);
	cr_assert_eq(u_finish(&reading[0]), 2);
	cr_assert_geq(u_finish(&reading[1]), 2);
	for (int i = 0; i < 2; i++)
		ipc_close(h[i]);
	ipc_close(w);
}

Test(mq_back, plenty_of_room_takes_a_bounded_number_from_a_waiting_writer)
{
	struct ipc_handle *h, *w;
	struct u_call writing;
	char lines[2 * 300 + 1];

	for (size_t i = 0; i < sizeof(lines) - 1; i++)
		lines[i] = i % 2 ? '\n' : 'x';
	lines[sizeof(lines) - 1] = '\0';
	make("q@maxmsg=1,msgsize=64");
	h = u_open("q@lines", O_RDONLY);
	w = u_open("q@lines", O_WRONLY);
	u_begin(&writing, w, IPC_WRITE, lines);
	cr_assert_eq(strlen(read_lines(h, 128 << 10)), 2 * 256);
	cr_assert_eq(strlen(read_lines(h, 128 << 10)), 2 * 44);
	cr_assert_eq(u_finish(&writing), (ssize_t)strlen(lines));
	ipc_close(h);
	ipc_close(w);
}

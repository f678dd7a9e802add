/*
 * Answers that come from elsewhere: operations that wait for one, and calls on names that are made again when it is
 * there.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "core/ask.h"
#include "script.h"

TestSuite(elsewhere, .init = script_setup, .fini = u_teardown, .timeout = 20);

static void begin_nonblock(struct u_call *c, struct ipc_handle *h)
{
	script_says(IPC_READ, -EINPROGRESS, NULL);
	u_prepare(c, h, IPC_READ, NULL);
	c->op.nonblock = true;
	u_submit(c);
}

Test(elsewhere, also_who_would_not_wait_gets_the_answer_that_is_on_its_way)
{
	struct ipc_handle *h = u_open("c", O_RDONLY);
	struct u_call c;

	begin_nonblock(&c, h);
	cr_assert_not(c.done);
	script_says(IPC_READ, 5, "hello");
	script_wake("c");
	cr_assert_eq(u_finish(&c), 5);
	ipc_close(h);
}

Test(elsewhere, that_there_is_nothing_is_eagain_when_the_answer_is_there)
{
	struct ipc_handle *h = u_open("c", O_RDONLY);
	struct u_call c;

	begin_nonblock(&c, h);
	script_wake("c");
	cr_assert_eq(u_finish(&c), -EAGAIN);
	ipc_close(h);
}

Test(elsewhere, an_interrupted_operation_ends_with_the_answer_that_is_on_its_way)
{
	struct ipc_handle *h = u_open("c", O_WRONLY);
	struct u_call c;

	script_withdraws(false);
	script_says(IPC_WRITE, -EINPROGRESS, NULL);
	u_begin(&c, h, IPC_WRITE, "hello");
	ipc_interrupt(&c.op);
	cr_assert_not(c.done);
	script_says(IPC_WRITE, 5, NULL);
	script_wake("c");
	cr_assert_eq(u_finish(&c), 5);
	ipc_close(h);
}

Test(elsewhere, an_interrupted_operation_waits_no_longer_than_for_the_answer)
{
	struct ipc_handle *h = u_open("c", O_WRONLY);
	struct u_call c;

	script_withdraws(false);
	script_says(IPC_WRITE, -EINPROGRESS, NULL);
	u_begin(&c, h, IPC_WRITE, "hello");
	ipc_interrupt(&c.op);
	script_wake("c");
	cr_assert_eq(u_finish(&c), -EINTR);
	ipc_close(h);
}

Test(elsewhere, an_answer_that_does_not_come_is_waited_for_a_second)
{
	struct ipc_handle *h = u_open("c", O_WRONLY);
	struct u_call c;
	int64_t began = ipc_now();

	script_withdraws(false);
	script_says(IPC_WRITE, -EINPROGRESS, NULL);
	u_begin(&c, h, IPC_WRITE, "hello");
	ipc_interrupt(&c.op);
	cr_assert_eq(u_finish(&c), -EINTR);
	cr_assert_geq(ipc_now() - began, INT64_C(1000000000));
	ipc_close(h);
}

/* --- questions --- */

static int answers, frees;

static void count_answered(struct ipc_ask *ask)
{
	(void)ask;
	answers++;
}

static void count_freed(struct ipc_question *q)
{
	frees++;
	free(q);
}

static struct ipc_question *ask_about(const void *about, const char *name)
{
	struct ipc_question *q = calloc(1, sizeof(*q));

	q->free = count_freed;
	cr_assert_eq(ipc_question_add(u_ipc, q, about, name), IPC_ASKED);
	return q;
}

Test(elsewhere, who_asked_is_told_when_all_answers_are_there)
{
	const struct ipc_cred cred = u_me();
	struct ipc_ask ask;
	struct ipc_question *a, *b;

	ipc_ask_init(&ask, &cred, count_answered);
	ipc_ask_by(u_ipc, &ask);
	a = ask_about(&answers, "a");
	b = ask_about(&frees, "a");
	cr_assert(ipc_question_find(u_ipc, &answers, "a") == a && ipc_question_find(u_ipc, &frees, "a") == b);
	cr_assert_null(ipc_question_find(u_ipc, &answers, "b"));
	ipc_question_answered(a);
	cr_assert_eq(answers, 0);
	ipc_question_answered(b);
	cr_assert_eq(answers, 1);
	ipc_ask_by(u_ipc, NULL);
	cr_assert_null(ipc_question_find(u_ipc, &answers, "a"));
	ipc_ask_end(&ask);
	cr_assert_eq(frees, 2);
}

Test(elsewhere, an_answer_that_nobody_wants_any_more_is_freed_when_it_comes)
{
	const struct ipc_cred cred = u_me();
	struct ipc_ask first, ask;
	struct ipc_question *q;

	ipc_ask_init(&first, &cred, NULL);
	ipc_ask_init(&ask, &cred, count_answered);
	ipc_ask_by(u_ipc, &first);
	q = ask_about(&answers, "a");
	ipc_ask_by(u_ipc, NULL);
	ipc_ask_move(&first, &ask);
	cr_assert_eq(ask.pending, 1u);
	ipc_ask_end(&ask);
	cr_assert_eq(frees, 0);
	ipc_question_answered(q);
	cr_assert(frees == 1 && answers == 0);
}

Test(elsewhere, where_nobody_can_wait_nothing_is_asked)
{
	struct ipc_question q = {0};

	cr_assert_eq(ipc_question_add(u_ipc, &q, &answers, "a"), -EAGAIN);
}

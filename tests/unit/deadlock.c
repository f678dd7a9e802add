/* Who is in a circle of those who wait for what others of them hold: the search alone, over waiters as the test has
 * them. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/deadlock.h"
#include "core/event.h"
#include "process.h"
#include "script.h"

enum { CHANS_MAX = 80, PROCESSES_MAX = 8 };

static struct ipc_handle *opened[CHANS_MAX];
static unsigned opened_count;
static pid_t processes[PROCESSES_MAX];
static unsigned process_count;

static void teardown(void)
{
	while (opened_count)
		ipc_close(opened[--opened_count]);
	while (process_count)
		kill(processes[--process_count], SIGKILL);
	u_teardown();
}

TestSuite(deadlock, .init = script_setup, .fini = teardown, .timeout = 20);

/* Which does nothing: its number is what counts. */
static pid_t process(void)
{
	pid_t pid = u_process();

	processes[process_count++] = pid;
	return pid;
}

static struct ipc_chan *lock(const char *name)
{
	u_create(name);
	return ipc_chan_find(u_ipc, u_kinds[0], name);
}

/* An open file of it that holds something, and that this process has opened. */
static void held(struct ipc_chan *chan, pid_t opener)
{
	struct ipc_handle *h = u_open(chan->name, O_RDONLY);

	h->cred.pid = opener;
	script_holds(h);
	opened[opened_count++] = h;
}

static struct ipc_waiter *waiter(pid_t pid, struct ipc_chan *waits_for)
{
	struct ipc_waiter *w = calloc(1, sizeof(*w));

	w->ipc = u_ipc;
	w->chan = waits_for;
	w->cred = u_me();
	w->cred.pid = w->process = pid;
	w->threads = 1;
	snprintf(w->command, sizeof(w->command), "p%d", (int)pid);
	return w;
}

/* And has a file open that holds something of that. */
static void has(struct ipc_waiter *w, struct ipc_chan *chan)
{
	struct ipc_waiter_hold *hold = &w->hold[w->count++];

	hold->waiter = w;
	hold->chan = chan;
	ipc_list_append(&chan->held_by, &hold->link);
}

static void gone(struct ipc_waiter *w)
{
	ipc_deadlock_leave(w);
	for (unsigned i = 0; i < w->count; i++)
		ipc_list_remove(&w->hold[i].link);
	free(w);
}

/* Waits for one lock, and has the other, which it has opened itself. */
static struct ipc_waiter *waits_and_has(pid_t pid, struct ipc_chan *waits_for, struct ipc_chan *holds)
{
	struct ipc_waiter *w = waiter(pid, waits_for);

	held(holds, pid);
	has(w, holds);
	return w;
}

static bool told_of(const struct ipc_waiter *w)
{
	char part[128];

	snprintf(part, sizeof(part), "%s (pid %d) for script/%s", w->command, (int)w->process, w->chan->name);
	return u_refused(part);
}

Test(deadlock, of_two_closes_with_the_second)
{
	struct ipc_chan *a = lock("a"), *b = lock("b");
	pid_t p1 = process(), p2 = process();
	struct ipc_waiter *one = waits_and_has(p1, b, a), *two;

	held(b, p2);
	ipc_deadlock_find(one);
	cr_expect_null(one->deadlock);
	two = waiter(p2, a);
	has(two, b);
	ipc_deadlock_find(two);
	cr_assert_not_null(two->deadlock);
	cr_expect_eq(one->deadlock, two->deadlock);
	cr_expect(a->deadlock && b->deadlock);
	cr_expect(told_of(one) && told_of(two));
	gone(two);
	cr_expect(!one->deadlock && !a->deadlock && !b->deadlock);
	gone(one);
}

Test(deadlock, of_three)
{
	struct ipc_chan *a = lock("a"), *b = lock("b"), *c = lock("d");
	struct ipc_waiter *one = waits_and_has(101, b, a), *two = waits_and_has(102, c, b), *three;

	ipc_deadlock_find(one);
	ipc_deadlock_find(two);
	cr_expect(!one->deadlock && !two->deadlock);
	three = waits_and_has(103, a, c);
	ipc_deadlock_find(three);
	cr_expect(one->deadlock && one->deadlock == two->deadlock && two->deadlock == three->deadlock);
	gone(one);
	cr_expect(!two->deadlock && !three->deadlock && !c->deadlock);
	gone(two);
	gone(three);
}

Test(deadlock, of_one_with_itself)
{
	struct ipc_chan *a = lock("a");
	struct ipc_waiter *one = waits_and_has(101, a, a);

	ipc_deadlock_find(one);
	cr_expect_not_null(one->deadlock);
	gone(one);
}

/* The parent has opened it and goes on; the child that waits has the same file. */
Test(deadlock, through_a_child_that_inherited)
{
	struct ipc_chan *a = lock("a"), *b = lock("b");
	struct ipc_waiter *child = waiter(105, b), *two = waits_and_has(102, a, b);

	held(a, 101);
	has(child, a);
	ipc_deadlock_find(two);
	cr_expect_not_null(two->deadlock);
	cr_expect_eq(child->deadlock, two->deadlock);
	gone(child);
	gone(two);
}

Test(deadlock, is_none_while_a_third_holder_goes_on)
{
	struct ipc_chan *a = lock("a"), *b = lock("b");
	pid_t p1 = process(), p2 = process(), p3 = process();
	struct ipc_waiter *one = waits_and_has(p1, b, a), *two = waits_and_has(p2, a, b), *three;

	held(a, p3);
	ipc_deadlock_find(one);
	ipc_deadlock_find(two);
	cr_expect(!one->deadlock && !two->deadlock);
	/* Until it waits as well. */
	three = waiter(p3, b);
	has(three, a);
	ipc_deadlock_find(three);
	cr_expect(three->deadlock && one->deadlock == three->deadlock && two->deadlock == three->deadlock);
	gone(one);
	gone(two);
	gone(three);
}

Test(deadlock, is_none_where_a_permit_is_out_that_nobody_holds)
{
	struct ipc_chan *a = lock("a"), *b = lock("b");
	struct ipc_waiter *one = waits_and_has(101, b, a), *two = waits_and_has(102, a, b);

	a->counts->lent = 1;
	ipc_deadlock_find(one);
	ipc_deadlock_find(two);
	cr_expect(!one->deadlock && !two->deadlock);
	gone(one);
	gone(two);
}

Test(deadlock, is_none_where_another_thread_may_go_on)
{
	struct ipc_chan *a = lock("a"), *b = lock("b");
	struct ipc_waiter *one = waits_and_has(101, b, a), *two = waits_and_has(102, a, b);

	one->threads = 2;
	ipc_deadlock_find(one);
	ipc_deadlock_find(two);
	cr_expect(!one->deadlock && !two->deadlock);
	gone(one);
	gone(two);
}

Test(deadlock, is_not_told_of_who_only_waits_for_those_in_it)
{
	struct ipc_chan *a = lock("a"), *b = lock("b");
	struct ipc_waiter *one = waits_and_has(101, b, a), *two = waits_and_has(102, a, b), *other = waiter(103, a);

	ipc_deadlock_find(two);
	ipc_deadlock_find(other);
	cr_expect(two->deadlock && !other->deadlock);
	gone(other);
	gone(one);
	gone(two);
}

static const char *told(struct ipc_handle *h)
{
	static struct u_call c;

	u_prepare(&c, h, IPC_READ, NULL);
	c.op.nonblock = true;
	u_submit(&c);
	return c.text;
}

static unsigned times(const char *text, const char *part)
{
	unsigned n = 0;

	for (; (text = strstr(text, part)); text++)
		n++;
	return n;
}

/* Also when one of them is looked at again, as after a time-out that began anew. */
Test(deadlock, is_told_once_when_it_closes_and_once_when_it_opens)
{
	struct ipc_chan *a = lock("a"), *b = lock("b");
	struct ipc_waiter *one = waits_and_has(101, b, a), *two = waits_and_has(102, a, b);
	struct ipc_cred me = u_me();
	struct ipc_handle *h;
	const char *text;

	cr_assert_eq(ipc_events_open(u_ipc, &me, false, O_RDONLY, &h), 0);
	ipc_deadlock_find(two);
	ipc_deadlock_find(one);
	text = told(h);
	cr_expect_eq(times(text, "state=closed cycle="), 2, "%s", text);
	gone(two);
	text = told(h);
	cr_expect_eq(times(text, "state=opened cycle="), 2, "%s", text);
	cr_expect_eq(times(text, "script/a"), 3, "%s", text);
	gone(one);
	ipc_close(h);
}

Test(deadlock, which_would_take_too_long_is_not_judged)
{
	struct ipc_chan *chans[CHANS_MAX];
	struct ipc_waiter *w[CHANS_MAX];
	char name[16];

	for (int i = 0; i < CHANS_MAX; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		chans[i] = lock(name);
	}
	for (int i = 0; i < CHANS_MAX; i++)
		w[i] = waits_and_has(1000 + i, chans[(i + 1) % CHANS_MAX], chans[i]);
	ipc_deadlock_find(w[0]);
	cr_expect_null(w[0]->deadlock);
	for (int i = 0; i < CHANS_MAX; i++) {
		cr_expect(!w[i]->assumed);
		gone(w[i]);
	}
}

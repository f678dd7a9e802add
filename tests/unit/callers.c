/* In which user namespace and groups a caller is, who comes again and again: asked anew each time. */
#include "base/callers.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/proc.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"

static struct ipc_loop *loop;

static void start(void)
{
	loop = ipc_loop_new();
	cr_assert_not_null(loop);
	ipc_callers_start(loop);
}

static void end(void)
{
	ipc_callers_end();
	ipc_loop_free(loop);
}

TestSuite(callers, .init = start, .fini = end, .timeout = 20);

/* A process that enters a user namespace of its own when it is told to, or takes so many groups. */
struct guest {
	pid_t pid;
	int orders, answers;
};

static int take_groups(char hundreds)
{
	enum { MOST = 900 };
	gid_t groups[MOST];
	size_t n = (size_t)(hundreds - '0') * 100;

	for (size_t i = 0; i < n && i < MOST; i++)
		groups[i] = (gid_t)(1000000 + i);
	return setgroups(n, groups);
}

static void guest_life(int orders, int answers)
{
	char order, done;

	while (read(orders, &order, 1) == 1) {
		done = (order == 'x' ? unshare(CLONE_NEWUSER) : take_groups(order)) == 0 ? 'y' : 'n';
		if (write(answers, &done, 1) != 1)
			break;
	}
	_exit(0);
}

static struct guest guest_new(void)
{
	struct guest g;
	int orders[2], answers[2];

	cr_assert_eq(pipe2(orders, O_CLOEXEC), 0);
	cr_assert_eq(pipe2(answers, O_CLOEXEC), 0);
	g.pid = fork();
	cr_assert_geq(g.pid, 0);
	if (g.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		guest_life(orders[0], answers[1]);
	}
	close(orders[0]);
	close(answers[1]);
	g.orders = orders[1];
	g.answers = answers[0];
	return g;
}

static bool guest_does(struct guest *g, char order)
{
	char done = 'n';

	cr_assert_eq(write(g->orders, &order, 1), 1);
	cr_assert_eq(read(g->answers, &done, 1), 1);
	return done == 'y';
}

static void guest_moves(struct guest *g)
{
	if (!guest_does(g, 'x'))
		cr_skip_test("no user namespaces here");
}

static void guest_end(struct guest *g)
{
	close(g->orders);
	kill(g->pid, SIGKILL);
	cr_assert_eq(waitpid(g->pid, NULL, 0), g->pid);
	close(g->answers);
}

/* In one of two static buffers. */
static const char *namespace_of(pid_t thread)
{
	static char texts[2][64];
	static unsigned next;
	char *text = texts[next++ % 2];
	ssize_t n = ipc_caller_userns(thread, text, 63);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

Test(callers, who_moves_to_another_one_is_seen_there_at_once)
{
	struct guest g = guest_new();
	char ours[64];

	snprintf(ours, sizeof(ours), "%s", namespace_of(getpid()));
	for (int i = 0; i < 3; i++)
		cr_assert_str_eq(namespace_of(g.pid), ours);
	guest_moves(&g);
	cr_assert_eq(strncmp(namespace_of(g.pid), "user:[", 6), 0);
	cr_assert_str_neq(namespace_of(g.pid), ours);
	guest_end(&g);
	cr_assert_str_eq(namespace_of(g.pid), "");
}

/* So that the next process gets that number, if it is free. */
static bool number_next(pid_t pid)
{
	FILE *file = fopen("/proc/sys/kernel/ns_last_pid", "we");
	bool set = file && fprintf(file, "%d", (int)pid - 1) > 0;

	return file && fclose(file) == 0 && set;
}

Test(callers, who_has_the_number_of_one_who_ended_is_not_taken_for_him)
{
	struct guest g = guest_new(), other;
	pid_t number = g.pid;
	char ours[64];

	snprintf(ours, sizeof(ours), "%s", namespace_of(getpid()));
	for (int i = 0; i < 3; i++)
		cr_assert_str_eq(namespace_of(number), ours);
	guest_end(&g);
	for (int i = 0; i < 20; i++) {
		if (!number_next(number))
			cr_skip_test("only root of a PID namespace gives numbers");
		other = guest_new();
		if (other.pid == number)
			break;
		guest_end(&other);
	}
	if (other.pid != number)
		cr_skip_test("others start processes all the time");
	guest_moves(&other);
	cr_assert_str_neq(namespace_of(number), ours);
	cr_assert_str_neq(namespace_of(number), "");
	guest_end(&other);
}

Test(callers, the_last_few_are_known_and_end_forgets_them)
{
	enum { GUESTS = 9 };
	struct guest guests[GUESTS];
	unsigned before;

	for (int i = 0; i < GUESTS; i++)
		guests[i] = guest_new();
	before = u_entries("/proc/self/fd");
	for (int turn = 0; turn < 3; turn++)
		for (int i = 0; i < GUESTS; i++)
			for (int look = 0; look < 3; look++)
				cr_assert_str_eq(namespace_of(guests[i].pid), namespace_of(getpid()));
	cr_assert_leq(u_entries("/proc/self/fd"), before + 4);
	ipc_callers_end();
	cr_assert_eq(u_entries("/proc/self/fd"), before);
	cr_assert_str_eq(namespace_of(guests[0].pid), namespace_of(getpid()));
	cr_assert_eq(u_entries("/proc/self/fd"), before);
	for (int i = 0; i < GUESTS; i++)
		guest_end(&guests[i]);
}

/* How many he has. */
static int groups_of(pid_t thread, uid_t uid)
{
	gid_t *groups;
	int n = ipc_proc_groups(thread, uid, &groups);

	for (int i = 0; i < n; i++)
		cr_assert_eq(groups[i], 1000000u + (unsigned)i);
	free(groups);
	return n;
}

/* Also a line that is longer than most. */
Test(callers, groups_are_those_that_he_has_now)
{
	struct guest g = guest_new();
	uid_t uid = getuid();

	if (uid != 0)
		cr_skip_test("only root takes groups");
	for (int hundreds = 0; hundreds <= 9; hundreds += 3) {
		cr_assert(guest_does(&g, (char)('0' + hundreds)));
		for (int look = 0; look < 3; look++)
			cr_assert_eq(groups_of(g.pid, uid), hundreds * 100);
		cr_assert_eq(groups_of(g.pid, uid + 1), 0, "another user's number");
	}
	guest_end(&g);
	cr_assert_eq(groups_of(g.pid, uid), 0);
}

/* They keep a PID namespace alive. */
Test(callers, no_descriptor_stays_open_for_long)
{
	struct guest g = guest_new();
	unsigned before = u_entries("/proc/self/fd");
	int64_t until = ipc_now() + INT64_C(10000000000);

	for (int i = 0; i < 3; i++)
		namespace_of(g.pid);
	cr_assert_eq(u_entries("/proc/self/fd"), before + 1);
	while (u_entries("/proc/self/fd") > before && ipc_now() < until) {
		ipc_loop_turn(loop, 100);
		namespace_of(g.pid);
	}
	cr_assert_eq(u_entries("/proc/self/fd"), before);
	guest_end(&g);
}

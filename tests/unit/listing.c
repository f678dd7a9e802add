/* Listings in steps: what comes and goes meanwhile, and how little one step does. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/loop.h"
#include "fixture.h"
#include "names.h"

static void found(void *arg)
{
	*(bool *)arg = true;
}

/* To its end: 0 or -errno. ready: what found() sets. */
static int listing_run(struct ipc_loop *loop, struct ipc_listing *l, bool *ready,
		       void (*emit)(void *arg, const char *name, mode_t type), void *arg)
{
	int r;

	while ((r = ipc_listing_step(l, emit, arg)) == 1 || r == -EINPROGRESS) {
		while (r == -EINPROGRESS && !*ready)
			ipc_loop_turn(loop, 100);
		*ready = false;
	}
	return r;
}

int u_each_name(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_kind *kind, const char *dir,
		void (*emit)(void *arg, const char *name, mode_t type), void *arg)
{
	bool ready = false;
	struct ipc_listing *l = ipc_listing_begin(ipc, cred, kind, dir, found, &ready);
	int r;

	if (!l)
		return -ENOMEM;
	r = listing_run(ipc->loop, l, &ready, emit, arg);
	ipc_listing_end(l);
	return r;
}

enum { NAMES = 1000 };

/* How often each of the names n0, n1, ... was told; and the others. */
struct told {
	unsigned times[NAMES];
	unsigned others, of_step;
};

static void tell(void *arg, const char *name, mode_t type)
{
	struct told *told = arg;

	(void)type;
	told->of_step++;
	if (name[0] == 'n')
		told->times[atoi(name + 1)]++;
	else
		told->others++;
}

static const char *numbered(char lead, int i)
{
	static char name[32];

	snprintf(name, sizeof(name), "%c%d", lead, i);
	return name;
}

/* Half of the even ones go, others come, and some get new names or old ones, between the steps. */
static void disturb(int step)
{
	for (int i = step * 20; i < step * 20 + 20 && i < NAMES; i += 4) {
		char to[32];

		cr_assert_eq(u_remove(numbered('n', i)), 0);
		u_create(numbered('o', i));
		snprintf(to, sizeof(to), "%s", numbered('n', i + 1));
		cr_assert_eq(u_rename(numbered('n', i + 2), numbered('p', i), 0), 0);
		cr_assert_eq(u_rename(numbered('o', i), to, 0), 0);
	}
}

static void steps_of(const struct ipc_kind *kind, unsigned most)
{
	struct ipc_cred me = u_me();
	struct ipc_listing *l;
	struct told *told = calloc(1, sizeof(*told));
	int step = 0;

	for (int i = 0; i < NAMES; i++)
		u_create(numbered('n', i));
	l = ipc_listing_begin(u_ipc, &me, kind, "", NULL, NULL);
	cr_assert_not_null(l);
	while (ipc_listing_step(l, tell, told) == 1) {
		cr_assert_leq(told->of_step, most);
		told->of_step = 0;
		if (step < NAMES / 20)
			disturb(step++);
	}
	ipc_listing_end(l);
	cr_expect_gt(step, 5);
	for (int i = 1; i < NAMES; i += 2)
		if (i % 4 == 3)
			cr_expect_eq(told->times[i], 1, "n%d was told %u times", i, told->times[i]);
	free(told);
}

static void setup_bcast(void)
{
	u_setup(&ipc_bcast);
}

static void setup_shm(void)
{
	u_setup(&ipc_shm);
}

static void setup_sig(void)
{
	u_setup(&ipc_sig);
}

TestSuite(listing, .fini = u_teardown, .timeout = 20);

/* `to` is a name that is there all the while too, though each time as another channel. */
Test(listing, tells_a_name_of_the_table_once_whatever_comes_and_goes, .init = setup_bcast)
{
	steps_of(&ipc_bcast, 64);
}

Test(listing, tells_an_object_of_the_kernel_once_whatever_comes_and_goes, .init = setup_shm)
{
	steps_of(&ipc_shm, 200);
}

Test(listing, that_a_helper_looks_for_can_end_at_any_time, .init = setup_sig)
{
	struct ipc_cred me = u_me();
	bool ready = false;
	struct told told = {0};

	for (int i = 0; i < 3; i++) {
		struct ipc_listing *l = ipc_listing_begin(u_ipc, &me, &ipc_sig, "", found, &ready);

		if (i > 0)
			cr_expect_eq(ipc_listing_step(l, tell, &told), -EINPROGRESS);
		while (i > 1 && !ready)
			ipc_loop_turn(u_loop, 100);
		ipc_listing_end(l);
	}
	cr_expect_eq(told.others, 0);
}

static unsigned descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static int until_closed[2];

static void work_await_close(struct ipc_job *job)
{
	char byte;

	while (read(until_closed[0], &byte, 1) < 0 && !atomic_load(&job->cancelled))
		;
}

static void done_nothing(struct ipc_job *job)
{
	(void)job;
}

/* All helpers have something to do until until_closed[1] is closed. */
static void helpers_busy(void)
{
	static struct ipc_job jobs[256];
	unsigned n = 0;

	cr_assert_eq(pipe2(until_closed, O_CLOEXEC), 0);
	while (n < 256 && ipc_pool_submit(u_ipc->pool, &jobs[n], work_await_close, done_nothing) == 0)
		n++;
	cr_assert_lt(n, 256);
}

/* -1: none can be made. */
static pid_t child_elsewhere(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, NULL, NULL, NULL, 0);

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

/* It keeps the lister's PID namespace open meanwhile. */
Test(listing, waits_for_busy_helpers_without_turning_and_with_one_descriptor, .init = setup_sig)
{
	struct ipc_cred me = u_me();
	struct told told = {0};
	bool ready = false;
	struct ipc_listing *l;
	unsigned before;
	pid_t child = child_elsewhere();

	if (child < 0)
		cr_skip_test("a PID namespace takes CAP_SYS_ADMIN");
	me.pid = child;
	helpers_busy();
	before = descriptors();
	l = ipc_listing_begin(u_ipc, &me, &ipc_sig, "", found, &ready);
	for (int i = 0; i < 20; i++)
		cr_expect_eq(ipc_listing_step(l, tell, &told), -EINPROGRESS);
	cr_expect_eq(descriptors(), before + 1);
	cr_expect_not(ready);
	close(until_closed[1]);
	cr_expect_eq(listing_run(u_loop, l, &ready, tell, &told), 0);
	cr_expect_gt(told.others, 0);
	ipc_listing_end(l);
	cr_expect_eq(descriptors(), before - 1);
	close(until_closed[0]);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* Two processes of a PID namespace of their own, as we count them; false: none can be made. */
static bool children_elsewhere(pid_t child[2])
{
	int home = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);

	if (home < 0 || unshare(CLONE_NEWPID) < 0)
		return false;
	for (int i = 0; i < 2; i++) {
		child[i] = fork();
		if (child[i] == 0)
			for (;;)
				pause();
	}
	cr_assert_eq(setns(home, CLONE_NEWPID), 0);
	close(home);
	return true;
}

/*
 * When a helper gets to it his number may be that of a process in an execve(2), which the kernel lets nobody look at,
 * so what he is must be known by then. Here it is nobody's any more.
 */
Test(listing, what_the_lister_is_is_found_out_before_a_helper_is_at_it, .init = setup_sig)
{
	struct ipc_cred me = u_me();
	struct told told = {0};
	bool ready = false;
	struct ipc_listing *l;
	pid_t child[2];

	if (!children_elsewhere(child))
		cr_skip_test("a PID namespace takes CAP_SYS_ADMIN");
	me.pid = child[1];
	helpers_busy();
	l = ipc_listing_begin(u_ipc, &me, &ipc_sig, "", found, &ready);
	cr_expect_eq(ipc_listing_step(l, tell, &told), -EINPROGRESS);
	kill(child[1], SIGKILL);
	waitpid(child[1], NULL, 0);
	close(until_closed[1]);
	cr_expect_eq(listing_run(u_loop, l, &ready, tell, &told), 0);
	cr_expect_gt(told.others, 0); /* the other one, as he would have counted it */
	ipc_listing_end(l);
	close(until_closed[0]);
	kill(child[0], SIGKILL);
	waitpid(child[0], NULL, 0);
}

/* Each listing looks at everybody's objects, of which tests beside this one may make ten thousand. */
static void setup_own_shm(void)
{
	if (geteuid() == 0 && unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
		cr_assert_eq(mount("tmpfs", "/dev/shm", "tmpfs", 0, NULL), 0);
	setup_shm();
}

Test(listing, a_thousand_at_a_time_do_not_take_all_descriptors, .init = setup_own_shm)
{
	struct ipc_cred me = u_me();
	struct ipc_listing *all[1000];
	struct told told = {0};
	unsigned before = descriptors(), done = 0, most = 3000;

	u_create("a");
	for (unsigned i = 0; i < 1000; i++) {
		all[i] = ipc_listing_begin(u_ipc, &me, &ipc_shm, "", NULL, NULL);
		cr_assert_not_null(all[i]);
		cr_assert_eq(ipc_listing_step(all[i], tell, &told), 1);
	}
	cr_expect_leq(descriptors() - before, 64);
	for (unsigned i = 0; i < 1000; i++)
		while (ipc_listing_step(all[i], tell, &told) == 1) {
			if (++done == most) /* each step sees one more at least */
				most = 1000 * (3 + u_entries("/dev/shm"));
			cr_assert_lt(done, most);
		}
	for (unsigned i = 0; i < 1000; i++)
		ipc_listing_end(all[i]);
	cr_expect_eq(descriptors(), before);
	cr_expect_eq(told.others, 1000);
}

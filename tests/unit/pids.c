/* What the front end remembers of threads: fs/pids.h, and of processes that list: fs/walker.h. */
#include "../../fs/pids.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../fs/walker.h"
#include "base/clock.h"

struct entry {
	struct fs_pid known;
	int number;
};

static struct fs_pids all;

#define LATER (ipc_now() + INT64_C(30000000000))

static void setup(void)
{
	fs_pids_start(&all, sizeof(struct entry));
}

static void teardown(void)
{
	fs_pids_end(&all);
}

TestSuite(pids, .init = setup, .fini = teardown, .timeout = 20);

static struct entry *add(pid_t pid)
{
	struct entry *entry = fs_pid_add(&all, pid, LATER);

	cr_assert_not_null(entry);
	return entry;
}

/* A number that a thread had which has ended. */
static pid_t number_of_dead(void)
{
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	return pid;
}

static pid_t child_that_waits(void)
{
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

static void end(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

Test(pids, nobody_is_known_at_first)
{
	cr_expect_null(fs_pid_find(&all, getpid()));
}

Test(pids, who_is_removed_is_not_known)
{
	fs_pid_remove(&all, &add(getpid())->known);
	cr_expect_null(fs_pid_find(&all, getpid()));
	cr_expect_eq(all.count, 0);
}

Test(pids, who_is_added_again_has_a_new_entry)
{
	add(getpid())->number = 7;
	add(getpid());
	cr_expect_eq(((struct entry *)fs_pid_find(&all, getpid()))->number, 0);
	cr_expect_eq(all.count, 1);
}

/* More than the 1,024 places that there were once, and all of them alive. */
Test(pids, nobody_is_forgotten_for_another)
{
	enum { MANY = 1500 };
	static pid_t child[MANY];

	for (int i = 0; i < MANY; i++) {
		child[i] = child_that_waits();
		add(child[i])->number = i;
	}
	for (int i = 0; i < MANY; i++) {
		const struct entry *entry = fs_pid_find(&all, child[i]);

		cr_expect(entry && entry->number == i, "child %d", i);
		end(child[i]);
	}
}

Test(pids, dead_threads_leave_nothing_that_grows)
{
	for (int i = 0; i < 500; i++)
		add(number_of_dead());
	cr_expect_leq(all.count, 2);
}

/* They share one number, and nothing tells whether one of them lives. */
Test(pids, those_whom_we_do_not_see_are_kept)
{
	add(0);
	for (int i = 0; i < 10; i++)
		add(number_of_dead());
	cr_expect_not_null(fs_pid_find(&all, 0));
}

Test(pids, time_that_is_over_ends_an_entry)
{
	add(getpid())->known.until = 1;
	cr_expect_null(fs_pid_find(&all, getpid()));
	add(getppid());
	cr_expect_eq(all.count, 1);
}

Test(pids, entry_that_is_kept_outlives_its_thread_and_its_time)
{
	struct entry *entry = add(number_of_dead());
	pid_t pid = entry->known.pid;

	entry->known.kept = true;
	entry->known.until = 1;
	for (int i = 0; i < 10; i++)
		add(number_of_dead());
	cr_expect_not_null(fs_pid_find(&all, pid));
}

/* Two whose numbers shared a place once, when the second of them was not known for what it is. */
Test(pids, each_process_that_lists_is_a_walker)
{
	enum { MANY = 1030 };
	static pid_t child[MANY];
	struct fs_listers listers = {0};

	fs_listers_start(&listers);
	for (int i = 0; i < MANY; i++) {
		child[i] = child_that_waits();
		cr_assert_eq(fs_lister_open(&listers, child[i]), child[i]);
	}
	for (int i = 0; i < MANY; i++)
		cr_expect(fs_is_walker(&listers, FS_WALKERS_REFUSE, child[i]), "child %d", i);
	for (int i = 0; i < MANY; i++) {
		fs_lister_close(&listers, child[i]);
		cr_expect_not(fs_is_walker(&listers, FS_WALKERS_REFUSE, child[i]), "child %d", i);
		end(child[i]);
	}
	cr_expect_eq(listers.open, 0);
	fs_listers_end(&listers);
}

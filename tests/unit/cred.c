/* Acting as the caller: what this thread is meanwhile, and afterwards. */
#include "core/cred.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/place.h"

static void need_root(void)
{
	if (getuid() != 0)
		cr_skip_test("only root can act as another user");
	ipc_place_learn();
}

TestSuite(cred, .init = need_root, .timeout = 20);

enum { ANN = 54321, BOB = 54322, CLUB = 777 };

/* A process of that user, with one supplementary group (0: none). It sleeps until the test ends it. */
static struct ipc_cred caller_new(uid_t uid, gid_t group)
{
	int ready[2];
	char byte;
	pid_t pid;

	cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		if (setgroups(group ? 1 : 0, &group) < 0 || setresgid(uid, uid, uid) < 0 ||
		    setresuid(uid, uid, uid) < 0)
			_exit(1);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ready[1]);
		for (;;)
			pause();
	}
	close(ready[1]);
	cr_assert_eq(read(ready[0], &byte, 1), 0);
	close(ready[0]);
	return (struct ipc_cred){.uid = uid, .gid = uid, .pid = pid};
}

static void caller_end(const struct ipc_cred *cred)
{
	kill(cred->pid, SIGKILL);
	cr_assert_eq(waitpid(cred->pid, NULL, 0), cred->pid);
}

static uint64_t effective(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];

	cr_assert_eq(syscall(SYS_capget, &header, data), 0);
	return (uint64_t)data[1].effective << 32 | data[0].effective;
}

/* group: the only one, 0: none. */
static void expect_to_be(uid_t uid, gid_t gid, gid_t group)
{
	gid_t groups[8];

	cr_assert_eq(geteuid(), uid);
	cr_assert_eq(getegid(), gid);
	cr_assert_eq(getgroups(8, groups), group ? 1 : 0);
	cr_assert(!group || groups[0] == group);
	cr_assert_eq(effective(), uid ? 0 : ipc_own_caps());
	cr_assert_eq(getuid(), 0u);
}

static void serve(const struct ipc_cred *cred, gid_t group)
{
	cr_assert_eq(ipc_cred_enter(cred), 0);
	expect_to_be(cred->uid, cred->gid, group);
	ipc_cred_leave(cred);
	expect_to_be(0, getgid(), 0);
}

Test(cred, each_caller_has_his_own_groups_and_nobody_those_of_the_one_before)
{
	struct ipc_cred plain = caller_new(ANN, 0), member = caller_new(BOB, CLUB);

	for (int i = 0; i < 3; i++) {
		serve(&plain, 0);
		serve(&plain, 0);
		serve(&member, CLUB);
		serve(&member, CLUB);
	}
	caller_end(&plain);
	caller_end(&member);
	serve(&member, 0); /* whoever has his number now, the groups are not known */
}

Test(cred, our_own_groups_are_nobody_elses)
{
	struct ipc_cred plain = caller_new(ANN, 0);
	gid_t club = CLUB;

	cr_assert_eq(syscall(SYS_setgroups, 1, &club), 0);
	serve(&plain, 0);
	caller_end(&plain);
}

Test(cred, a_root_without_capabilities_lends_us_none_of_ours_and_we_have_them_back)
{
	struct ipc_cred root = {.uid = 0, .gid = 0, .pid = 0}, other = caller_new(ANN, 0);

	for (int i = 0; i < 2; i++) {
		cr_assert_eq(ipc_cred_enter(&root), 0);
		cr_assert_eq(effective(), 0u);
		ipc_cred_leave(&root);
		expect_to_be(0, getgid(), 0);
		serve(&other, 0);
	}
	caller_end(&other);
}

/* As part of a system: mount(8), its options, a service manager, and signals that services get. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "harness.h"

TestSuite(system, .timeout = 60);

/* Scripts have the program under its helper's name as ./mount.fuse.ipcfs. */
static void check_helper(int status, const char *script, const char *expected)
{
	char *out;
	int got = t_sh(NULL, "sh", t_format("mkdir -p m; ln -sf $IPCFS mount.fuse.ipcfs; %s", script), &out);

	cr_assert_eq(got, status, "%s: status %d: %s", script, got, out);
	cr_assert(strstr(out, expected), "%s: no '%s' in: %s", script, expected, out);
}

t_test_bare(system, mount_helper_mounts)
{
	t_need_fuse();
	check_helper(0, "./mount.fuse.ipcfs ipcfs m -sn -o rw,nofail && head -c5 m/README && " T_UNMOUNT("m"), "ipcfs");
}

t_test_bare(system, mount_helper_fakes_a_mount)
{
	check_helper(0, "./mount.fuse.ipcfs none m -f -o rw && ls m && echo empty", "empty");
	cr_assert_not(t_is_mounted(t_format("%s/m", t_scratch())));
}

t_test_bare(system, mount_helper_takes_type_and_namespace)
{
	check_helper(0, "./mount.fuse.ipcfs ipcfs m -t fuse.ipcfs -N 1 -fv && echo taken", "taken");
}

t_test_bare(system, source_word_stands_before_the_mount_point)
{
	t_need_fuse();
	check_helper(0, "$IPCFS ipcfs m -o rw && head -c5 m/README && " T_UNMOUNT("m"), "ipcfs");
}

t_test_bare(system, options_of_fstab_mean_nothing)
{
	t_need_fuse();
	check_helper(
		0,
		"$IPCFS m -o defaults,rw,auto,noauto,user,nofail,_netdev,relatime,x-systemd.automount,comment=a && "
		"head -c5 m/README && " T_UNMOUNT("m"),
		"ipcfs");
}

t_test_bare(system, option_that_is_none_is_one_line)
{
	check_helper(1, "$IPCFS -o walk=fast m",
		     "ipcfs: -o walk=fast: no such option; ipcfs --help lists those there are\n");
	check_helper(1, "$IPCFS --walk m", "ipcfs: --walk: no such option; ipcfs --help lists those there are\n");
}

t_test(system, sighup_ends_nothing)
{
	cr_assert_eq(kill(M->daemon, SIGHUP), 0);
	t_check("echo x > $M/bcast/b; cat $M/bcast/b@last=1,drain", "x\n");
}

/* --- the service manager --- */

/*
 * A socket as a manager has it, which this test's daemon finds in its environment; -1: ipcfs was built without
 * libsystemd.
 */
static int manager_socket(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char *out;

	if (t_sh(NULL, "sh", "grep -q NOTIFY_SOCKET $IPCFS || ldd $IPCFS | grep -q libsystemd", &out) != 0)
		cr_skip_test("ipcfs was built without libsystemd");
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/manager", t_scratch());
	cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 20}, sizeof(struct timeval)),
		     0);
	setenv("NOTIFY_SOCKET", at.sun_path, 1);
	return fd;
}

/* Waits for a message that has the words, and returns it. */
static char *manager_told(int fd, const char *words)
{
	static char text[4096];
	ssize_t n;

	do {
		n = recv(fd, text, sizeof(text) - 1, 0);
		if (n < 0)
			t_fail("the manager was not told '%s'", words);
		text[n] = '\0';
	} while (!strstr(text, words));
	return text;
}

t_test_bare(system, manager_hears_of_the_mount_and_its_end)
{
	int fd = manager_socket();
	struct t_mount *m = t_mount_start(NULL);

	cr_assert(strstr(manager_told(fd, "READY=1"), m->dir));
	t_mount_stop(m);
	manager_told(fd, "STOPPING=1");
	close(fd);
}

t_test_bare(system, watchdog_hears_of_life_while_nothing_happens)
{
	int fd = manager_socket();

	setenv("WATCHDOG_USEC", "100000", 1);
	t_mount_start(NULL);
	for (int i = 0; i < 3; i++)
		manager_told(fd, "WATCHDOG=1");
	close(fd);
}

t_test_bare(system, complaint_to_the_journal_has_a_priority)
{
	check_helper(1, "exec 2>err; JOURNAL_STREAM=$(stat -L -c %d:%i err) $IPCFS -f -o x=y m; r=$?; cat err; exit $r",
		     "<3>ipcfs: -o x=y");
}

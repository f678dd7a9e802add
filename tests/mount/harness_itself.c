/*
 * The harness itself: that a daemon which fails fails its test, and that a test which is killed leaves nothing behind.
 */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

t_test(harness, mount_answers)
{
	cr_assert(t_is_mounted(M->dir));
	cr_assert_neq(t_read(t_path(M, "README"))[0], '\0');
}

t_test(harness, mount_goes_when_it_is_stopped)
{
	char *dir = t_format("%s", M->dir);

	t_mount_stop(M);
	cr_assert_not(t_is_mounted(dir));
	cr_assert_eq(access(dir, F_OK), -1);
}

t_test(harness, crash_leaves_a_dead_mount_that_stop_removes)
{
	t_mount_crash(M);
	cr_assert_eq(open(t_path(M, "README"), O_RDONLY | O_CLOEXEC), -1);
	cr_assert_eq(errno, ENOTCONN);
}

t_test(harness, two_mounts_at_once)
{
	struct t_mount *other = t_mount_start(NULL);

	cr_assert_str_neq(other->dir, M->dir);
	cr_assert(t_is_mounted(other->dir) && t_is_mounted(M->dir));
}

t_test(harness, scripts_have_their_variables)
{
	char *out;

	cr_assert_eq(t_sh(M, "dash", "echo \"$M $P\"; echo error >&2; exit 3", &out), 3);
	cr_assert_str_eq(out, t_format("%s %s\nerror\n", M->dir, t_name("")));
}

t_test_bare(harness, exit_status_of_a_signal)
{
	cr_assert_eq(t_sh(NULL, "sh", "kill -TERM $$", NULL), 128 + SIGTERM);
}

t_test_bare(harness, blocked_process_is_seen)
{
	pid_t pid = t_spawn(NULL, "sh", "exec sleep 1000");

	t_wait_blocked(pid);
	kill(pid, SIGKILL);
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), 128 + SIGKILL);
}

/* --- failures: each in a process that is a test of its own and may fail --- */

static int start_with(void *program)
{
	setenv("IPCFS", program, 1);
	t_mount_start(NULL);
	return 0;
}

t_test_bare(harness, daemon_that_does_not_start_fails_the_test)
{
	t_need_fuse();
	char *out;

	cr_assert_eq(t_wait_exit(t_fork(start_with, "/bin/false"), T_PATIENCE, &out), 99);
	cr_assert(strstr(out, "ended before it was mounted"), "%s", out);
}

static int stop_after_kill(void *unused)
{
	struct t_mount *m = t_mount_start(NULL);

	(void)unused;
	kill(m->daemon, SIGABRT);
	t_mount_stop(m);
	return 0;
}

t_test_bare(harness, daemon_that_dies_fails_the_test)
{
	t_need_fuse();
	char *out;

	cr_assert_eq(t_wait_exit(t_fork(stop_after_kill, NULL), T_PATIENCE, &out), 99);
	cr_assert(strstr(out, "ended with signal 6"), "%s", out);
}

/* --- the janitor --- */

/* What a test left when it was killed, told through shared memory. */
struct left {
	char dir[PATH_MAX], scratch[PATH_MAX], shm[NAME_MAX];
	pid_t child, daemonised;
};

static int be_killed(void *arg)
{
	struct left *left = arg;
	struct t_mount *m = t_mount_start(NULL);

	snprintf(left->shm, sizeof(left->shm), "/dev/shm/%s", t_name("state"));
	t_write(left->shm, "");
	snprintf(left->dir, sizeof(left->dir), "%s", m->dir);
	snprintf(left->scratch, sizeof(left->scratch), "%s", t_scratch());
	left->child = t_spawn(m, "sh", "trap '' TERM; while :; do sleep 1000; done");
	t_sh(m, "sh", "setsid sh -c 'echo $$ >daemonised; exec sleep 1000' </dev/null >/dev/null 2>&1 & wait", NULL);
	return 0;
}

static bool is_gone(const char *path)
{
	return access(path, F_OK) < 0 && errno == ENOENT;
}

/* A zombie is dead: when an orphan is reaped is not the harness's doing. */
static bool is_dead(pid_t pid)
{
	FILE *status = fopen(t_format("/proc/%d/status", pid), "re");
	bool dead = true;
	char line[256];

	while (status && fgets(line, sizeof(line), status))
		if (strncmp(line, "State:", 6) == 0)
			dead = strchr(line, 'Z') != NULL;
	if (status)
		fclose(status);
	return dead;
}

static void wait_unmounted(const char *dir)
{
	struct pollfd mounts = {.fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC), .events = POLLPRI};
	long deadline = t_deadline(T_PATIENCE);

	while (t_is_mounted(dir)) {
		cr_assert(t_left(deadline) > 0, "still mounted: %s", dir);
		poll(&mounts, 1, t_left(deadline));
	}
	close(mounts.fd);
}

t_test_bare(harness, killed_test_leaves_nothing)
{
	t_need_fuse();
	struct left *left = mmap(NULL, sizeof(*left), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(left, MAP_FAILED);
	pid_t victim = t_fork(be_killed, left);

	t_await(left->child && left->scratch[0] && !is_gone(t_format("%s/daemonised", left->scratch)));
	char *pid = t_format("%s/daemonised", left->scratch);
	t_await(t_read(pid)[0]);
	left->daemonised = (pid_t)strtol(t_read(pid), NULL, 10);
	cr_assert(t_is_mounted(left->dir));

	kill(victim, SIGKILL);
	cr_assert_eq(t_wait_exit(victim, T_PATIENCE, NULL), 128 + SIGKILL);
	wait_unmounted(left->dir);
	t_await(is_gone(left->scratch));
	t_await(is_gone(left->shm));
	t_await(is_dead(left->child));
	t_await(is_dead(left->daemonised));
}

/* The command: its options, what it refuses and how, from the way into the background to the end of a mount. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue.h"

TestSuite(cli, .timeout = 60);

/* Runs a script in which $IPCFS is the program and $PWD the scratch directory. Returns what it wrote. */
static char *run(int status, const char *script)
{
	char *out;
	int got = t_sh(NULL, "sh", script, &out);

	if (got != status)
		t_fail("%s: status %d, having written: %s", script, got, out);
	return out;
}

/* The command fails with one line, which has those words. */
static void check_refusal(const char *script, const char *words)
{
	char *out = run(1, script);
	size_t first = strcspn(out, "\n");

	cr_expect_eq(first + 1, strlen(out), "not one line: %s", out);
	cr_expect(strncmp(out, "ipcfs: ", 7) == 0, "%s", out);
	cr_expect(strstr(out, words), "no '%s' in: %s", words, out);
}

/* --- options --- */

t_test_bare(cli, help)
{
	char *out = run(0, "$IPCFS --help");

	cr_assert(strstr(out, "usage:") && strstr(out, "mq_maxmsg") && strstr(out, "prefix"), "%s", out);
	cr_assert_str_eq(run(0, "$IPCFS -h 2>/dev/null"), out);
}

t_test_bare(cli, version)
{
	cr_assert(strstr(run(0, "$IPCFS --version"), "ipcfs "));
	cr_assert(strstr(run(0, "$IPCFS -V"), "ipcfs "));
}

t_test_bare(cli, two_mount_points)
{
	check_refusal("mkdir a b; $IPCFS a b", "one mount point");
}

t_test_bare(cli, unknown_option)
{
	cr_assert(strstr(run(1, "mkdir a; $IPCFS -f -o nonsense a"), "nonsense"));
	cr_assert_not(t_is_mounted(t_format("%s/a", t_scratch())));
}

t_test_bare(cli, bad_option_values)
{
	static const char *const bad[][2] = {
		{"mq_maxmsg=0", "mq_maxmsg"},	    {"mq_maxmsg=x", "mq_maxmsg"}, {"mq_msgsize=-1", "mq_msgsize"},
		{"mq_framing=words", "mq_framing"}, {"spin=soon", "spin"},	  {"prefix=a/b", "prefix"},
		{"cpu_latency=-1", "cpu_latency"}};

	run(0, "mkdir a");
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check_refusal(t_format("$IPCFS -f -o %s a", bad[i][0]), bad[i][1]);
}

/* --- mount points --- */

static bool write_often(int fd)
{
	for (int i = 0; i < 512; i++)
		if (write(fd, "x", 1) != 1)
			return false;
	return true;
}

t_test_bare(cli, missing_directory)
{
	check_refusal("$IPCFS none", "no such directory");
}

t_test_bare(cli, not_a_directory)
{
	check_refusal(": >file; $IPCFS file", "not a directory");
}

t_test(cli, mounted_already)
{
	check_refusal(t_format("$IPCFS %s", M->dir), "already");
}

t_test(cli, mounted_already_by_another_path)
{
	check_refusal(t_format("ln -s %s link; $IPCFS link", M->dir), "already");
}

t_test(cli, dead_mount_is_replaced)
{
	char *dir = t_format("%s", M->dir), *out;

	t_mount_crash(M);
	cr_assert_eq(t_sh(NULL, "sh", t_format("$IPCFS %s && cat %s/README >/dev/null", dir, dir), &out), 0, "%s", out);
	cr_assert_eq(t_sh(NULL, "sh", t_format("fusermount3 -u %s", dir), &out), 0, "%s", out);
	cr_assert_not(t_is_mounted(dir), "the dead mount is still below");
	cr_assert_eq(rmdir(dir), 0);
	M->dir[0] = '\0';
}

t_test_bare(cli, relative_mount_point_with_spaces)
{
	run(0, "mkdir 'a b'; $IPCFS 'a b' && test -f 'a b/README' && fusermount3 -u 'a b'");
}

/* --- what is missing --- */

/* A mount namespace of the test's own, in which /dev can be hidden. */
static void own_namespace(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		cr_skip_test("no mount namespace of its own: %s", strerror(errno));
}

/*
 * What the daemon asked for last, in microseconds. Its device is a file here: what the true one says is the least that
 * anybody on the machine has asked for.
 */
static int cpu_latency(int fd)
{
	int32_t latency = -1;
	off_t end = lseek(fd, 0, SEEK_END);

	return pread(fd, &latency, sizeof(latency), end - (off_t)sizeof(latency)) == sizeof(latency) ? latency : -1;
}

t_test_bare(cli, cpu_latency_is_kept_low_while_requests_come)
{
	enum { ANY = 2000000000 };
	const char *asked = t_format("%s/asked", t_scratch());
	int fd, out;

	own_namespace();
	t_write(asked, "");
	if (mount(asked, "/dev/cpu_dma_latency", NULL, MS_BIND, NULL) < 0)
		cr_skip_test("no /dev/cpu_dma_latency: %s", strerror(errno));
	M = t_mount_start("-o", "cpu_latency=7us", NULL);
	fd = t_open(asked, O_RDONLY);
	cr_assert_eq(cpu_latency(fd), ANY);
	out = open(t_path(M, "bcast/x"), O_WRONLY | O_CREAT, 0600);
	cr_assert_geq(out, 0);
	t_await(write_often(out) && cpu_latency(fd) == 7);
	t_await(cpu_latency(fd) == ANY);
	close(out);
	close(fd);
}

t_test_bare(cli, missing_device)
{
	own_namespace();
	run(0, "mkdir a");
	cr_assert_eq(mount("none", "/dev", "tmpfs", 0, NULL), 0);
	cr_assert_eq(mknod("/dev/null", S_IFCHR | 0666, 0x103), 0);
	check_refusal("$IPCFS a", "/dev/fuse");
}

/* --- the way into the background --- */

t_test_bare(cli, detaches_when_the_mount_answers)
{
	char *out = run(0, "mkdir a; $IPCFS a && cat a/README | head -n1 && " T_UNMOUNT("a") " && rmdir a");

	cr_assert_neq(out[0], '\0');
}

t_test_bare(cli, detached_daemon_holds_no_terminal_and_no_directory)
{
	run(0, "mkdir a b; cd b; $IPCFS ../a; cd ..; rmdir b");
	char *out = run(0, "for p in /proc/[0-9]*; do [ \"$(readlink $p/exe)\" = \"$IPCFS\" ] || continue\n"
			   "tr '\\0' ' ' <$p/cmdline | grep -q '\\.\\./a ' || continue\n"
			   "readlink $p/cwd $p/fd/0 $p/fd/1 $p/fd/2; done; " T_UNMOUNT("a"));

	cr_assert(strstr(out, "/\n/dev/null\n/dev/null\n/dev/null\n"), "%s", out);
}

t_test_bare(cli, foreground_stays)
{
	pid_t pid = t_spawn(NULL, "sh", "mkdir a; exec $IPCFS -f a");

	t_await(t_is_mounted(t_format("%s/a", t_scratch())));
	t_wait_blocked(pid);
	run(0, T_UNMOUNT("a"));
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), 0);
}

t_test_bare(cli, debug_prints_requests)
{
	pid_t pid = t_spawn(NULL, "sh", "mkdir a; exec $IPCFS -d a");
	char *out;

	t_await(t_is_mounted(t_format("%s/a", t_scratch())));
	run(0, "cat a/README >/dev/null; " T_UNMOUNT("a"));
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, &out), 0);
	cr_assert(strstr(out, "LOOKUP"), "%s", out);
}

/* --- the end --- */

static void check_end(int number)
{
	pid_t daemon = M->daemon;
	char *dir = t_format("%s", M->dir);
	char *out;

	t_write(t_path(M, "sock/%s", t_name("x")), "");
	if (number)
		kill(daemon, number);
	else
		t_sh(M, "sh", T_UNMOUNT("$M"), NULL);
	cr_assert_eq(t_wait_exit(daemon, T_PATIENCE, &out), 0);
	M->daemon = 0;
	cr_assert_not(t_is_mounted(dir));
	cr_assert_eq(rmdir(dir), 0, "%s", strerror(errno));
	M->dir[0] = '\0';
}

t_test(cli, sigterm_ends_it)
{
	check_end(SIGTERM);
}

t_test(cli, sigint_ends_it)
{
	check_end(SIGINT);
}

t_test(cli, fusermount_ends_it)
{
	check_end(0);
}

t_test(cli, address_of_a_socket_goes_with_the_mount)
{
	char *addr = t_path(M, "sock/%s@addr", t_name("x"));

	t_write(t_path(M, "sock/%s", t_name("x")), "");
	cr_assert_eq(access(addr, F_OK), 0);
	t_mount_stop(M);
	cr_assert_eq(access(addr, F_OK), -1);
}

t_test(cli, queue_outlives_the_mount)
{
	struct queue q = queue_make("q", 4, 16);

	t_write(t_path(M, "mq/%s", q.name), "kept");
	t_mount_stop(M);
	cr_assert_str_eq(queue_take(&q, NULL), "kept");
	M = t_mount_start(NULL);
	queue_send(&q, "again", 0);
	cr_assert_str_eq(t_read(t_path(M, "mq/%s@drain", q.name)), "again");
}

t_test(cli, busy_mount_is_not_unmounted_and_goes_on)
{
	struct queue q = queue_make("q", 4, 16);
	pid_t pid = t_spawn(M, "sh", "exec cat $M/mq/${P}q@one");
	char *out;

	queue_await_waiters(M, &q, 1);
	cr_assert_neq(t_sh(M, "sh", "fusermount3 -u $M", &out), 0);
	t_write(t_path(M, "mq/%s", q.name), "hello");
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, &out), 0);
	cr_assert_str_eq(out, "hello");
}

t_test(cli, end_answers_everybody_who_waits)
{
	enum { WAITING = 50 };
	struct queue q = queue_make("q", 4, 16);
	pid_t pids[WAITING];
	char *out;

	for (int i = 0; i < WAITING; i++)
		pids[i] = t_spawn(M, "sh", "exec cat $M/mq/${P}q");
	queue_await_waiters(M, &q, WAITING);
	t_mount_stop(M);
	for (int i = 0; i < WAITING; i++)
		cr_assert_eq(t_wait_exit(pids[i], T_PATIENCE, &out), 1, "%s", out);
}

/* --- as an ordinary user --- */

/* Lets him mount, in a namespace of the test's own: the system's /dev/fuse stays as it is. */
static void admit_nobody(void)
{
	char *bare;

	if (geteuid() != 0)
		return;
	own_namespace();
	bare = t_format("%s/fuse", t_scratch());
	if (mknod(bare, S_IFCHR | 0666, 0x0ae5) < 0 || chmod(bare, 0666) < 0 ||
	    mount(bare, "/dev/fuse", NULL, MS_BIND, NULL) < 0)
		cr_skip_test("no /dev/fuse for ordinary users: %s", strerror(errno));
	run(0, "mkdir home; chown 65534:65534 home");
}

static char *as_nobody(int status, const char *script)
{
	if (geteuid() != 0)
		return run(status, t_format("mkdir -p home; cd home; %s", script));
	return run(status,
		   t_format("cd home; exec setpriv --reuid 65534 --regid 65534 --clear-groups sh -c '%s'", script));
}

t_test_bare(cli, ordinary_user_mounts_uses_and_unmounts)
{
	t_need("setpriv");
	admit_nobody();
	char *out = as_nobody(
		0, "mkdir m; $IPCFS m || exit; echo hello >m/mq/${P}u@msgsize=64,maxmsg=2; cat m/mq/${P}u@drain; "
		   "rm m/mq/${P}u; mkfifo m/pipe/p; (echo p >m/pipe/p &) ; cat m/pipe/p; "
		   "echo s >m/shm/${P}u; cat /dev/shm/${P}u; rm m/shm/${P}u; "
		   "echo k >m/sock/k; cat m/sock/k; ls m/mq >/dev/null; " T_UNMOUNT("m") "; rmdir m");

	cr_assert_str_eq(out, "hello\np\ns\nk\n");
}

t_test_bare(cli, ordinary_user_ends_it_by_sigterm)
{
	t_need("setpriv");
	admit_nobody();
	as_nobody(
		0,
		"mkdir m; $IPCFS -f m & pid=$!; while ! test -f m/README; do sleep 0.01; done; kill $pid; wait $pid && rmdir m");
}

t_test_bare(cli, ordinary_user_without_device)
{
	t_need("setpriv");
	admit_nobody();
	if (geteuid() != 0)
		cr_skip_test("only root can take /dev/fuse away");
	cr_assert_eq(chmod("/dev/fuse", 0600), 0);
	cr_assert(strstr(as_nobody(1, "mkdir m; $IPCFS m"), "/dev/fuse: Permission denied"));
}

t_test_bare(cli, ordinary_user_without_fusermount)
{
	t_need("setpriv");
	admit_nobody();
	cr_assert(strstr(as_nobody(1, "mkdir m; PATH=/nowhere $IPCFS m"), "fusermount3"));
}

t_test_bare(cli, ordinary_user_on_a_directory_of_others)
{
	t_need("setpriv");
	admit_nobody();
	run(0, "mkdir mine; chmod 755 mine");
	if (geteuid() == 0)
		cr_assert(strstr(as_nobody(1, "$IPCFS ../mine"), "Permission denied"));
}

t_test_bare(cli, ordinary_user_meets_rlimit_msgqueue)
{
	t_need("setpriv");
	admit_nobody();
	char *out = as_nobody(
		0, "mkdir m; prlimit --msgqueue=1000 $IPCFS m; (echo >m/mq/${P}big) 2>&1 | grep -c \"Too many\"; "
		   "grep -c RLIMIT_MSGQUEUE=1000 m/errors; " T_UNMOUNT("m"));

	cr_assert_str_eq(out, "1\n1\n");
}

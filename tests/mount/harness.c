#include "harness.h"

#include "janitor.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct t_mount *M;

/* The state of one test, which is one process; a forked child that uses the harness becomes a test of its own. */
static struct {
	pid_t owner; /* 0: not begun */
	int janitor;
	char scratch[PATH_MAX], prefix[32];
	struct t_mount *mounts;
	unsigned count;
	int starts; /* lock_starts() */
	bool crashed;
} test;

/* --- strings, failure, time --- */

/* What is kept stays reachable until the process ends: it need not be freed and does not count as leaked. */
static void *keep(void *what)
{
	static struct kept {
		struct kept *next;
		void *what;
	} * all;
	struct kept *k = malloc(sizeof(*k));

	if (!k || !what)
		t_fail("out of memory");
	*k = (struct kept){all, what};
	all = k;
	return what;
}

static char *vformat(const char *format, va_list args)
{
	char *text = NULL;

	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	return keep(text);
}

char *t_format(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	char *text = vformat(format, args);
	va_end(args);
	return text;
}

/* Criterion's worker for a test is started by its runner; any other process here was forked by a test. */
static pid_t worker;

__attribute__((constructor)) static void note_worker(void)
{
	worker = getpid();
}

void t_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (getpid() == worker)
		cr_assert_fail("%s", vformat(format, args));
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	fflush(NULL);
	_exit(99);
}

static long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

long t_deadline(int milliseconds)
{
	return now() + milliseconds;
}

int t_left(long deadline)
{
	long left = deadline - now();

	return left > 0 ? (int)left : 0;
}

void t_nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

static void skip(const char *why)
{
	if (getpid() != worker)
		t_fail("%s", why);
	cr_skip_test("%s", why);
}

void t_become(uid_t uid)
{
	if (seteuid(0) < 0 || setegid(uid) < 0 || seteuid(uid) < 0)
		t_fail("to be user %d: %s", (int)uid, strerror(errno));
}

void t_need(const char *program)
{
	char dir[PATH_MAX];

	for (const char *p = getenv("PATH"); p && *p; p += strcspn(p, ":"), p += *p == ':') {
		snprintf(dir, sizeof(dir), "%.*s/%s", (int)strcspn(p, ":"), p, program);
		if (access(dir, X_OK) == 0)
			return;
	}
	skip(t_format("no %s here", program));
}

void t_need_fuse(void)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	else if (geteuid() != 0)
		skip(t_format("/dev/fuse: %s", strerror(errno)));
}

/* --- a test's surroundings --- */

static void begin(void)
{
	const char *tmp = getenv("TMPDIR");
	char *dir = t_format("%s/ipct-XXXXXX", tmp ? tmp : "/tmp");

	if (test.owner == getpid())
		return;
	memset(&test, 0, sizeof(test));
	/* The janitor knows the test's processes by their session. */
	if (getsid(0) != getpid() && setsid() < 0)
		t_fail("setsid: %s", strerror(errno));
	/* If the runner is interrupted, the test must not go on alone. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Others may look in: tests with more than one user need the mounts in it. */
	if (!mkdtemp(dir) || chmod(dir, 0755) < 0 || !realpath(dir, test.scratch))
		t_fail("%s: %s", dir, strerror(errno));
	snprintf(test.prefix, sizeof(test.prefix), "ipct-%d-", getpid());
	test.janitor = janitor_start(test.scratch, test.prefix);
	if (test.janitor < 0)
		t_fail("no janitor: %s", strerror(errno));
	test.starts = t_open("/proc/self/exe", O_RDONLY);
	test.owner = getpid();
}

void t_setup(void)
{
	M = t_mount_start(NULL);
}

/*
 * What a crash leaves is given back by the next daemon that starts, and that must be the test's own and not the one of
 * a test beside it. So nobody starts one from a crash until the next start. The lock is on this program, so that no
 * file is left.
 */
static void lock_starts(int how)
{
	while (flock(test.starts, how) < 0)
		if (errno != EINTR)
			t_fail("flock: %s", strerror(errno));
	test.crashed = how == LOCK_EX;
}

void t_finish(void)
{
	if (test.owner != getpid())
		return;
	for (struct t_mount *m = test.mounts; m; m = m->next)
		t_mount_stop(m);
	lock_starts(LOCK_UN);
	janitor_finish(test.janitor, true);
	test.owner = 0;
}

void t_teardown(void)
{
	if (test.owner != getpid())
		return;
	janitor_finish(test.janitor, false);
	lock_starts(LOCK_UN);
	test.owner = 0;
}

const char *t_scratch(void)
{
	begin();
	return test.scratch;
}

char *t_name(const char *base)
{
	begin();
	char *name = t_format("%s%s", test.prefix, base);
	janitor_own(test.janitor, name);
	return name;
}

/* --- files --- */

static void write_all(int fd, const char *path, const char *text)
{
	size_t n = strlen(text);

	/* One write is one message: a second one would hide that the first was cut. */
	if (write(fd, text, n) != (ssize_t)n)
		t_fail("%s: write: %s", path, strerror(errno));
}

void t_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	if (fd < 0)
		t_fail("%s: open for writing: %s", path, strerror(errno));
	write_all(fd, path, text);
	if (close(fd) < 0)
		t_fail("%s: close: %s", path, strerror(errno));
}

int t_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		t_fail("%s: open: %s", path, strerror(errno));
	return fd;
}

char *t_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t size = 0, room = 0;
	char *text = NULL;
	ssize_t n;

	if (fd < 0)
		t_fail("%s: open for reading: %s", path, strerror(errno));
	do {
		if (room - size < 65536) {
			char *more = realloc(text, room += 131072);
			if (!more)
				t_fail("out of memory");
			text = more;
		}
		n = read(fd, text + size, room - size - 1);
		if (n < 0)
			t_fail("%s: read: %s", path, strerror(errno));
		size += (size_t)n;
	} while (n > 0);
	close(fd);
	text[size] = '\0';
	return keep(text);
}

/* --- processes --- */

/* Where t_spawn() sends a child's output, which t_wait_exit() reads. */
static char *output_path(pid_t pid)
{
	return t_format("%s/%d.out", test.scratch, pid);
}

/* In a forked child. */
static void redirect(const char *output)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int out = open(output, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM};

	if (null < 0 || out < 0)
		_exit(127);
	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	close(null);
	close(out);
	/* `make test &` in a script, or nohup, would have children ignore signals that tests send. */
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		signal(signals[i], SIG_DFL);
}

/* In a forked child, before exec. */
static void prepare_exec(const char *output)
{
	sigset_t none;

	redirect(output);
	close_range(3, ~0u, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0);
	setenv(JANITOR_MARK, test.scratch, 1);
}

/* Criterion's worker is build/tests/mount, and the program is next to its directory. */
static const char *program(void)
{
	static char path[PATH_MAX];
	const char *given = getenv("IPCFS");

	if (given)
		return given;
	if (!path[0]) {
		ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
		char *slash;

		for (int i = 0; i < 2 && n > 0; i++)
			if ((slash = strrchr(path, '/')))
				*slash = '\0';
		strncat(path, "/ipcfs", sizeof(path) - strlen(path) - 1);
	}
	return path;
}

static pid_t fork_or_fail(void)
{
	fflush(NULL); /* or the child would write it once more */
	pid_t pid = fork();

	if (pid < 0)
		t_fail("fork: %s", strerror(errno));
	return pid;
}

pid_t t_spawn(const struct t_mount *m, const char *shell, const char *script)
{
	begin();
	pid_t pid = fork_or_fail();

	if (pid == 0) {
		prepare_exec(output_path(getpid()));
		setenv("P", test.prefix, 1);
		setenv("IPCFS", program(), 1);
		/* bash imports it as a function. */
		setenv("BASH_FUNC_waits%%",
		       "() { until [ \"$(grep -c ^waiter= \"$1@ctl\")\" -ge \"${2:-1}\" ]; do sleep .01; done; }", 1);
		if (m)
			setenv("M", m->dir, 1);
		else
			unsetenv("M");
		if (chdir(test.scratch) == 0)
			execlp(shell, shell, "-c", script, (char *)NULL);
		_exit(127);
	}
	return pid;
}

pid_t t_fork(int (*fn)(void *arg), void *arg)
{
	begin();
	pid_t pid = fork_or_fail();

	if (pid == 0) {
		redirect(output_path(getpid()));
		int status = fn(arg);
		fflush(NULL);
		_exit(status);
	}
	return pid;
}

/* Returns waitpid's status, or -1 if the child is still there at the deadline. */
static int wait_status(pid_t pid, int milliseconds)
{
	int fd = pidfd_open(pid, 0), status = -1;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	long deadline = t_deadline(milliseconds);

	if (fd < 0)
		t_fail("process %d: %s", pid, strerror(errno));
	while (poll(&p, 1, t_left(deadline)) < 0 && errno == EINTR)
		;
	close(fd);
	if (p.revents && waitpid(pid, &status, 0) != pid)
		t_fail("waitpid %d: %s", pid, strerror(errno));
	return status;
}

int t_wait_exit(pid_t pid, int milliseconds, char **out)
{
	int status = wait_status(pid, milliseconds);
	char *path = output_path(pid);
	char *text = access(path, R_OK) == 0 ? t_read(path) : "";

	if (status == -1)
		t_fail("process %d does not end within %d ms; so far it wrote: %s", pid, milliseconds, text);
	if (out)
		*out = text;
	else if (status && text[0])
		fprintf(stderr, "process %d wrote: %s", pid, text);
	unlink(path); /* the number may come again */
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int t_sh(const struct t_mount *m, const char *shell, const char *script, char **out)
{
	return t_wait_exit(t_spawn(m, shell, script), T_PATIENCE, out);
}

char *t_bash(int status, const char *script)
{
	char *out;
	int got = t_sh(M, "bash", script, &out);

	if (got != status)
		t_fail("%s: status %d, having written: %s", script, got, out);
	return out;
}

void t_check(const char *script, const char *expected)
{
	const char *out = t_bash(0, script);

	if (strcmp(out, expected) != 0)
		t_fail("%s: wrote: %s\ninstead of: %s", script, out, expected);
}

void t_check_errno_of(const char *call, ssize_t result, int expected)
{
	int err = errno;

	if (result >= 0)
		t_fail("%s: succeeded with %zd instead of %s", call, result, strerrorname_np(expected));
	if (err != expected)
		t_fail("%s: %s instead of %s", call, strerrorname_np(err), strerrorname_np(expected));
}

/* What differs as soon as the thread has run: its state and how often it has slept. Empty if it runs or is gone. */
static void sleep_mark(pid_t pid, char mark[static 256])
{
	char line[256], state = '?';
	FILE *status = fopen(t_format("/proc/%d/status", pid), "re");

	mark[0] = '\0';
	while (status && fgets(line, sizeof(line), status)) {
		if (sscanf(line, "State: %c", &state) == 1 && state != 'S' && state != 'D')
			break;
		if (strncmp(line, "voluntary_ctxt_switches:", 24) == 0)
			snprintf(mark, 256, "%s", line);
	}
	if (status)
		fclose(status);
}

void t_wait_blocked(pid_t pid)
{
	char mark[256], last[256] = "";
	long deadline = t_deadline(T_PATIENCE);

	/* No event tells it. Ten looks in 20 ms: longer than any request that is answered. */
	for (int same = 0; same < 10; t_nap()) {
		if (t_left(deadline) == 0)
			t_fail("process %d does not block", pid);
		sleep_mark(pid, mark);
		same = mark[0] && strcmp(mark, last) == 0 ? same + 1 : 0;
		memcpy(last, mark, sizeof(last));
	}
}

bool t_in_request(pid_t pid)
{
	return strstr(t_read(t_format("/proc/%d/wchan", pid)), "request_wait_answer");
}

/* --- what a mount says --- */

long t_ctl(const struct t_mount *m, const char *channel, const char *key)
{
	const char *text = t_format("\n%s", t_read(t_path(m, "%s@ctl", channel)));
	const char *found = strstr(text, t_format("\n%s=", key));

	if (!found)
		t_fail("%s@ctl has no %s=: %s", channel, key, text);
	return strtol(found + strlen(key) + 2, NULL, 10);
}

void t_await_waiters(const struct t_mount *m, const char *channel, long count)
{
	long deadline = t_deadline(T_PATIENCE), have;

	while ((have = t_ctl(m, channel, "waiters")) != count) {
		if (t_left(deadline) == 0)
			t_fail("%s: %ld operations wait, not %ld", channel, have, count);
		t_nap();
	}
}

bool t_refused(const char *part)
{
	return strstr(t_read(t_path(M, "errors")), part);
}

/* --- mounts --- */

char *t_path(const struct t_mount *m, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	char *rest = vformat(format, args);
	va_end(args);
	return t_format("%s/%s", m->dir, rest);
}

static bool listed(int mountinfo, const char *dir)
{
	char line[2 * PATH_MAX], at[PATH_MAX];
	bool found = false;
	FILE *f = fdopen(dup(mountinfo), "r");

	/* mkdtemp's names have nothing that would be escaped. */
	for (rewind(f); fgets(line, sizeof(line), f);)
		if (sscanf(line, "%*s %*s %*s %*s %4095s", at) == 1 && strcmp(at, dir) == 0)
			found = true;
	fclose(f);
	return found;
}

static int mountinfo_open(void)
{
	int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		t_fail("/proc/self/mountinfo: %s", strerror(errno));
	return fd;
}

bool t_is_mounted(const char *dir)
{
	int fd = mountinfo_open();
	bool found = listed(fd, dir);

	close(fd);
	return found;
}

/* The kernel reports each change of the mount table by POLLPRI. */
static void wait_mounted(struct t_mount *m, int mountinfo)
{
	struct pollfd fds[] = {
		{.fd = mountinfo, .events = POLLPRI},
		{.fd = pidfd_open(m->daemon, 0), .events = POLLIN},
	};
	long deadline = t_deadline(T_PATIENCE);

	while (!listed(mountinfo, m->dir)) {
		if (fds[1].revents)
			t_fail("ipcfs ended before it was mounted");
		if (t_left(deadline) == 0)
			t_fail("ipcfs does not mount");
		poll(fds, 2, t_left(deadline));
	}
	close(fds[1].fd);
}

static int stat_readme(void *m)
{
	struct stat st;

	return stat(t_path(m, "README"), &st) == 0 ? 0 : errno;
}

static void run_daemon(const struct t_mount *m, const char **option, int options)
{
	const char *argv[options + 4];
	int n = 0;

	argv[n++] = program();
	argv[n++] = "-f";
	for (int i = 0; i < options; i++)
		argv[n++] = option[i];
	argv[n++] = m->dir;
	argv[n] = NULL;
	prepare_exec(m->log);
	execv(argv[0], (char **)argv);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

void t_preload(const char *name)
{
	char self[PATH_MAX] = "";
	char *library;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	cr_skip_test("the sanitizer wants to be the first library, and keeps what was freed");
#endif
	cr_assert_gt(readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
	library = t_format("%s/preload/%s.so", dirname(self), name);
	if (access(library, R_OK) < 0)
		t_fail("%s: %s", library, strerror(errno));
	setenv("LD_PRELOAD", library, 1);
}

struct t_mount *t_mount_start(const char *option, ...)
{
	const char *options[16];
	int n = 0, mountinfo, status;
	va_list args;

	va_start(args, option);
	for (const char *o = option; o && n < 16; o = va_arg(args, const char *))
		options[n++] = o;
	va_end(args);
	t_need_fuse();
	begin();

	struct t_mount *m = keep(calloc(1, sizeof(*m)));
	snprintf(m->dir, sizeof(m->dir), "%.4000s/m%u", test.scratch, test.count++);
	m->log = t_format("%s.log", m->dir);
	if (mkdir(m->dir, 0755) < 0)
		t_fail("%s: %s", m->dir, strerror(errno));
	m->next = test.mounts;
	test.mounts = m;

	if (!test.crashed)
		lock_starts(LOCK_SH);
	mountinfo = mountinfo_open();
	m->daemon = fork_or_fail();
	if (m->daemon == 0)
		run_daemon(m, options, n);
	wait_mounted(m, mountinfo);
	close(mountinfo);
	/* In a child, because nothing else ends the call if the daemon hangs. */
	status = t_wait_exit(t_fork(stat_readme, m), T_PATIENCE, NULL);
	if (status)
		t_fail("README: %s", strerror(status));
	lock_starts(LOCK_UN);
	return m;
}

void t_mount_stop(struct t_mount *m)
{
	pid_t daemon = m->daemon;
	int status = 0;

	if (!m->dir[0])
		return;
	if (daemon) {
		kill(daemon, SIGTERM);
		status = wait_status(daemon, T_PATIENCE);
		if (status == -1)
			t_fail("ipcfs does not end on SIGTERM");
		m->daemon = 0;
	} else {
		t_sh(m, "sh", "fusermount3 -uz \"$M\"", NULL);
	}
	if (status)
		t_fail("ipcfs ended with %s %d", WIFSIGNALED(status) ? "signal" : "status",
		       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	if (t_is_mounted(m->dir))
		t_fail("ipcfs left its mount behind");
	if (rmdir(m->dir) < 0)
		t_fail("%s: %s", m->dir, strerror(errno));
	m->dir[0] = '\0';
}

void t_mount_crash(struct t_mount *m)
{
	lock_starts(LOCK_EX);
	kill(m->daemon, SIGKILL);
	if (wait_status(m->daemon, T_PATIENCE) == -1)
		t_fail("ipcfs does not end on SIGKILL");
	m->daemon = 0;
}

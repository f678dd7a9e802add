/*
 * The harness of the mount tests (those in this folder). Each test gets a mount of its own and leaves nothing behind,
 *not even when it crashes or is killed: see janitor.h.
 *
 *	t_test(mq, read_gets_what_was_written)
 *	{
 *		t_write(t_path(M, "mq/%s", t_name("q")), "hello");
 *		cr_assert_str_eq(t_read(t_path(M, "mq/%s@drain", t_name("q"))), "hello");
 *	}
 *
 * Strings that are returned live until the test ends. Whatever waits is bounded by T_PATIENCE, and the test fails
 *beyond it. Criterion's assertions hang in a forked child: there, return a status instead.
 */
#ifndef TESTS_HARNESS_H
#define TESTS_HARNESS_H

#include <criterion/criterion.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>
#include <unistd.h>

enum {
	T_LIFETIME = 120
}; /* seconds; then a test is killed, since Criterion's own time-out spares a process in a system call */
enum { T_PATIENCE = 20000 }; /* milliseconds; only a failing test waits that long */

struct t_mount {
	char dir[PATH_MAX]; /* where it is mounted */
	pid_t daemon;	    /* our child, in the foreground; 0 once its exit status was taken */
	char *log;	    /* the file that has the daemon's stdout and stderr */
	struct t_mount *next;
};

/* The mount of a t_test(). */
extern struct t_mount *M;

/*
 * Ends a mount, in a script. It is busy not only while a file in it is open, but also for the moment in which anybody
 * reads the /proc/PID/fdinfo of one that was just closed, as other tests' daemons do: they hold the file by it.
 */
#define T_UNMOUNT(dir)                                                                                                 \
	"until e=$(fusermount3 -u " dir " 2>&1); do case $e in *busy*) ;; *) echo \"$e\"; exit 1 ;; esac; done"

/*
 * A test with the mount M. That the daemon ends well is part of the test: it must exit with 0 (a sanitizer's finding is
 * another status), and its mount must be gone.
 */
#define t_test(suite, name, ...)                                                                                       \
	static void t_body_##suite##_##name(void);                                                                     \
	Test(suite, name, .init = t_setup, .fini = t_teardown, ##__VA_ARGS__)                                          \
	{                                                                                                              \
		alarm(T_LIFETIME);                                                                                     \
		t_body_##suite##_##name();                                                                             \
		t_finish();                                                                                            \
	}                                                                                                              \
	static void t_body_##suite##_##name(void)

/* The same without a mount: the test makes the ones it wants by t_mount_start(). */
#define t_test_bare(suite, name, ...)                                                                                  \
	static void t_body_##suite##_##name(void);                                                                     \
	Test(suite, name, .fini = t_teardown, ##__VA_ARGS__)                                                           \
	{                                                                                                              \
		alarm(T_LIFETIME);                                                                                     \
		t_body_##suite##_##name();                                                                             \
		t_finish();                                                                                            \
	}                                                                                                              \
	static void t_body_##suite##_##name(void)

void t_setup(void);
/* Stops all mounts and fails the test if one did not end well. */
void t_finish(void);
/* After t_finish() does nothing. Without it the test has failed: cleans up and shows what the daemons said. */
void t_teardown(void);

/* Runs `ipcfs -f OPTION... DIR` in a fresh directory; returns when the mount answers. The options end with NULL.
 * Implies t_need_fuse(). */
struct t_mount *t_mount_start(const char *option, ...);
/*
 * One that shows nothing of what tests beside this one make, and hears nothing of it. A name in it is that of the
 * kernel's object without the first t_name("").
 */
#define t_mount_alone() t_mount_start("-o", t_format("prefix=%s", t_name("")), NULL)
/* Daemons that are started from now on run with tests/preload/NAME.c, until LD_PRELOAD is unset. Skips if sanitized. */
void t_preload(const char *name);
/* SIGTERM unless the daemon ended by itself; fails unless it exits with 0 and the mount goes. */
void t_mount_stop(struct t_mount *);
/* SIGKILL. What is left is a mount that answers ENOTCONN; t_mount_stop() removes it. */
void t_mount_crash(struct t_mount *);
bool t_is_mounted(const char *dir);

/* t_path(M, "mq/%s", name) */
char *t_path(const struct t_mount *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A name for a kernel object that is the test's own: BASE behind a prefix, which scripts have as $P. The object is
 * unlinked when the test ends, be it in /dev/shm, a queue, or a semaphore. */
char *t_name(const char *base);
/* A directory of the test's own, the working directory of scripts. */
const char *t_scratch(void);
char *t_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Fails the test, also from a forked child (by its exit status, 99). */
void t_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
/* From here on the test opens files as that user, with his group; 0: as root again. */
void t_become(uid_t);
/* Skips the test if there is no such program in PATH. */
void t_need(const char *program);
/* Skips the test if an ordinary user may not use /dev/fuse; root's tests fail then. */
void t_need_fuse(void);

/* Whole files. */
char *t_read(const char *path);
void t_write(const char *path, const char *text);
/* A descriptor with O_CLOEXEC. */
int t_open(const char *path, int flags);

/*
 * A shell script in the background: $M is the mount's directory (m may be NULL), $P as in t_name(), $IPCFS the program.
 * Each gets a process group of its own, and /dev/null as its input. In bash, `waits CHANNEL N` waits until N operations
 * (one, if it is not said) are parked on it.
 */
pid_t t_spawn(const struct t_mount *m, const char *shell, const char *script);
/* fn in a forked child, whose exit status is what it returns. */
pid_t t_fork(int (*fn)(void *arg), void *arg);
/* Waits for a child of t_spawn() or t_fork(). Returns its exit status, or 128 and the signal. *out is what it wrote to
 * stdout and stderr; where out is NULL, that is shown if the child did not exit with 0. */
int t_wait_exit(pid_t, int milliseconds, char **out);
/* t_spawn() and t_wait_exit(). */
int t_sh(const struct t_mount *m, const char *shell, const char *script, char **out);

/* A script in bash on M, which must end with that status. Returns what it wrote. */
char *t_bash(int status, const char *script);
/* The same with status 0, and it must have written that. */
void t_check(const char *script, const char *expected);

/* The call has failed, and so. */
#define t_check_errno(call, expected) t_check_errno_of(#call, (call), (expected))
void t_check_errno_of(const char *call, ssize_t result, int expected);

/* The number behind `key=` in the channel's @ctl file; channel is "mq/NAME". */
long t_ctl(const struct t_mount *, const char *channel, const char *key);
/* Waits until so many operations of files are parked on the channel. */
void t_await_waiters(const struct t_mount *, const char *channel, long count);
/* Whether our last refusals, as M/errors has them, say that. */
bool t_refused(const char *part);

/* Waits until the thread sleeps and goes on sleeping. A shell that waits for its child sleeps too: use `exec`. */
void t_wait_blocked(pid_t);
/* Whether it waits for the daemon's answer to a request. */
bool t_in_request(pid_t);

/* Waits until the condition holds; for what cannot be waited for by an event. */
#define t_await(condition)                                                                                             \
	do {                                                                                                           \
		long t_end_ = t_deadline(T_PATIENCE);                                                                  \
		while (!(condition)) {                                                                                 \
			if (t_left(t_end_) == 0)                                                                       \
				t_fail("%s:%d: not within %d ms: %s", __FILE__, __LINE__, T_PATIENCE, #condition);     \
			t_nap();                                                                                       \
		}                                                                                                      \
	} while (0)

/* Milliseconds of CLOCK_MONOTONIC. */
long t_deadline(int milliseconds);
int t_left(long deadline);
void t_nap(void);

#endif

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "kinds/sig/sig.h"
#include "process.h"
#include "names.h"

static void setup(void)
{
	u_setup(&ipc_sig);
}

TestSuite(sig, .init = setup, .fini = u_teardown, .timeout = 20);

static int target_end(pid_t pid)
{
	int status;

	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static struct ipc_ref numbered(pid_t pid, const char *facets)
{
	char name[64];

	snprintf(name, sizeof(name), "%d%s", (int)pid, facets);
	return u_named(name);
}

static struct ipc_handle *open_as(struct ipc_cred cred, pid_t pid, const char *facets, int flags)
{
	struct ipc_ref ref = numbered(pid, facets);
	struct ipc_handle *h;
	struct stat st;

	cr_assert_eq(ipc_stat(u_ipc, &cred, &ref, &st), 0);
	cr_assert_eq(ipc_handle_new(u_ipc, &cred, &ref, flags, st.st_ino, &h), 0);
	return h;
}

static struct ipc_handle *open_pid(pid_t pid, const char *facets, int flags)
{
	return open_as(u_me(), pid, facets, flags);
}

/* Signals to ourselves come here. */
static int listen_to(int signal)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	cr_assert_eq(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static bool heard(int fd, struct signalfd_siginfo *info)
{
	return read(fd, info, sizeof(*info)) == sizeof(*info);
}

/* Names */

Test(sig, a_process_is_a_file_of_its_owner)
{
	struct stat st;
	char name[16];

	snprintf(name, sizeof(name), "%d", (int)getpid());
	cr_assert_eq(u_stat(name, &st), 0);
	cr_assert_eq(st.st_mode, S_IFREG | 0666);
	cr_assert_eq(st.st_uid, getuid());
	cr_assert_eq(st.st_gid, getgid());
	cr_assert_eq(u_create_type(name, S_IFREG | 0600), -EEXIST);
}

Test(sig, what_is_no_process_is_not_there)
{
	static const char *const names[] = {"0", "-1", "-5", "007", "4194304", "99999999999", "1 ", "+1", "self", "x"};
	struct stat st;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		cr_assert_eq(u_stat(names[i], &st), -ENOENT, "%s", names[i]);
		cr_assert_eq(u_create_type(names[i], S_IFREG | 0600), -EINVAL, "%s", names[i]);
	}
	cr_assert(u_refused("sig/-1: EINVAL: the name is the number of one process; kill's 0, -1 and -PID"));
}

Test(sig, a_dead_process_is_esrch_for_who_wants_to_write)
{
	pid_t pid = u_process();
	char name[16], why[64];
	struct stat st;

	snprintf(name, sizeof(name), "%d", (int)pid);
	kill(pid, SIGKILL);
	target_end(pid);
	cr_assert_eq(u_stat(name, &st), -ENOENT);
	cr_assert_eq(u_create_type(name, S_IFREG | 0600), -ESRCH);
	snprintf(why, sizeof(why), "sig/%d: ESRCH: there is no process %d", (int)pid, (int)pid);
	cr_assert(u_refused(why));
}

static void *thread_name(void *arg)
{
	char name[16];
	struct stat st;

	(void)arg;
	snprintf(name, sizeof(name), "%d", (int)syscall(SYS_gettid));
	cr_assert_eq(u_stat(name, &st), -ENOENT);
	cr_assert_eq(u_create_type(name, S_IFREG | 0600), -ESRCH);
	cr_assert(u_refused("is a thread of process"));
	return NULL;
}

Test(sig, a_thread_is_not_a_process)
{
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, thread_name, NULL), 0);
	pthread_join(thread, NULL);
}

Test(sig, a_name_cannot_be_removed_changed_or_moved)
{
	struct ipc_cred cred = u_me();
	struct ipc_ref ref = numbered(getpid(), ""), to = u_named("2");
	struct stat st = {.st_mode = 0600};

	cr_assert_eq(ipc_unlink(u_ipc, &cred, &ref), -EPERM);
	cr_assert(u_refused("a process is not ended by rm"));
	cr_assert_eq(ipc_chattr(u_ipc, &cred, &ref, NULL, &st, IPC_SET_MODE), -EPERM);
	cr_assert_eq(ipc_chattr(u_ipc, &cred, &ref, NULL, &st, IPC_SET_TIMES), -EPERM);
	cr_assert_eq(ipc_chattr(u_ipc, &cred, &ref, NULL, &st, IPC_SET_SIZE), 0);
	cr_assert_eq(ipc_rename(u_ipc, &cred, &ref, &to, 0), -EOPNOTSUPP);
}

struct search {
	pid_t pid;
	bool found;
};

static void search(void *arg, const char *name, mode_t type)
{
	struct search *s = arg;

	s->found = s->found || (type == S_IFREG && atoi(name) == s->pid);
}

static bool listed(struct ipc_cred cred, pid_t pid)
{
	struct search s = {.pid = pid};

	cr_assert_eq(u_each_name(u_ipc, &cred, &ipc_sig, NULL, search, &s), 0);
	return s.found;
}

Test(sig, the_listing_is_who_may_be_signalled)
{
	struct ipc_cred nobody = {.uid = 65534, .gid = 65534, .pid = getpid()};
	pid_t pid;

	cr_assert(listed(u_me(), getpid()));
	if (getuid() != 0)
		cr_skip("only root can act as somebody else");
	pid = fork();
	if (pid == 0) {
		if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
			_exit(1);
		kill(getpid(), SIGSTOP);
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, NULL, WUNTRACED), pid);
	cr_assert(listed(nobody, pid));
	cr_assert_not(listed(nobody, getpid()));
	kill(pid, SIGKILL);
	target_end(pid);
}

/* Sending */

Test(sig, a_name_an_sig_name_and_a_number_are_signals)
{
	const struct {
		const char *text;
		int signal;
	} cases[] = {
		{"TERM\n", SIGTERM},
		{"SIGTERM", SIGTERM},
		{"15\n", SIGTERM},
		{"term\n", SIGTERM},
		{" USR1 \n", SIGUSR1},
		{"HUP\r\n", SIGHUP},
		{"CLD", SIGCHLD},
		{"IO", SIGIO},
		{"POLL\n", SIGPOLL},
		{"RTMIN\n", SIGRTMIN},
		{"RTMAX", SIGRTMAX},
		{"SIGRTMIN+3\n", SIGRTMIN + 3},
		{"RTMAX-2\n", SIGRTMAX - 2},
		{"rtmin+0\n", SIGRTMIN},
		{"64", SIGRTMAX},
		{"IOT", SIGABRT},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ipc_handle *h = open_pid(getpid(), "", O_WRONLY);
		int fd = listen_to(cases[i].signal);
		struct signalfd_siginfo info;

		cr_assert_eq(u_put(h, cases[i].text), (ssize_t)strlen(cases[i].text), "%s", cases[i].text);
		cr_assert(heard(fd, &info), "%s", cases[i].text);
		cr_assert_eq(info.ssi_signo, (unsigned)cases[i].signal, "%s", cases[i].text);
		close(fd);
		ipc_close(h);
	}
}

Test(sig, what_is_no_signal_is_refused_with_the_names)
{
	static const char *const texts[] = {"FOO\n",	"SIG\n",   "\n",      " ",	"65",	    "-1",
					    "RTMIN+99", "RTMIN-1", "RTMAX+1", "TERM x", "TERM 1 2", "TERM 2147483648",
					    "TERMX",	"TER",	   "RTMINX",  "+15"};
	struct ipc_handle *h = open_pid(getpid(), "", O_WRONLY);

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		cr_assert_eq(u_put(h, texts[i]), -EINVAL, "%s", texts[i]);
	cr_assert(u_refused("no signal 'FOO'; there are HUP INT"));
	cr_assert(u_refused("SIGNAL VALUE, and a value is a whole number"));
	ipc_close(h);
}

Test(sig, zero_asks_whether_it_is_there)
{
	pid_t pid = u_process();
	struct ipc_handle *h = open_pid(pid, "", O_WRONLY);

	cr_assert_eq(u_put(h, "0\n"), 2);
	kill(pid, SIGKILL);
	target_end(pid);
	cr_assert_eq(u_put(h, "0\n"), -ESRCH);
	cr_assert(u_refused("which was opened, has ended"));
	ipc_close(h);
}

Test(sig, a_value_is_queued_with_the_callers_name)
{
	struct ipc_handle *h = open_pid(getpid(), "", O_WRONLY);
	int fd = listen_to(SIGRTMIN + 1);
	struct signalfd_siginfo info;

	cr_assert_eq(u_put(h, "RTMIN+1 42\nRTMIN+1  -7\n"), 23);
	cr_assert(heard(fd, &info));
	cr_assert_eq(info.ssi_code, SI_QUEUE);
	cr_assert_eq(info.ssi_int, 42);
	cr_assert_eq(info.ssi_pid, (unsigned)getpid());
	cr_assert_eq(info.ssi_uid, getuid());
	cr_assert(heard(fd, &info));
	cr_assert_eq(info.ssi_int, -7);
	cr_assert_not(heard(fd, &info));
	close(fd);
	ipc_close(h);
}

Test(sig, lines_before_a_bad_one_are_sent_and_reported)
{
	struct ipc_handle *h = open_pid(getpid(), "", O_WRONLY);
	int fd = listen_to(SIGUSR1);
	struct signalfd_siginfo info;

	cr_assert_eq(u_put(h, "USR1\nNONSENSE\n"), 5);
	cr_assert(heard(fd, &info));
	cr_assert_eq(u_put(h, "NONSENSE\n"), -EINVAL);
	close(fd);
	ipc_close(h);
}

Test(sig, a_full_queue_is_an_error_and_no_wait)
{
	struct rlimit none = {0, 0};
	struct ipc_handle *h;
	int fd;

	cr_assert_eq(setrlimit(RLIMIT_SIGPENDING, &none), 0);
	fd = listen_to(SIGRTMIN);
	h = open_pid(getpid(), "", O_WRONLY);
	cr_assert_eq(u_put(h, "RTMIN 1"), -ENOBUFS);
	cr_assert(u_refused("RLIMIT_SIGPENDING"));
	close(fd);
	ipc_close(h);
}

Test(sig, the_right_is_the_openers)
{
	struct ipc_cred nobody = {.uid = 65534, .gid = 65534, .pid = getpid()};
	struct ipc_handle *h;
	struct u_call c;
	pid_t pid;

	if (getuid() != 0)
		cr_skip("only root can act as somebody else");
	pid = u_process();
	h = open_as(nobody, pid, "", O_WRONLY);
	/* u_begin() writes as us. */
	u_begin(&c, h, IPC_WRITE, "KILL\n");
	cr_assert_eq(u_finish(&c), -EPERM);
	u_begin(&c, h, IPC_WRITE, "0\n");
	cr_assert_eq(u_finish(&c), -EPERM);
	ipc_close(h);
	h = open_pid(pid, "", O_WRONLY);
	cr_assert_eq(u_put(h, "KILL\n"), 5);
	cr_assert_eq(WTERMSIG(target_end(pid)), SIGKILL);
	ipc_close(h);
}

/* As of a child that the signal has ended. */
Test(sig, an_interrupt_just_behind_the_answer_does_not_hide_it)
{
	struct ipc_cred nobody = {.uid = 65534, .gid = 65534, .pid = getpid()};
	const struct sig_handle *s;
	struct ipc_handle *h;
	struct u_call c;

	if (getuid() != 0)
		cr_skip("only root can act as somebody else");
	h = open_as(nobody, getpid(), "", O_WRONLY);
	s = ipc_container(h, struct sig_handle, h);
	u_begin(&c, h, IPC_WRITE, "0\n");
	while (!s->answered && !c.done)
		cr_assert_eq(ipc_loop_turn(u_loop, -1), 0);
	cr_assert_not(c.done);
	ipc_interrupt(&c.op);
	cr_assert_eq(u_finish(&c), -EPERM);
	ipc_close(h);
}

/* A process that has the number of another one that has ended: the kernel gives it that very number. */
static pid_t reuse(pid_t number)
{
	struct clone_args args = {.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&number, .set_tid_size = 1};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(pause());
	}
	return pid;
}

Test(sig, a_reused_number_is_not_hit)
{
	pid_t pid = u_process(), again;
	struct ipc_handle *h = open_pid(pid, "", O_WRONLY), *other;
	struct ipc_ref ref = numbered(pid, "");
	struct ipc_cred cred = u_me();
	struct stat before, after;

	cr_assert_eq(ipc_stat(u_ipc, &cred, &ref, &before), 0);
	kill(pid, SIGKILL);
	target_end(pid);
	usleep(20000); /* the start time is counted in hundredths of a second */
	again = reuse(pid);
	if (again < 0 && errno == EPERM) {
		ipc_close(h);
		cr_skip("only root can choose the number of a process");
	}
	cr_assert_eq(again, pid, "%s", strerror(errno));
	cr_assert_eq(u_put(h, "KILL\n"), -ESRCH);
	cr_assert_eq(ipc_stat(u_ipc, &cred, &ref, &after), 0);
	cr_assert_neq(before.st_ino, after.st_ino);
	cr_assert_eq(ipc_handle_new(u_ipc, &cred, &ref, O_WRONLY, before.st_ino, &other), -ESTALE);
	ipc_close(h);
	kill(again, SIGKILL);
	target_end(again);
}

/* Waiting */

Test(sig, a_read_waits_for_the_end)
{
	pid_t pid = u_process();
	struct ipc_handle *h = open_pid(pid, "", O_RDWR), *other = open_pid(pid, "", O_RDONLY);
	struct u_call c, d;

	u_begin(&c, h, IPC_READ, NULL);
	u_begin(&d, other, IPC_READ, NULL);
	cr_assert_not(c.done);
	cr_assert_eq(ipc_poll(h, false), POLLOUT | POLLWRNORM);
	cr_assert_eq(u_put(h, "TERM\n"), 5);
	u_finish(&c);
	u_finish(&d);
	cr_assert_eq(c.result, 0);
	cr_assert_eq(d.result, 0);
	cr_assert_eq(ipc_poll(other, false), POLLIN | POLLRDNORM);
	ipc_close(other);
	ipc_close(h);
	target_end(pid);
}

Test(sig, a_read_gives_up_after_its_timeout)
{
	struct ipc_handle *h = open_pid(getpid(), "@timeout=1ms", O_RDONLY);
	struct u_call c;

	u_begin(&c, h, IPC_READ, NULL);
	u_finish(&c);
	cr_assert_eq(c.result, -ETIMEDOUT);
	ipc_close(h);
}

Test(sig, poll_tells_of_the_end)
{
	pid_t pid = u_process();
	struct ipc_handle *h = open_pid(pid, "", O_RDONLY);
	int ready = 0;

	ipc_handle_on_ready(h, u_count_ready, &ready);
	cr_assert_eq(ipc_poll(h, true), 0);
	kill(pid, SIGKILL);
	while (!ready)
		cr_assert_eq(ipc_loop_turn(u_loop, 1000), 0);
	cr_assert_eq(ipc_poll(h, false), POLLIN | POLLRDNORM);
	ipc_close(h);
	target_end(pid);
}

Test(sig, ctl_describes_the_process)
{
	pid_t pid = u_process();
	char expected[64];
	struct ipc_handle *h;
	struct ipc_op op = {.type = IPC_READ, .cred = u_me(), .size = 4096};
	ssize_t n;

	kill(pid, SIGSTOP);
	cr_assert_eq(waitpid(pid, NULL, WUNTRACED), pid);
	h = open_pid(pid, "@ctl", O_RDONLY);
	op.handle = h;
	n = ipc_submit(&op);
	cr_assert_gt(n, 0);
	snprintf(expected, sizeof(expected), "kind=sig\npid=%d\ncommand=", (int)pid);
	cr_assert_not_null(memmem(op.data, (size_t)n, expected, strlen(expected)));
	cr_assert_not_null(memmem(op.data, (size_t)n, "\nstate=stopped\n", 15));
	ipc_close(h);
	kill(pid, SIGKILL);
	target_end(pid);
}

Test(sig, a_process_that_was_open_leaves_no_record)
{
	struct ipc_handle *h = open_pid(getpid(), "", O_WRONLY), *again = open_pid(getpid(), "", O_RDONLY);

	cr_assert_eq(u_ipc->chan_count, 1);
	ipc_close(h);
	cr_assert_eq(u_ipc->chan_count, 1);
	ipc_close(again);
	cr_assert_eq(u_ipc->chan_count, 0);
}

Test(sig, processes_are_no_channels_in_status)
{
	struct ipc_cred cred = u_me();
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	u_text_status(u_ipc, &cred, IPC_STATUS_LINES, out);
	fclose(out);
	cr_assert_null(strstr(text, "\nsig"));
	free(text);
}

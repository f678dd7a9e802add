/* Acting as the caller: cred.h. */
#include "cred.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/place.h"
#include "base/proc.h"
#include "base/sys.h"

/* So long a child may take on a busy machine, and so often it is looked at meanwhile. */
enum { CHILD_MS = 10000, LOOK_MS = 20 };

static uint64_t cred_caps(const struct ipc_cred *cred)
{
	return cred->fixed ? cred->caps : ipc_place_caps(cred->pid);
}

void ipc_cred_fix(struct ipc_cred *cred)
{
	cred->fixed = cred->uid == 0;
	if (cred->fixed)
		cred->caps = ipc_place_caps(cred->pid);
}

void ipc_cred_none(struct ipc_cred *cred)
{
	cred->fixed = cred->uid == 0;
	cred->caps = 0;
}

/*
 * Root is us with whatever group, as root's rights are not the group's. But a root whose capabilities were taken away,
 * or who is root only in his own user namespace, is somebody else.
 */
bool ipc_cred_is_us(const struct ipc_cred *cred)
{
	uint64_t own;

	if (cred->uid != getuid())
		return false;
	if (cred->uid != 0)
		return true;
	own = ipc_own_caps();
	return (cred_caps(cred) & own) == own;
}

bool ipc_cred_has(const struct ipc_cred *cred, int cap)
{
	return cred->uid == 0 && (cred_caps(cred) & UINT64_C(1) << cap);
}

bool ipc_may_override(const struct ipc_cred *cred)
{
	return ipc_cred_has(cred, CAP_DAC_OVERRIDE);
}

/*
 * Between ipc_cred_enter() and ipc_cred_leave(): what the caller is may change meanwhile, what is to be undone must
 * not.
 */
static _Thread_local bool entered, took_caps;
/* This thread has no supplementary groups any more: it has dropped them for good. */
static _Thread_local bool bare;

static bool groups_are(int n, const gid_t *groups)
{
	gid_t *own;
	bool same;

	if (getgroups(0, NULL) != n)
		return false;
	own = calloc((size_t)n + 1, sizeof(*own));
	same = own && getgroups(n, own) == n && memcmp(own, groups, (size_t)n * sizeof(*own)) == 0;
	free(own);
	return same;
}

/*
 * Where an ordinary user made the user namespace, setgroups(2) is forbidden in it for good, to us as to the callers:
 * they have the groups that we have.
 */
static int groups_take(int n, const gid_t *groups)
{
	if (ipc_place_groups_fixed())
		return groups_are(n, groups) ? 0 : -EPERM;
	if (n == 0 && bare)
		return 0;
	if (syscall(SYS_setgroups, n, groups) < 0)
		return -errno;
	bare = n == 0;
	return 0;
}

static void groups_drop(void)
{
	if (ipc_place_groups_fixed() || bare)
		return;
	if (syscall(SYS_setgroups, 0, NULL) < 0)
		abort();
	bare = true;
}

/*
 * The bare system calls change this thread alone; the library's would change all. Only the effective identity changes:
 * the real and the saved one stay ours, by which nobody else may signal or trace us, and by which we come back.
 */
static int thread_become(uid_t uid, gid_t gid)
{
	if (syscall(SYS_setresgid, -1, gid, -1) < 0 || syscall(SYS_setresuid, -1, uid, -1) < 0)
		return -errno;
	return 0;
}

int ipc_cred_enter(const struct ipc_cred *cred)
{
	gid_t *groups;
	int r;

	if (ipc_cred_is_us(cred))
		return 0;
	if (getuid() != 0)
		return -EPERM;
	entered = true;
	r = ipc_proc_groups(cred->pid, cred->uid, &groups);
	if (r >= 0)
		r = groups_take(r, groups);
	if (r >= 0)
		r = thread_become(cred->uid, cred->gid);
	free(groups);
	/*
	 * For a user other than root the kernel has dropped our capabilities by itself, and gives them back with our
	 * own user id: capabilities(7).
	 */
	took_caps = r >= 0 && cred->uid == 0;
	if (took_caps)
		r = ipc_caps_take(cred_caps(cred));
	if (r < 0)
		ipc_cred_leave(cred);
	return r;
}

void ipc_cred_leave(const struct ipc_cred *cred)
{
	(void)cred;
	if (!entered)
		return;
	entered = false;
	/*
	 * The user first, since only root may do the rest. Root needs no supplementary groups. A thread that stayed
	 * somebody else would serve everybody as him: an end is better.
	 */
	if (syscall(SYS_setresuid, -1, getuid(), -1) < 0 || (took_caps && ipc_caps_take(ipc_own_caps()) < 0) ||
	    syscall(SYS_setresgid, -1, getgid(), -1) < 0)
		abort();
	groups_drop();
}

/* Copies the caller's limit; false where we may not ask for it. */
static bool cred_take_limit(pid_t pid)
{
	struct rlimit theirs, ours;

	if (pid <= 0)
		return true;
	if (prlimit(pid, RLIMIT_MSGQUEUE, NULL, &theirs) < 0)
		return false;
	if (setrlimit(RLIMIT_MSGQUEUE, &theirs) < 0 && getrlimit(RLIMIT_MSGQUEUE, &ours) == 0) {
		/* Above our own hard limit, which we may not raise. */
		ours.rlim_cur = theirs.rlim_cur < ours.rlim_max ? theirs.rlim_cur : ours.rlim_max;
		setrlimit(RLIMIT_MSGQUEUE, &ours);
	}
	return true;
}

/* In the child. There is no way back, and none is needed. */
static int cred_become(const struct ipc_cred *cred)
{
	/* Asking needs CAP_SYS_RESOURCE, or to be the same user. */
	bool limited = cred_take_limit(cred->pid);
	gid_t *groups;
	int n = ipc_proc_groups(cred->pid, cred->uid, &groups);

	if (n < 0)
		return n;
	if (groups_take(n, groups) < 0 || setresgid(cred->gid, cred->gid, cred->gid) < 0 ||
	    setresuid(cred->uid, cred->uid, cred->uid) < 0)
		return -EPERM;
	free(groups);
	if (!limited)
		cred_take_limit(cred->pid);
	return cred->uid == 0 ? ipc_caps_keep(cred_caps(cred)) : 0;
}

/* The child is the caller's while it runs: he could stop it, and must not stop us. */
static bool child_speaks(pid_t pid, int words)
{
	struct pollfd p = {.fd = words, .events = POLLIN};

	for (int waited = 0; waited < CHILD_MS; waited += LOOK_MS) {
		siginfo_t info = {0};
		ssize_t r = IPC_RETRY(poll(&p, 1, LOOK_MS));

		if (r != 0)
			return r > 0;
		if (waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOHANG | WNOWAIT) == 0 && info.si_pid)
			break;
	}
	return false;
}

int ipc_cred_run(const struct ipc_cred *cred, int (*fn)(void *arg, char *why, size_t why_size), void *arg, char *why,
		 size_t why_size)
{
	int words[2], status;
	ssize_t n;
	pid_t pid;

	if (ipc_cred_is_us(cred))
		return fn(arg, why, why_size);
	if (getuid() != 0)
		return -EPERM;
	if (pipe2(words, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		int r = -errno;

		close(words[0]);
		close(words[1]);
		return r;
	}
	if (pid == 0) {
		char text[512] = "";
		int r = cred_become(cred);

		if (r == 0)
			r = fn(arg, text, sizeof(text));
		if (write(words[1], text, strlen(text)) < 0)
			_exit(EIO);
		_exit(-r);
	}
	close(words[1]);
	if (!child_speaks(pid, words[0]))
		kill(pid, SIGKILL);
	n = why_size ? IPC_RETRY(read(words[0], why, why_size - 1)) : 0;
	if (why_size)
		why[n > 0 ? n : 0] = '\0';
	close(words[0]);
	if (IPC_RETRY(waitpid(pid, &status, 0)) < 0)
		return -ECHILD;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

bool ipc_cred_may_read(const struct ipc_cred *cred, const struct stat *st)
{
	mode_t mode = cred->uid == st->st_uid	? st->st_mode >> 6
		      : cred->gid == st->st_gid ? st->st_mode >> 3
						: st->st_mode >> 3 & st->st_mode;

	return (mode & S_IROTH) || ipc_may_override(cred);
}

/*
 * /sig: signals. The name is a process, the open file a pidfd, so that a process that has the number later is never
 * hit. A write sends; a read waits for the process to end. Who may send is kill(2)'s rule, which modes cannot express:
 * so everybody may open, and the kernel judges each signal by who opened the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>

#include "base/place.h"
#include "base/proc.h"
#include "core/reader.h"
#include "base/sys.h"
#include "core/chan.h"
#include "core/handle.h"
#include "core/kind.h"
#include "kinds/kinds.h"
#include "core/ref.h"
#include "sig.h"

/* PID_MAX_LIMIT is 2^22; what is left of an inode number is for the time when the process began. */
enum { PID_BITS = 22, START_BITS = 34 };

static struct sig_handle *sig_handle(struct ipc_handle *h)
{
	return ipc_container(h, struct sig_handle, h);
}

/* 0: not the number of a process. */
static pid_t sig_pid(const char *name)
{
	int64_t pid;

	if (name[0] == '0' || ipc_number_parse(name, strlen(name), 0, 1, (1 << PID_BITS) - 1, &pid) < 0)
		return 0;
	return (pid_t)pid;
}

static ino_t process_ino(const struct ipc_process *p)
{
	return (ino_t)(p->start & ((1ull << START_BITS) - 1)) << PID_BITS | (ino_t)p->tgid;
}

/* Another process may have the number by now: then it looks as if it were there. */
static bool sig_lives(ino_t ino)
{
	return kill((pid_t)(ino & ((1 << PID_BITS) - 1)), 0) == 0 || errno != ESRCH;
}

static time_t process_began(const struct ipc_process *p)
{
	struct timespec real, boot;

	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	return real.tv_sec - boot.tv_sec + (time_t)(p->start / (unsigned long long)sysconf(_SC_CLK_TCK));
}

/* As whoever opened it would write it. */
static struct ipc_path sig_path(const struct ipc_handle *h)
{
	struct ipc_path path;

	snprintf(path.text, sizeof(path.text), "sig/%d", (int)ipc_container(h, struct sig_handle, h)->shown);
	return path;
}

/* The process that the caller means, by our number; 0, which is no process, where his number is none. */
static int sig_translate(struct ipc *ipc, const struct ipc_cred *cred, struct ipc_ref *ref)
{
	pid_t pid = sig_pid(ref->base);
	pid_t ours = pid ? ipc_pid_meant_by(cred->pid, pid) : 0;

	if (!pid)
		return 0;
	if (ours == -EOPNOTSUPP)
		return ipc_refuse(
			ipc, cred, EOPNOTSUPP, ipc_ref_path(ref).text,
			"you are in another PID namespace than ipcfs, and before Linux 6.11 it cannot tell whom you mean");
	if (ours < 0)
		return ipc_refuse(
			ipc, cred, EOPNOTSUPP, ipc_ref_path(ref).text,
			"your PID namespace is not to be seen from that of ipcfs, so it cannot tell whom you mean");
	ref->shown = pid;
	return ipc_ref_rebase(ref, ours);
}

static int sig_stat(struct ipc *ipc, const struct ipc_ref *ref, struct stat *st)
{
	struct ipc_process p;
	int r = ipc_process_read(sig_pid(ref->base), &p);

	(void)ipc;
	if (r < 0)
		return r;
	memset(st, 0, sizeof(*st));
	st->st_mode = S_IFREG | 0666;
	st->st_nlink = 1;
	st->st_ino = process_ino(&p);
	st->st_uid = p.uid;
	st->st_gid = p.gid;
	st->st_mtime = st->st_atime = st->st_ctime = process_began(&p);
	return 0;
}

/* Comes when there is no such process: `echo TERM >` opens with O_CREAT, and is told what kill(2) would tell it. */
static int sig_create(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, mode_t mode)
{
	pid_t pid = sig_pid(ref->base);
	pid_t shown = ref->shown ? ref->shown : pid;
	struct ipc_process p;
	int r;

	(void)mode;
	if (!shown)
		return ipc_refuse(
			ipc, cred, EINVAL, ipc_ref_path(ref).text,
			"the name is the number of one process; kill's 0, -1 and -PID for many do not exist here");
	r = ipc_process_read(pid, &p);
	if (r != -ENOENT)
		return r == 0 ? -EEXIST : r;
	if (ipc_process_read_thread(pid, &p) == 0)
		return ipc_refuse(ipc, cred, ESRCH, ipc_ref_path(ref).text, "%d is a thread of process %d", (int)shown,
				  (int)(ref->shown ? ipc_pid_seen_by(cred->pid, p.tgid) : p.tgid));
	return ipc_refuse(ipc, cred, ESRCH, ipc_ref_path(ref).text, "there is no process %d", (int)shown);
}

static int sig_unlink(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref)
{
	return ipc_refuse(ipc, cred, EPERM, ipc_ref_path(ref).text,
			  "a process is not ended by rm: write TERM or KILL to its file");
}

static int sig_chattr(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_handle *h, const struct stat *st,
		      unsigned set)
{
	(void)ipc;
	(void)ref;
	(void)h;
	return set == IPC_SET_SIZE && st->st_size == 0 ? 0 : -EPERM;
}

static int sig_open(struct ipc_handle *h, const struct ipc_ref *ref, int flags, ino_t ino)
{
	struct sig_handle *s = sig_handle(h);
	struct ipc_process p;
	int r;

	(void)flags;
	s->pid = sig_pid(ref->base);
	s->shown = ref->shown ? ref->shown : s->pid;
	s->abroad = ref->abroad;
	s->fd = pidfd_open(s->pid, 0);
	if (s->fd < 0 && (errno == ENOSYS || errno == EPERM))
		return ipc_refuse(
			h->ipc, &h->cred, EOPNOTSUPP, ipc_ref_path(ref).text,
			"a process is opened by pidfd_open(2), which this kernel (before 5.3) or a sandbox does "
			"not give");
	if (s->fd < 0)
		return ipc_is_shortage(-errno) ? -errno : -ESTALE;
	/* Looked at behind the pidfd: if it is the one that was named, so is the pidfd's. */
	r = ipc_process_read(s->pid, &p);
	if (r == -ENOENT || (r == 0 && process_ino(&p) != ino))
		r = -ESTALE;
	if (r < 0)
		close(s->fd);
	return r;
}

static void sig_close(struct ipc_handle *h)
{
	sig_send_forget(sig_handle(h));
	close(sig_handle(h)->fd);
	/* An entry for each process that there ever was would be no use to anybody. */
	if (h->chan && ipc_list_empty(&h->chan->handles))
		ipc_chan_forget(h->chan);
}

static int sig_watch_fd(struct ipc_handle *h)
{
	return (int)IPC_RETRY(fcntl(sig_handle(h)->fd, F_DUPFD_CLOEXEC, 0));
}

/* What goes with a queued signal; NULL for others. */
static const siginfo_t *send_info(const struct ipc_handle *h, pid_t writer, const struct sig_words *words,
				  siginfo_t *info)
{
	struct ipc_process p;

	if (!words->queued)
		return NULL;
	*info = (siginfo_t){.si_signo = words->signal, .si_code = SI_QUEUE};
	/* FUSE tells the thread. */
	info->si_pid = ipc_process_read_thread(writer, &p) == 0 ? p.tgid : writer;
	info->si_uid = h->cred.uid;
	info->si_value.sival_int = words->value;
	return info;
}

/* Whether the handle's helper was asked by this operation, for this line. */
static bool send_is_of(const struct sig_handle *s, const struct ipc_op *op, const struct sig_words *words)
{
	return s->asked.writer == op->cred.pid && s->asked.at == op->done && s->asked.words.signal == words->signal &&
	       s->asked.words.queued == words->queued && s->asked.words.value == words->value;
}

/* Why it was not sent, in words. Returns what the writer is told. */
static int send_explain(struct ipc_handle *h, int r)
{
	const struct sig_handle *s = sig_handle(h);

	if (r == -EPERM)
		ipc_refuse(h->ipc, &h->cred, EPERM, sig_path(h).text, "user %u may not send a signal to process %d",
			   (unsigned)h->cred.uid, (int)s->shown);
	if (r == -ENOSYS)
		r = ipc_refuse(h->ipc, &h->cred, EOPNOTSUPP, sig_path(h).text,
			       "pidfd_send_signal(2) is refused, by a sandbox or a kernel before 5.1");
	if (r == -ESRCH)
		ipc_refuse(h->ipc, &h->cred, ESRCH, sig_path(h).text, "process %d, which was opened, has ended",
			   (int)s->shown);
	/* EAGAIN would mean that waiting helps, and nothing would tell when. */
	if (r == -EAGAIN)
		r = ipc_refuse(h->ipc, &h->cred, ENOBUFS, sig_path(h).text,
			       "user %u has as many signals queued as RLIMIT_SIGPENDING allows", (unsigned)h->cred.uid);
	return r;
}

/*
 * The right to send is the opener's: else he could let a program of more rights write to the file for him.
 * -EINPROGRESS: a helper is at it, for acting as somebody else takes a child, which he may stop.
 */
static int sig_send(struct ipc_op *op, const struct sig_words *words)
{
	struct ipc_handle *h = op->handle;
	struct sig_handle *s = sig_handle(h);
	bool ours = op->waitq && send_is_of(s, op, words);
	siginfo_t info;
	int r;

	/* From outside, as we are, it could not ignore us as it may ignore those inside: pid_namespaces(7). */
	if (s->abroad && s->shown == 1)
		return ipc_refuse(h->ipc, &h->cred, EPERM, sig_path(h).text,
				  "the first process of a PID namespace takes no signals through ipcfs from within");
	if (s->sending)
		return -EINPROGRESS;
	/* What came for a writer who was interrupted is nobody's answer. */
	if (!s->answered || !ours) {
		s->answered = false;
		s->asked.writer = op->cred.pid;
		s->asked.at = op->done;
		s->asked.words = *words;
		r = sig_send_start(s, send_info(h, op->cred.pid, words, &info), words->signal);
		if (r < 0)
			return r;
	}
	s->answered = false;
	return send_explain(h, s->result);
}

static ssize_t sig_write(struct ipc_op *op)
{
	struct ipc_handle *h = op->handle;

	while (op->done < op->size) {
		const char *line = op->data + op->done;
		size_t left = op->size - op->done;
		const char *end = memchr(line, '\n', left);
		size_t n = end ? (size_t)(end - line) : left;
		struct sig_words words;
		char why[SIG_WHY_SIZE];
		int r = sig_words_parse(line, n, &words, why, sizeof(why));

		if (r == 0)
			r = sig_send(op, &words);
		else
			ipc_refuse(h->ipc, &h->cred, EINVAL, sig_path(h).text, "%s", why);
		/* It is under way: also who would not wait for a reader is told how that ended, as by kill(2). */
		if (r == -EINPROGRESS)
			return r;
		/* What came before is reported first; the next write begins with this line. */
		if (r < 0)
			return op->done ? (ssize_t)op->done : r;
		op->done += n + (end != NULL);
		h->chan->counts->in_messages++;
		h->chan->counts->in_bytes += n;
	}
	return (ssize_t)op->done;
}

/*
 * A writer whose own child the signal ends is interrupted by SIGCHLD before a helper has told him that it was sent, or
 * just then. Told EINTR, he would believe that it was not.
 */
static bool sig_withdraw(struct ipc_op *op)
{
	const struct sig_handle *s = sig_handle(op->handle);

	return op->type != IPC_WRITE || (!s->sending && !s->answered) || s->asked.writer != op->cred.pid ||
	       s->asked.at != op->done;
}

static bool sig_ended(struct ipc_handle *h)
{
	struct pollfd p = {.fd = sig_handle(h)->fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

static ssize_t sig_read(struct ipc_op *op)
{
	return sig_ended(op->handle) ? 0 : -EAGAIN;
}

static unsigned sig_poll(struct ipc_handle *h)
{
	return (h->writable ? POLLOUT | POLLWRNORM : 0u) | (h->readable && sig_ended(h) ? POLLIN | POLLRDNORM : 0u);
}

static int sig_ctl_show(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_chan *chan, FILE *out)
{
	pid_t pid = sig_pid(ref->base);
	struct ipc_process p;
	char command[128];
	int r;

	(void)chan;
	r = ipc_process_read(pid, &p);
	if (r < 0)
		return ipc_is_shortage(r) ? r : 0;
	ipc_command(pid, command, sizeof(command));
	pid = ipc_reader_pid(ipc, pid);
	fprintf(out, "pid=%d\ncommand=%s\nstate=%s\nuid=%u\n", (int)pid, command, p.state, (unsigned)p.uid);
	return 0;
}

static const struct ipc_kind_names sig_names = {
	.place = IPC_PLACE_PID,
	.translate = sig_translate,
	.stat = sig_stat,
	.busy = "of a process in an execve(2) that waits for its files to close the kernel tells nothing, and so many of "
		"its user or container hang there that ipcfs asks of none for now; end those, or try again",
	.create = sig_create,
	.unlink = sig_unlink,
	.chattr = sig_chattr,
	.fixed = "owner, mode and times are those of the process: nothing of it can be set",
	.each_name = sig_each_name,
	.lives = sig_lives,
	.find = sig_find,
	.found_free = sig_found_free,
};

static const struct ipc_kind_handles sig_handles = {
	.open = sig_open,
	.read = sig_read,
	.write = sig_write,
	.withdraw = sig_withdraw,
	.close = sig_close,
	.poll = sig_poll,
	.watch_fd = sig_watch_fd,
};

static const struct ipc_kind_ctl sig_ctl = {
	.show = sig_ctl_show,
};

static const struct ipc_kind_readme sig_readme = {
	.use = "sig    echo TERM > M/sig/PID      cat M/sig/PID       send a signal; wait for the process's end\n",
};

const struct ipc_kind ipc_sig = {
	.name = "sig",
	.pattern = "PID",
	.facets = IPC_F_TIMEOUT,
	.readme = &sig_readme,
	.handle_size = sizeof(struct sig_handle),
	.names = &sig_names,
	.handles = &sig_handles,
	.ctl = &sig_ctl,
};

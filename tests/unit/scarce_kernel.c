/* Memory or descriptors run out: the kinds whose names are the kernel's. */
#include "kinds/mq/mq.h"
#include "process.h"
#include "scarcity.h"

#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

TestSuite(scarce, .timeout = 60);

/*
 * --- mq -------------------------------------------------------------------------------------------------------------
 */

static void use_queue(void)
{
	struct file w, r;
	struct scarce_call waiting;

	scarce_create(&ipc_mq, "q@maxmsg=2,msgsize=16");
	r = scarce_open(&ipc_mq, "q@prio=3", O_RDWR);
	w = scarce_open(&ipc_mq, "q", O_WRONLY);
	call_start(&waiting, &r, IPC_READ, NULL, 64);
	cr_assert_eq(call_interrupt(&waiting), -EINTR);
	call_start(&waiting, &r, IPC_READ, NULL, 64);
	ctl_has(&ipc_mq, "q", "operation:read");
	put_all(&w, "one");
	cr_assert_eq(call_end(&waiting), 3);
	put_all(&w, "two");
	put_all(&w, "three");
	call_start(&waiting, &w, IPC_WRITE, "four", 4);
	cr_assert_not(waiting.u.done);
	await_events(&r, POLLIN);
	get(&r, "tw", 2);
	cr_assert_eq(call_end(&waiting), 4);
	get(&r, "o", 2);
	get(&r, "three", 64);
	get(&r, "four", 64);
	cr_assert_eq(try_get(&r), -EAGAIN);
	cr_assert(listed(&ipc_mq, "q"));
	scarce_close(&r);
	scarce_unlink(&ipc_mq, "q");
	put_all(&w, "into the void");
	scarce_close(&w);
	cr_assert_not(listed(&ipc_mq, "q"));
}

Test(scarce, mq)
{
	scarce_run(use_queue, NULL);
}

static void use_lines(void)
{
	struct file w, r, nul;
	struct scarce_call c;

	scarce_create(&ipc_mq, "q@maxmsg=4,msgsize=16,lines");
	w = scarce_open(&ipc_mq, "q@lines", O_WRONLY);
	put_all(&w, "one\ntw");
	put_all(&w, "o\nthr");
	put_all(&w, "ee\nfo");
	/* It goes to the queue though nobody flushes it. */
	scarce_close(&w);
	r = scarce_open(&ipc_mq, "q@lines,drain", O_RDONLY);
	get(&r, "one\n", 64);
	scarce_close(&r);
	r = scarce_open(&ipc_mq, "q@lines,meta,one", O_RDONLY);
	get(&r, "0\ttwo\n", 64);
	get(&r, "", 64);
	scarce_close(&r);
	r = scarce_open(&ipc_mq, "q@lines,batch,n=2", O_RDONLY);
	get(&r, "three\nfo\n", 64);
	get(&r, "", 64);
	scarce_close(&r);
	nul = scarce_open(&ipc_mq, "q@nul", O_RDWR);
	call_start(&c, &nul, IPC_WRITE, "a\0b", 4);
	cr_assert_eq(call_end(&c), 4);
	call_start(&c, &nul, IPC_READ, NULL, 64);
	cr_assert(call_end(&c) == 2 && memcmp(c.u.text, "a", 2) == 0);
	call_start(&c, &nul, IPC_READ, NULL, 64);
	cr_assert(call_end(&c) == 2 && memcmp(c.u.text, "b", 2) == 0);
	scarce_close(&nul);
	scarce_unlink(&ipc_mq, "q");
}

Test(scarce, mq_lines)
{
	scarce_run(use_lines, NULL);
}

/* The line of a handle that is closed while the queue is full goes when there is room. */
static void use_unfinished(void)
{
	struct file w, r;
	struct scarce_call c;

	scarce_create(&ipc_mq, "q@maxmsg=1,msgsize=16");
	w = scarce_open(&ipc_mq, "q@lines", O_WRONLY);
	r = scarce_open(&ipc_mq, "q@lines", O_RDONLY);
	put_all(&w, "full\nla");
	put_all(&w, "st");
	/* A close(2) that is interrupted, and so has been told if there was no descriptor to wait by. */
	call_start(&c, &w, IPC_FLUSH, NULL, 0);
	cr_assert_eq(call_interrupt(&c), -EINTR);
	scarce_close(&w);
	get(&r, "full\n", 64);
	get(&r, "last\n", 64);
	scarce_close(&r);
	scarce_unlink(&ipc_mq, "q");
}

Test(scarce, mq_unfinished_line)
{
	scarce_run(use_unfinished, NULL);
}

static void use_times(void)
{
	struct file f;
	struct scarce_call c;

	scarce_create(&ipc_mq, "q@maxmsg=1,msgsize=16");
	f = scarce_open(&ipc_mq, "q@timeout=1ms", O_RDWR);
	call_start(&c, &f, IPC_READ, NULL, 64);
	cr_assert_eq(call_end(&c), -ETIMEDOUT);
	put_all(&f, "x");
	cr_assert_eq(put(&f, "y"), -ETIMEDOUT);
	get(&f, "x", 64);
	scarce_close(&f);
	f = scarce_open(&ipc_mq, "q@idle=1ms", O_RDONLY);
	get(&f, "", 64);
	scarce_close(&f);
	scarce_unlink(&ipc_mq, "q");
}

Test(scarce, mq_times)
{
	scarce_run(use_times, NULL);
}

/* What is owed, given back, taken again, moved to the dead, and sent back for native receivers: nothing is lost. */
static void use_ack(void)
{
	struct file w, r;

	scarce_create(&ipc_mq, "q@maxmsg=4,msgsize=16");
	w = scarce_open(&ipc_mq, "q", O_WRONLY);
	put_all(&w, "one");
	put_all(&w, "two");
	put_all(&w, "three");
	r = scarce_open(&ipc_mq, "q@ack", O_RDONLY);
	get(&r, "one", 64);
	get(&r, "two", 64);
	scarce_close(&r);
	r = scarce_open(&ipc_mq, "q@lines,ack,meta", O_RDONLY);
	get(&r, "0\t2\ttwo\n", 64);
	ipc_handle_ends(r.h, getpid(), IPC_END_FAILURE);
	scarce_close(&r);
	r = scarce_open(&ipc_mq, "q@lines,ack,tries=2,meta", O_RDONLY);
	get(&r, "0\t1\tthree\n", 64);
	ipc_handle_ends(r.h, getpid(), IPC_END_SUCCESS);
	scarce_close(&r);
	while (!listed(&ipc_mq, "q.dead"))
		cr_assert_eq(ipc_loop_turn(loop, 1), 0);
	r = scarce_open(&ipc_mq, "q.dead", O_RDONLY);
	get(&r, "two", 64);
	cr_assert_eq(try_get(&r), -EAGAIN);
	scarce_close(&r);
	scarce_close(&w);
	scarce_unlink(&ipc_mq, "q.dead");
	scarce_unlink(&ipc_mq, "q");
}

Test(scarce, mq_ack)
{
	scarce_run(use_ack, NULL);
}

/* What a reader did not get comes back. */
static void use_undelivered(void)
{
	struct file r;
	struct scarce_call c;

	scarce_create(&ipc_mq, "q@maxmsg=4,msgsize=16");
	r = scarce_open(&ipc_mq, "q", O_RDWR);
	put_all(&r, "one");
	call_start(&c, &r, IPC_READ, NULL, 64);
	cr_assert_eq(call_end(&c), 3);
	r.at -= c.u.result;
	scarce_begin();
	ipc_undeliver(&c.u.op, c.u.result);
	scarce_end(0);
	get(&r, "one", 64);
	cr_assert_eq(try_get(&r), -EAGAIN);
	scarce_close(&r);
	scarce_unlink(&ipc_mq, "q");
}

Test(scarce, mq_undelivered)
{
	scarce_run(use_undelivered, NULL);
}

/* As where no mqueue file system can be had: the names are those that we have seen. */
static void use_queue_unlisted(void)
{
	struct mq_kind *kind = *ipc_kind_data(ipc, &ipc_mq);
	struct file f;

	if (kind->dir >= 0)
		close(kind->dir);
	kind->dir = -1;
	scarce_create(&ipc_mq, "q@maxmsg=2,msgsize=16");
	f = scarce_open(&ipc_mq, "q@maxmsg=2", O_RDWR);
	put_all(&f, "x");
	cr_assert(listed(&ipc_mq, "q"));
	get(&f, "x", 64);
	scarce_close(&f);
	cr_assert(listed(&ipc_mq, "q"));
	scarce_unlink(&ipc_mq, "q");
	cr_assert_not(listed(&ipc_mq, "q"));
}

Test(scarce, mq_without_a_directory)
{
	scarce_run(use_queue_unlisted, NULL);
}

/* Half of the sizes is the kernel's default, for which it has to be asked. */
static void use_defaults(void)
{
	struct file f;

	scarce_create(&ipc_mq, "q@maxmsg=1");
	f = scarce_open(&ipc_mq, "q", O_RDWR);
	put_all(&f, "x");
	get(&f, "x", 64);
	scarce_close(&f);
	scarce_unlink(&ipc_mq, "q");
}

Test(scarce, mq_defaults)
{
	scarce_run(use_defaults, NULL);
}

/*
 * --- shm ------------------------------------------------------------------------------------------------------------
 */

static void use_memory(void)
{
	struct ipc_ref ref, to;
	char path[128];
	struct file f;

	scarce_create(&ipc_shm, "s@size=8");
	f = scarce_open(&ipc_shm, "s", O_RDWR);
	put_all(&f, "contents");
	get(&f, "contents", 64);
	ctl_has(&ipc_shm, "s", "size=8\n");
	ctl_set(&ipc_shm, "s", "size=4\n");
	f.at = 0;
	get(&f, "cont", 64);
	ref = scarce_ref(&ipc_shm, "s");
	to = scarce_ref(&ipc_shm, "t");
	lean_ok(ipc_readlink(ipc, &me, &ref, path, sizeof(path)));
	cr_assert_eq(access(path, F_OK), 0);
	lean_ok(ipc_rename(ipc, &me, &ref, &to, 0));
	cr_assert(listed(&ipc_shm, "t"));
	scarce_close(&f);
	scarce_unlink(&ipc_shm, "t");
	cr_assert_not(listed(&ipc_shm, "t"));
}

Test(scarce, shm)
{
	scarce_run(use_memory, NULL);
}

/*
 * --- sem ------------------------------------------------------------------------------------------------------------
 */

static void use_semaphore(void)
{
	struct ipc_ref ref, to;
	struct file w, r, timed;
	struct scarce_call c;

	scarce_create(&ipc_sem, "s@value=1");
	w = scarce_open(&ipc_sem, "s", O_WRONLY);
	r = scarce_open(&ipc_sem, "s", O_RDONLY);
	get(&r, "0\n", 64);
	scarce_close(&r);
	r = scarce_open(&ipc_sem, "s", O_RDONLY);
	call_start(&c, &r, IPC_READ, NULL, 64);
	cr_assert_eq(call_interrupt(&c), -EINTR);
	call_start(&c, &r, IPC_READ, NULL, 64);
	put_all(&w, "2\n");
	cr_assert_gt(call_end(&c), 0);
	scarce_close(&r);
	timed = scarce_open(&ipc_sem, "s@timeout=1ms", O_RDONLY);
	await_events(&timed, POLLIN);
	get(&timed, "0\n", 64);
	scarce_close(&timed);
	timed = scarce_open(&ipc_sem, "s@timeout=1ms", O_RDONLY);
	call_start(&c, &timed, IPC_READ, NULL, 64);
	cr_assert_eq(call_end(&c), -ETIMEDOUT);
	scarce_close(&timed);
	ctl_has(&ipc_sem, "s", "value=0\n");
	ref = scarce_ref(&ipc_sem, "s");
	to = scarce_ref(&ipc_sem, "t");
	lean_ok(ipc_rename(ipc, &me, &ref, &to, 0));
	/* A count whose line is ended by close. */
	put_all(&w, "1");
	scarce_close(&w);
	ctl_has(&ipc_sem, "t", "value=1\n");
	cr_assert(listed(&ipc_sem, "t"));
	scarce_unlink(&ipc_sem, "t");
}

Test(scarce, sem)
{
	scarce_run(use_semaphore, NULL);
}

static void use_permit(void)
{
	struct opening waiting;
	struct file a, b;

	scarce_create(&ipc_sem, "s@value=1");
	a = scarce_open(&ipc_sem, "s@hold", O_RDONLY);
	ctl_has(&ipc_sem, "s", "holder=");
	opening_start(&waiting, &ipc_sem, "s@hold", O_RDONLY);
	cr_assert_not(waiting.call.u.done);
	scarce_close(&a);
	b = opening_end(&waiting);
	scarce_close(&b);
	ctl_has(&ipc_sem, "s", "value=1\n");
	scarce_unlink(&ipc_sem, "s");
}

Test(scarce, sem_hold)
{
	scarce_run(use_permit, NULL);
}

/*
 * --- sig ------------------------------------------------------------------------------------------------------------
 */

static void use_process(void)
{
	pid_t pid = u_process();
	struct file w, r;
	struct scarce_call c;
	char name[16];
	int status;

	snprintf(name, sizeof(name), "%d", (int)pid);
	cr_assert(listed(&ipc_sig, name));
	w = scarce_open(&ipc_sig, name, O_WRONLY);
	r = scarce_open(&ipc_sig, name, O_RDONLY);
	ctl_has(&ipc_sig, name, "pid=");
	cr_assert_eq(put(&w, "nonsense"), -EINVAL);
	put_all(&w, "0");
	call_start(&c, &r, IPC_READ, NULL, 64);
	ctl_has(&ipc_sig, name, "operation:read");
	put_all(&w, "KILL");
	cr_assert_eq(call_end(&c), 0);
	scarce_close(&w);
	scarce_close(&r);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
}

Test(scarce, sig)
{
	scarce_run(use_process, NULL);
}

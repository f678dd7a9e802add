/*
 * DESIGN.md, part 9: a container that means harm. Root in it, with every capability that its user namespace gives, a
 * FUSE of its own and whatever it likes to do to /proc; it gets nothing more than the channels, and delays nobody.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container.h"

TestSuite(hostile, .timeout = 60);

enum { USER = 54321, ATTACK = 30 /* seconds, which no test lasts */ };

/* What a child is to do, and where. */
struct attack {
	const char *device, *hung; /* the node of /dev/fuse, and the file that its file system lies on */
	const char *path, *name;   /* of a channel, or of the mount and a queue */
	int told;		   /* it writes a byte here once it is at it */
};

static bool file_put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	close(fd);
	return done;
}

/* Becomes root of namespaces that an ordinary user made. */
static bool hostile_enter(void)
{
	/* Its servers end with it. */
	if (setpgid(0, 0) < 0 || setgroups(0, NULL) < 0 || setresgid(USER, USER, USER) < 0 ||
	    setresuid(USER, USER, USER) < 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWNET) < 0)
		return false;
	/* By its identity its files in /proc became another's. */
	prctl(PR_SET_DUMPABLE, 1);
	return file_put("/proc/self/setgroups", "deny") && file_put("/proc/self/uid_map", t_format("0 %d 1", USER)) &&
	       file_put("/proc/self/gid_map", t_format("0 %d 1", USER)) &&
	       mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/* --- a file system that is one file, and answers nothing that could be waited for --- */

static void hung_answer(int fd, const struct fuse_in_header *in, const void *data, size_t size)
{
	struct {
		struct fuse_out_header header;
		char data[256];
	} out = {.header = {.len = (uint32_t)(sizeof(out.header) + size), .unique = in->unique}};

	memcpy(out.data, data, size);
	if (write(fd, &out, out.header.len) < 0)
		_exit(errno);
}

static void hung_serve(int fd)
{
	static char request[1 << 16];
	const struct fuse_in_header *in = (const void *)request;
	struct fuse_init_out init = {.major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096};
	struct fuse_attr_out attr = {.attr = {.ino = 1, .size = 4096, .mode = S_IFREG | 0666, .nlink = 1}};
	struct fuse_open_out open = {0};

	while (read(fd, request, sizeof(request)) > 0)
		if (in->opcode == FUSE_INIT)
			hung_answer(fd, in, &init, sizeof(init));
		else if (in->opcode == FUSE_GETATTR)
			hung_answer(fd, in, &attr, sizeof(attr));
		else if (in->opcode == FUSE_OPEN)
			hung_answer(fd, in, &open, sizeof(open));
	_exit(0);
}

static int hung_mount(const struct attack *a, const char *at, mode_t type)
{
	int fd = open(a->device, O_RDWR | O_CLOEXEC);

	if (fd < 0 ||
	    mount("hung", at, "fuse", 0, t_format("fd=%d,rootmode=%o,user_id=0,group_id=0", fd, (unsigned)type)) < 0)
		return -1;
	if (fork() == 0)
		hung_serve(fd);
	close(fd);
	return 0;
}

/* A descriptor of its file. */
static int hung_open(const struct attack *a)
{
	return hung_mount(a, a->hung, S_IFREG) < 0 ? -1 : open(a->hung, O_RDWR | O_CLOEXEC);
}

/* --- the tests' side --- */

static pid_t attack_start(int (*fn)(void *), struct attack *a)
{
	int told[2];
	struct pollfd p;

	cr_assert_eq(pipe2(told, O_CLOEXEC), 0);
	a->hung = t_format("%s/hung", t_scratch());
	t_write(a->hung, "");
	a->device = container_device();
	a->told = told[1];
	pid_t child = t_fork(fn, a);
	close(told[1]);
	p = (struct pollfd){.fd = told[0], .events = POLLIN};
	if (poll(&p, 1, T_PATIENCE) <= 0 || !(p.revents & POLLIN))
		t_fail("the attack did not begin: %d", t_wait_exit(child, T_PATIENCE, NULL));
	close(told[0]);
	return child;
}

static void attack_end(pid_t child)
{
	kill(-child, SIGKILL);
	t_wait_exit(child, T_PATIENCE, NULL);
}

static void attack_began(const struct attack *a)
{
	if (write(a->told, "", 1) != 1)
		_exit(errno);
}

/* What others do with a queue, all within the harness's patience. */
static void queue_is_alive(const char *name)
{
	t_bash(0,
	       t_format(
		       "set -e; q=$M/mq/%s; for i in 1 2; do\n"
		       "timeout 5 sh -c \"echo again > $q; cat $q@one; stat $q; cat $q@ctl; chmod 666 $q; touch $q\" >/dev/null\n"
		       "timeout 5 cat $M/status >/dev/null; timeout 5 ls $M/sig $M/mq >/dev/null; done\n"
		       "timeout 5 touch $q-other; timeout 5 rm $q $q-other",
		       name));
}

static int write_from_hung_memory(void *arg)
{
	const struct attack *a = arg;
	int fd, to;

	if (!hostile_enter() || (fd = hung_open(a)) < 0)
		return errno;
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	to = open(a->path, O_WRONLY | O_CLOEXEC);
	if (memory == MAP_FAILED || to < 0)
		return errno;
	attack_began(a);
	return write(to, memory, 16) < 0 ? errno : 0;
}

t_test_bare(hostile, memory_that_never_comes_holds_no_queue)
{
	char *q = t_name("q");
	struct attack a = {0};

	container_mount("-Urm", "");
	a.path = t_path(M, "mq/%s", q);
	t_bash(0, "touch $M/mq/${P}q; chmod 666 $M/mq/${P}q");
	pid_t child = attack_start(write_from_hung_memory, &a);
	t_wait_blocked(child);
	queue_is_alive(q);
	attack_end(child);
}

/* An execve(2) that closes a file which does not let itself be closed keeps its process's secrets locked. */
static int stay_in_exec(void *arg)
{
	const struct attack *a = arg;

	if (!hostile_enter() || hung_open(a) < 0 || open(a->path, O_RDONLY) < 0)
		return errno;
	attack_began(a);
	execl("/bin/true", "true", NULL);
	return errno;
}

t_test_bare(hostile, an_execve_that_does_not_end_holds_nobody)
{
	char *q = t_name("q");
	struct attack a = {0};

	container_mount("-Urm", "");
	a.path = t_path(M, "mq/%s", q);
	t_bash(0, "touch $M/mq/${P}q; chmod 666 $M/mq/${P}q");
	pid_t child = attack_start(stay_in_exec, &a);
	t_wait_blocked(child);
	/* What cannot be told is not waited for. */
	t_bash(0, t_format("timeout 5 cat $M/sig/%d@ctl; [ $? != 124 ]; timeout 5 cat $M/mq/${P}q@ctl $M/status@json",
			   child));
	queue_is_alive(q);
	attack_end(child);
}

/* Its files are used by a child meanwhile, so that whoever opened them cannot be looked at. */
static int leave_files_to_a_child(void *arg)
{
	static const char *const names[] = {"status",	 "status@json",	    "errors",	 "events",	    "mq/%s@ctl",
					    "mq/%s",	 "mq/%s@ack,lines", "mq/%s@tap", "sig/1@ctl",	    "sock/r",
					    "sock/i@io", "sem/%s@hold",	    "bcast/b",	 "mq/%s@meta,lines"};
	enum { COUNT = sizeof(names) / sizeof(names[0]) };
	const struct attack *a = arg;
	int fds[COUNT], told[2];
	char text[64];

	if (!hostile_enter() || hung_open(a) < 0 || pipe(told) < 0)
		return errno;
	for (unsigned i = 0; i < COUNT; i++) {
		fds[i] = open(t_format("%s/%s", a->path, t_format(names[i], a->name)), O_RDWR | O_NONBLOCK);
		if (fds[i] < 0)
			fds[i] = open(t_format("%s/%s", a->path, t_format(names[i], a->name)), O_RDONLY | O_NONBLOCK);
	}
	pid_t parent = getpid();
	if (fork() == 0) {
		t_wait_blocked(parent);
		for (unsigned i = 0; i < COUNT; i++) {
			struct pollfd p = {.fd = fds[i], .events = POLLIN | POLLOUT};

			poll(&p, 1, 0);
			if (write(fds[i], "x\n", 2) < 0 || read(fds[i], text, sizeof(text)) < 0)
				continue;
		}
		attack_began(a);
		pause();
	}
	execl("/bin/true", "true", NULL);
	return errno;
}

t_test_bare(hostile, files_whose_opener_is_in_execve_hold_nobody)
{
	char *q = t_name("q");
	struct attack a = {.name = q};

	container_mount("-Urm", "");
	a.path = M->dir;
	t_bash(0,
	       "touch $M/mq/${P}q $M/bcast/b $M/sem/${P}s $M/sock/r@connect=@x $M/sock/i; chmod 666 $M/mq/${P}q $M/bcast/b "
	       "$M/sock/* $M/sem/${P}s; echo 3 > $M/sem/${P}s; echo job > $M/mq/${P}q");
	pid_t child = attack_start(leave_files_to_a_child, &a);
	t_bash(0, "timeout 5 cat $M/README $M/status > /dev/null; timeout 5 cat $M/mq/${P}q@drain; true");
	queue_is_alive(q);
	attack_end(child);
}

/* So many, that no helper is left who could wait for another. */
enum { CROWD = 24 };

static int stay_in_many_execs(void *arg)
{
	const struct attack *a = arg;

	if (!hostile_enter() || hung_open(a) < 0)
		return errno;
	for (int i = 1; i < CROWD; i++)
		if (fork() == 0)
			break;
	attack_began(a);
	execl("/bin/true", "true", NULL);
	return errno;
}

t_test_bare(hostile, a_crowd_in_execve_takes_signals_from_nobody)
{
	struct attack a = {0};

	container_mount("-Urm", "");
	pid_t child = attack_start(stay_in_many_execs, &a);
	t_wait_blocked(child);
	t_bash(0,
	       t_format(
		       "for p in $(cat /proc/%d/task/*/children); do timeout 5 stat $M/sig/$p >/dev/null 2>&1; [ $? != 124 ] || exit; done",
		       child));
	t_check("sleep 60 & echo TERM > $M/sig/$!; wait $!; echo $?", "143\n");
	attack_end(child);
}

/* Helpers of the daemon would follow such paths, in his name; the kernel lets nobody from above into his file system.
 */
static int connect_into_nowhere(void *arg)
{
	const struct attack *a = arg;

	if (!hostile_enter() || hung_mount(a, a->name, S_IFDIR) < 0)
		return errno;
	/* More than there are helpers. */
	for (int i = 0; i < 3 * CROWD; i++)
		if (fork() == 0) {
			close(open(t_format("%s/sock/h%d@connect=%s/x", a->path, i, a->name), O_RDWR | O_CREAT, 0600));
			_exit(0);
		}
	attack_began(a);
	return pause();
}

t_test_bare(hostile, connections_into_its_own_file_system_hold_nobody)
{
	struct attack a = {.name = t_format("%s/dir", t_scratch())};

	container_mount("-Urm", "");
	t_need("socat");
	cr_assert_eq(mkdir(a.name, 0755), 0);
	a.path = M->dir;
	t_bash(0, "touch $M/mq/${P}q");
	pid_t child = attack_start(connect_into_nowhere, &a);
	/* What takes a helper: another user's new queue, and a server's socket. */
	t_check("setpriv --reuid=12345 --clear-groups timeout 5 touch $M/mq/${P}n; rm $M/mq/${P}n\n"
		"socat -u UNIX-LISTEN:$M/sock/srv - & until [ -S $M/sock/srv ]; do sleep .01; done\n"
		"timeout 5 bash -c 'echo hi > $M/sock/srv@io'; wait",
		"hi\n");
	queue_is_alive(t_name("q"));
	attack_end(child);
}

/* --- stopped and frozen --- */

/* Waits for messages, a permit and room, and follows what happens; one job it has, and does not do. */
#define BUSY_BOX                                                                                                       \
	"unshare -mipfn --mount-proc --kill-child bash -c '"                                                           \
	"cat $M/mq/${P}q & cat $M/bcast/b > /dev/null & cat $M/events > /dev/null & cat $M/sem/${P}s & "               \
	"echo three > $M/mq/${P}f & wait'"

static void busy_mount(void)
{
	container_mount("-mipfn --mount-proc --kill-child", "");
	t_bash(0, "touch $M/mq/${P}q $M/bcast/b $M/sem/${P}s $M/mq/${P}f@maxmsg=1; echo two > $M/mq/${P}f");
}

static void busy_await(void)
{
	t_await_waiters(M, t_format("mq/%s", t_name("q")), 1);
	t_await_waiters(M, t_format("sem/%s", t_name("s")), 1);
	t_await_waiters(M, t_format("mq/%s", t_name("f")), 1);
	t_await_waiters(M, "bcast/b", 1);
}

/* Everybody else goes on with those very channels. Returns what came of that, so that the box can be let go first. */
static char *busy_pass(void)
{
	char *out;
	int status = t_sh(
		M, "bash",
		"set -e; for i in {1..200}; do timeout 5 bash -c 'echo cast > $M/bcast/b'; done\n"
		"timeout 5 bash -c 'echo job > $M/mq/${P}q; cat $M/mq/${P}q@one; echo 1 > $M/sem/${P}s; cat $M/sem/${P}s; "
		"cat $M/mq/${P}f@one; echo four > $M/mq/${P}f; cat $M/status $M/mq/${P}q@ctl > /dev/null'\n"
		"timeout 5 rm $M/mq/${P}q $M/mq/${P}f $M/bcast/b",
		&out);

	return t_format("%s%d", out, status);
}

t_test_bare(hostile, a_stopped_container_delays_nobody)
{
	busy_mount();
	pid_t box = t_spawn(M, "bash", BUSY_BOX);
	busy_await();
	/* All that runs in its session. */
	cr_assert_eq(kill(-box, SIGSTOP), 0);
	char *passed = busy_pass();
	kill(-box, SIGKILL);
	t_wait_exit(box, T_PATIENCE, NULL);
	cr_expect_str_eq(passed, "job\n0\ntwo\n0");
}

t_test_bare(hostile, a_frozen_container_delays_nobody)
{
	char *group = t_format("/sys/fs/cgroup/freezer/%s", t_name("box"));
	const char *file = "freezer.state", *frozen = "FROZEN", *thawed = "THAWED";

	busy_mount();
	if (mkdir(group, 0755) < 0) {
		group = t_format("/sys/fs/cgroup/%s", t_name("box"));
		file = "cgroup.freeze", frozen = "1", thawed = "0";
		if (mkdir(group, 0755) < 0)
			cr_skip_test("no cgroup can be made here");
	}
	const char *state = t_format("%s/%s", group, file);
	pid_t box = t_spawn(M, "bash", t_format("echo $$ > %s/cgroup.procs; " BUSY_BOX, group));
	busy_await();
	bool done = file_put(state, frozen);
	char *passed = busy_pass();
	file_put(state, thawed);
	kill(-box, SIGKILL);
	t_wait_exit(box, T_PATIENCE, NULL);
	t_await(rmdir(group) == 0 || errno == ENOENT);
	if (!done)
		cr_skip_test("no cgroup can be frozen here");
	cr_expect_str_eq(passed, "job\n0\ntwo\n0");
}

/* --- what is left of it --- */

t_test_bare(hostile, no_namespace_of_an_ended_container_is_held)
{
	char *out;

	shm_mount();
	t_bash(0,
	       "for k in mq/${P}q bcast/b sock/s sem/${P}s shm/${P}x; do touch $M/$k; chmod 666 $M/$k; done; echo 3 > $M/sem/${P}s");
	t_write(t_format("%s/uses.sh", t_scratch()),
		"echo job > $M/mq/${P}q; exec 3<$M/mq/${P}q@ack,lines 4<$M/sem/${P}s@hold 5>$M/sig/$$ 6<$M/sig/1@ctl 7<>$M/shm/${P}x "
		"8<$M/events 9<$M/mq/${P}q@tap; read -r job <&3; cat $M/bcast/b & cat $M/sock/s & cat $M/mq/${P}q@fifo,lines & "
		"cat $M/status; ls $M/sig; cat <&6; echo TERM > $M/sig/4000000; touch $M/sock/r@connect=/run/x; cat $M/errors; "
		"echo ready >&2; wait\n");
	t_write(t_format("%s/again.sh", t_scratch()),
		t_format(
			"for kind in pid ipc; do echo 1 > /proc/sys/user/max_${kind}_namespaces || exit 77; done\n"
			"echo 2 > /proc/sys/user/max_mnt_namespaces || exit 77\n"
			"box='unshare -mipf --mount-proc --kill-child bash'; mkfifo $T/ready\n"
			"$box %s/uses.sh >/dev/null 2>$T/ready & { grep -qx ready; $box -c : && echo no limit; kill -9 $!; cat; } < $T/ready\n"
			"for i in {1..300}; do $box -c : && exit; sleep .05; done; echo held; exit 1",
			t_scratch()));
	int status =
		t_sh(M, "sh",
		     t_format("T=$(mktemp -d); export T; chmod 777 $T; setpriv --reuid=%d --regid=%d --clear-groups "
			      "unshare -Ur bash -c 'unshare -m bash %s/again.sh' 2>/dev/null; s=$?; rm -r $T; exit $s",
			      USER, USER, t_scratch()),
		     &out);
	if (status == 77)
		cr_skip_test("the number of namespaces cannot be bounded here");
	cr_expect_eq(status, 0);
	cr_expect_null(strstr(out, "no limit"), "%s", out);
	cr_expect_null(strstr(out, "held"), "%s", out);
}

/* --- what is said of processes --- */

t_test_bare(hostile, a_container_without_its_proc_is_told_the_same)
{
	char *out;

	shm_mount();
	container_mount("-mipf --mount-proc", "");
	t_bash(0, "echo job > $M/mq/${P}q");
	t_sh(M, "sh",
	     "exec unshare -mipf --mount-proc bash -c 'mount -t tmpfs tmpfs /proc; mkdir -p /proc/1/ns /proc/self; "
	     "cat $M/mq/${P}q@one; sleep 60 & echo TERM > $M/sig/$!; wait $!; echo $?; grep -c . $M/sig/1@ctl; echo KILL > $M/sig/1; "
	     "echo x > $M/shm/${P}x; ls -A /dev/shm; ls $M/sig | head -n1'",
	     &out);
	cr_expect(strncmp(out, "job\n143\n", 8) == 0, "%s", out);
	cr_expect(strstr(out, "Operation not permitted"), "%s", out);
	cr_expect(strstr(out, "\n1\n"), "%s", out);
}

/* Opened in one PID namespace, written to from another that was made meanwhile. */
static int signal_from_below(void *arg)
{
	const struct attack *a = arg;
	int fd = open(t_format("%s/%d", a->path, (int)getpid()), O_WRONLY | O_CLOEXEC), there;
	pid_t outside = getppid();

	signal(SIGUSR1, SIG_IGN);
	if (fd < 0 || !hostile_enter() || unshare(CLONE_NEWPID) < 0)
		return __LINE__;
	pid_t child = fork();
	if (child == 0) {
		/* The open file is the process that it was; names are those of the new namespace. */
		if (write(fd, "USR1", 4) != 4 && errno != EPERM)
			_exit(__LINE__);
		there = open(t_format("%s/%d", a->path, (int)outside), O_WRONLY | O_CLOEXEC);
		if (there >= 0 || errno != ENOENT)
			_exit(__LINE__);
		there = open(t_format("%s/1", a->path), O_WRONLY | O_CLOEXEC);
		_exit(there < 0 ? 0 : write(there, "KILL", 4) < 0 && errno == EPERM ? 0 : __LINE__);
	}
	return t_wait_exit(child, T_PATIENCE, NULL);
}

t_test_bare(hostile, a_name_means_what_it_meant_where_it_was_opened)
{
	struct attack a = {0};

	container_mount("-Urmp", "");
	a.path = t_path(M, "sig");
	cr_expect_eq(t_wait_exit(t_fork(signal_from_below, &a), T_PATIENCE, NULL), 0, "the status is the line");
}

/* A user namespace alone: it sees the daemon, and has every capability, which count for nothing outside. */
t_test_bare(hostile, the_daemon_is_neither_stopped_nor_traced)
{
	char *out;

	container_mount("-Ur", "");
	t_bash(0, "echo 5 > $M/sem/${P}s; chmod 666 $M/sem/${P}s; touch $M/mq/${P}q");
	t_write(t_format("%s/attack.sh", t_scratch()),
		t_format(
			"cd /; for how in STOP KILL 0; do kill -$how %d && echo reached; echo $how > $M/sig/%d && echo reached; done\n"
			"cat /proc/%d/environ /proc/%d/maps && echo reached; : 3</proc/%d/mem && echo reached\n"
			"nsenter -t %d -m true && echo reached; nsenter -t %d -U true && echo reached\n"
			/* What acts in his name for a moment is his, and is waited for no longer than that. */
			"(while :; do for p in $(pgrep -x ipcfs); do kill -STOP $p; done; done) 2>/dev/null & stopper=$!\n"
			"for i in {1..20}; do touch $M/mq/${P}x; rm $M/mq/${P}x; echo 0 > $M/sig/$$; done; kill $stopper; echo tried",
			M->daemon, M->daemon, M->daemon, M->daemon, M->daemon, M->daemon, M->daemon));
	pid_t box = t_spawn(
		M, "bash",
		t_format("exec setpriv --reuid=%d --regid=%d --clear-groups unshare -Ur bash %s/attack.sh 2>/dev/null",
			 USER, USER, t_scratch()));
	for (int i = 0; i < 5; i++)
		t_bash(0, "timeout 5 bash -c 'echo job > $M/mq/${P}q; cat $M/mq/${P}q@one $M/status > /dev/null'");
	cr_expect_eq(t_wait_exit(box, 2 * T_PATIENCE, &out), 0, "%s", out);
	cr_expect_str_eq(out, "tried\n");
	t_bash(0, "timeout 5 cat $M/README > /dev/null");
}

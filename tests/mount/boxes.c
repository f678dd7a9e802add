/*
 * DESIGN.md, part 9: containers beside each other and beside programs of the host that use native calls, and how
 * callers inside end. What the kernel forbids here is skipped.
 */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "container.h"

TestSuite(boxes, .timeout = 60);

/* Everything that a container has of its own, but for the users. */
#define FLAGS "-mipfn --mount-proc --kill-child"

/* A container that goes on by itself; ended by SIGKILL to it, with all that is in it. */
static pid_t box_start(const char *name, const char *script)
{
	char *path = t_format("%s/%s.sh", t_scratch(), name);

	t_write(path, script);
	return t_spawn(
		M, "sh",
		t_format("exec unshare " FLAGS " sh -c 'mount -t tmpfs tmpfs /dev/shm; exec bash %s' 2>&1", path));
}

/* The mount, with two pipes for what scripts have to tell each other. */
static void box_mount(void)
{
	container_mount(FLAGS, "");
	t_bash(0, "mkfifo $M/pipe/a $M/pipe/b");
}

static void box_kill(pid_t box)
{
	kill(box, SIGKILL);
	t_wait_exit(box, T_PATIENCE, NULL);
}

/* --- several at once --- */

t_test_bare(boxes, two_containers_and_the_host_meet_in_every_kind)
{
	char *out;

	shm_mount();
	t_bash(0, "touch $M/mq/${P}q $M/sock/s $M/bcast/b $M/sem/${P}l; mkfifo $M/pipe/p");
	pid_t one = box_start("one",
			      "cat $M/pipe/p $M/sock/s $M/mq/${P}q@one $M/sem/${P}l $M/bcast/b@last=1,n=1\n"
			      "cat $M/mq/${P}q@lines,one; cat $M/shm/${P}x; echo more >> $M/shm/${P}x; ls -A /dev/shm\n"
			      "echo done > $M/mq/${P}q@lines");
	pid_t two = box_start(
		"two",
		"echo pipe > $M/pipe/p; echo sock > $M/sock/s; echo mq > $M/mq/${P}q; echo 7 > $M/sem/${P}l\n"
		"echo bcast > $M/bcast/b; echo shm > $M/shm/${P}x; ls -A /dev/shm; echo look > $M/mq/${P}q@lines");
	cr_expect_eq(t_wait_exit(two, T_PATIENCE, &out), 0, "%s", out);
	cr_expect_str_eq(out, "");
	cr_expect_eq(t_wait_exit(one, T_PATIENCE, &out), 0, "%s", out);
	cr_expect_str_eq(out, "pipe\nsock\nmq\n6\nbcast\nlook\nshm\n");
	t_check("cat $M/mq/${P}q@lines,one $M/bcast/b@last=1,drain; cat $M/sem/${P}l /dev/shm/${P}x",
		"done\nbcast\n5\nshm\nmore\n");
}

t_test_bare(boxes, two_containers_share_memory_that_both_have_mapped)
{
	static const char map[] = "exec python3 -c 'import mmap, os, sys, time\n"
				  "fd = os.open(sys.argv[1], os.O_RDWR); m = mmap.mmap(fd, 4096)\n"
				  "mine, theirs = int(sys.argv[2]), 1 - int(sys.argv[2])\n"
				  "m[mine] = 1\n"
				  "while m[theirs] != 1: time.sleep(.01)\n"
				  "' $M/shm/${P}x %d";
	char *x = t_format("/dev/shm/%s", t_name("x"));

	t_need("python3");
	shm_mount();
	t_write(x, "");
	cr_assert_eq(truncate(x, 4096), 0);
	pid_t one = box_start("one", t_format(map, 0)), two = box_start("two", t_format(map, 1));
	cr_expect_eq(t_wait_exit(one, T_PATIENCE, NULL), 0);
	cr_expect_eq(t_wait_exit(two, T_PATIENCE, NULL), 0);
	cr_expect_eq(memcmp(t_read(x), "\1\1", 2), 0);
}

t_test_bare(boxes, a_server_in_one_container_has_clients_in_another)
{
	char *out;

	t_need("socat");
	container_mount(FLAGS, "");
	pid_t one = box_start("one", "exec socat UNIX-LISTEN:$M/sock/srv,fork EXEC:cat");
	pid_t two = box_start(
		"two", "until [ -S $M/sock/srv ]; do sleep .01; done\n"
		       "for at in srv srv@addr; do\n"
		       "  until echo $at | socat -t5 - UNIX-CONNECT:$M/sock/$at 2>/dev/null; do sleep .01; done\n"
		       "done");
	cr_expect_eq(t_wait_exit(two, T_PATIENCE, &out), 0, "%s", out);
	cr_expect_str_eq(out, "srv\nsrv@addr\n");
	box_kill(one);
}

t_test_bare(boxes, an_address_in_one_container_has_clients_in_another)
{
	char *out;

	t_need("socat");
	container_mount(FLAGS, "");
	t_bash(0, "touch $M/sock/s");
	pid_t one = box_start("one", "cat $M/sock/s");
	pid_t two = box_start("two", "echo called | socat -u - UNIX-CONNECT:$M/sock/s@addr");
	cr_expect_eq(t_wait_exit(two, T_PATIENCE, &out), 0, "%s", out);
	cr_expect_eq(t_wait_exit(one, T_PATIENCE, &out), 0, "%s", out);
	cr_expect_str_eq(out, "called\n");
}

/* --- native calls --- */

/* From here on in a container, whose /dev/shm, queues and abstract sockets are others. */
static int box_enter(void)
{
	if (unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWNET) < 0 ||
	    mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mount("tmpfs", "/dev/shm", "tmpfs", 0, NULL) < 0)
		return -1;
	return 0;
}

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	return a;
}

/* Its end of each channel by files and by what needs no object of its own; 0, or the line where it went wrong. */
static int native_inside(void *arg)
{
	const char *const *name = arg, *dir = M->dir;
	struct sockaddr_un a = address_of(t_format("%s/sock/srv", dir));
	char text[64];
	int fd;

	if (box_enter() < 0)
		return __LINE__;
	/* The host's queue: a message there, and one back. */
	if (strcmp(t_read(t_format("%s/mq/%s@one", dir, name[0])), "native") != 0)
		return __LINE__;
	t_write(t_format("%s/mq/%s", dir, name[0]), "from the box");
	/* The host's semaphore. */
	t_write(t_format("%s/sem/%s", dir, name[1]), "1\n");
	/* The host's memory. */
	fd = open(t_format("%s/shm/%s", dir, name[2]), O_RDWR | O_CLOEXEC);
	char *at = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED || strcmp(at, "native") != 0)
		return __LINE__;
	strcpy(at, "mapped in the box");
	/* The host's server, by its path, and our own for the host. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || write(fd, "called", 6) != 6)
		return __LINE__;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	a = address_of(t_format("%s/sock/boxed", dir));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 1) < 0)
		return __LINE__;
	fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text)) != 4 || memcmp(text, "back", 4) != 0)
		return __LINE__;
	/* What file users made: a datagram to its address. */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	a = address_of(t_format("%s/sock/d@addr", dir));
	return sendto(fd, "datagram", 8, 0, (struct sockaddr *)&a, sizeof(a)) == 8 ? 0 : __LINE__;
}

static mqd_t native_queue(void)
{
	struct mq_attr attr = {.mq_maxmsg = 1, .mq_msgsize = 64};
	mqd_t q = mq_open(t_format("/%s", t_name("q")), O_RDWR | O_CREAT | O_EXCL, 0600, &attr);

	cr_assert(q != (mqd_t)-1 && mq_send(q, "native", 6, 0) == 0);
	return q;
}

static char *native_memory(void)
{
	int fd = shm_open(t_format("/%s", t_name("x")), O_RDWR | O_CREAT | O_EXCL, 0600);

	cr_assert(fd >= 0 && ftruncate(fd, 4096) == 0);
	char *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	cr_assert(at != MAP_FAILED);
	close(fd);
	return strcpy(at, "native");
}

t_test_bare(boxes, native_calls_meet_both_ways)
{
	char text[64];
	struct sockaddr_un a;
	int fd;

	shm_mount();
	mqd_t q = native_queue();
	sem_t *s = sem_open(t_format("/%s", t_name("s")), O_CREAT | O_EXCL, 0600, 0);
	char *shared = native_memory();
	int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	a = address_of(t_path(M, "sock/srv"));
	cr_assert(s != SEM_FAILED && bind(server, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(server, 1) == 0);
	t_bash(0, "touch $M/sock/d@dgram");

	const char *names[] = {t_name("q"), t_name("s"), t_name("x")};
	pid_t box = t_fork(native_inside, names);
	struct pollfd called = {.fd = server, .events = POLLIN};
	if (poll(&called, 1, T_PATIENCE / 2) <= 0)
		t_fail("no call from the box, which is at line %d", t_wait_exit(box, T_PATIENCE / 2, NULL));
	fd = accept4(server, NULL, NULL, SOCK_CLOEXEC);
	cr_assert_eq(read(fd, text, sizeof(text)), 6);
	a = address_of(t_path(M, "sock/boxed"));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	t_await(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
	cr_assert_eq(write(fd, "back", 4), 4);
	cr_assert_eq(t_wait_exit(box, T_PATIENCE, NULL), 0, "the status is the line");
	cr_expect_eq(mq_receive(q, text, sizeof(text), NULL), 12);
	cr_expect_eq(sem_trywait(s), 0);
	cr_expect_str_eq(shared, "mapped in the box");
	t_check("head -c8 $M/sock/d", "datagram");
}

/* --- memory --- */

static int run_what_is_mapped(void *arg)
{
	static const unsigned char answer[] = {
#ifdef __x86_64__
		0xb8, 42, 0, 0, 0, 0xc3 /* mov $42, %eax; ret */
#elif defined(__aarch64__)
		0x40, 0x05, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6 /* mov w0, #42; ret */
#else
		0
#endif
	};
	int (*code)(void);
	void *at;
	int fd;

	if (box_enter() < 0)
		return 1;
	fd = open(arg, O_RDWR | O_CREAT | O_CLOEXEC, 0700);
	if (fd < 0 || write(fd, answer, sizeof(answer)) != sizeof(answer))
		return 2;
	at = mmap(NULL, sizeof(answer), PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return 3;
	memcpy(&code, &at, sizeof(code));
	return code();
}

t_test_bare(boxes, what_is_mapped_can_be_executed)
{
#if !defined(__x86_64__) && !defined(__aarch64__)
	cr_skip_test("no machine code for this processor");
#endif
	shm_mount();
	cr_expect_eq(t_wait_exit(t_fork(run_what_is_mapped, t_path(M, "shm/%s", t_name("x"))), T_PATIENCE, NULL), 42);
}

t_test_bare(boxes, a_program_in_shared_memory_can_be_executed)
{
	char *x = t_name("x");

	shm_mount();
	t_bash(0, "cat /bin/echo > $M/shm/${P}x; chmod 700 $M/shm/${P}x");
	check_inside("-m", t_format("$M/shm/%s ran", x), "ran\n");
}

t_test_bare(boxes, what_is_appended_by_many_is_whole)
{
	char *x = t_name("x");

	shm_mount();
	check_inside("-m",
		     t_format("for i in 1 2 3 4; do (for j in {1..50}; do echo line >> $M/shm/%s; done) & done; wait\n"
			      "sort $M/shm/%s | uniq -c | tr -s ' '",
			      x, x),
		     " 200 line\n");
}

t_test_bare(boxes, memory_that_the_host_truncates_has_that_size_inside)
{
	char *x = t_name("x"), *out;

	shm_mount();
	t_bash(0, "mkfifo $M/pipe/a $M/pipe/b");
	t_write(t_format("/dev/shm/%s", x), "long text\n");
	pid_t box = box_start(
		"box", t_format("exec 3<$M/shm/%s; stat -L -c %%s $M/shm/%s; echo > $M/pipe/a; read < $M/pipe/b\n"
				"stat -L -c %%s $M/shm/%s; cat <&3",
				x, x, x));
	t_bash(0, "read < $M/pipe/a; truncate -s 4 /dev/shm/${P}x; echo > $M/pipe/b");
	cr_expect_eq(t_wait_exit(box, T_PATIENCE, &out), 0, "%s", out);
	cr_expect_str_eq(out, "10\n4\nlong");
}

/* --- how callers inside end --- */

t_test_bare(boxes, a_writer_whose_peer_has_gone_gets_sigpipe)
{
	char *out;

	container_mount(FLAGS, "");
	t_bash(0, "touch $M/sock/s");
	pid_t box = box_start("box", "(exec yes > $M/sock/s); echo $?");
	t_bash(0, "head -n1 $M/sock/s");
	cr_expect_eq(t_wait_exit(box, T_PATIENCE, &out), 0, "%s", out);
	cr_expect_str_eq(out, "141\n");
}

t_test_bare(boxes, jobs_are_settled_by_how_their_worker_inside_ends)
{
	char *out;

	container_mount(FLAGS, "");
	t_bash(0, "for i in 1 2 3; do echo $i; done > $M/mq/${P}q@lines");
	pid_t box = box_start("box", "cat < $M/mq/${P}q@one,lines,ack\n"
				     "bash -c 'read -r job; echo $job; exec false' < $M/mq/${P}q@one,lines,ack\n"
				     "bash -c 'read -r job; echo $job; kill -9 $$' < $M/mq/${P}q@one,lines,ack\n"
				     "cat $M/mq/${P}q@drain,lines,meta,ack");
	t_wait_exit(box, T_PATIENCE, &out);
	cr_expect(strncmp(out, "1\n2\n2\n", 6) == 0, "%s", out);
	cr_expect(strstr(out, "0\t3\t2\n0\t1\t3\n"), "%s", out);
}

t_test_bare(boxes, jobs_come_back_when_their_container_is_killed)
{
	box_mount();
	t_bash(0, "echo job > $M/mq/${P}q@lines");
	pid_t box = box_start("box", "exec 3<$M/mq/${P}q@lines,ack; read -r job <&3; echo $job > $M/pipe/a; sleep 60");
	t_check("cat $M/pipe/a; grep -c owed.by $M/mq/${P}q@ctl || true", "job\n1\n");
	box_kill(box);
	t_check("cat $M/mq/${P}q@lines,one,timeout=10s", "job\n");
}

t_test_bare(boxes, an_unfinished_line_is_sent_at_close_also_from_inside)
{
	char *q = t_name("q");

	container_mount(FLAGS, "");
	check_inside(FLAGS, t_format("printf 'whole\\nunfinished' > $M/mq/%s@lines", q), "");
	t_check("cat $M/mq/${P}q@lines,drain", "whole\nunfinished\n");
}

t_test_bare(boxes, an_unfinished_line_ends_with_its_killed_container_as_on_the_host)
{
	static const char writer[] =
		"exec 3>$M/mq/${P}%s@lines; printf 'whole\\nunfinished' >&3; echo > $M/pipe/a; exec sleep 60";
	char *hosts;

	box_mount();
	pid_t host = t_spawn(M, "bash", t_format(writer, "h"));
	t_bash(0, "read < $M/pipe/a");
	box_kill(host);
	hosts = t_bash(0, "cat $M/mq/${P}h@lines,idle=1s");
	pid_t box = box_start("box", t_format(writer, "q"));
	t_bash(0, "read < $M/pipe/a");
	box_kill(box);
	t_check("cat $M/mq/${P}q@lines,idle=1s", hosts);
	t_check("rm $M/mq/${P}h", "");
}

t_test_bare(boxes, sem_waits_and_holds_end_with_their_container)
{
	container_mount(FLAGS, "");
	t_bash(0, "echo > $M/sem/${P}s");
	pid_t box = box_start("box", "exec 3<$M/sem/${P}s@hold; (exec cat $M/sem/${P}s@hold) & sleep 60");
	t_await(strstr(t_read(t_path(M, "sem/%s@ctl", t_name("s"))), "holder="));
	t_await(strstr(t_read(t_path(M, "sem/%s@ctl", t_name("s"))), "waiter="));
	box_kill(box);
	t_check("read -r left < $M/sem/${P}s@timeout=10s; echo $left; grep -c -e waiter= -e holder= $M/sem/${P}s@ctl || true",
		"0\n0\n");
}

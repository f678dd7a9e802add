/*
 * DESIGN.md, part 4: what the design knows of FUSE, and that it still holds. Fact 3: mount/contention.c; 6:
 * mount/interrupt.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "queue.h"

TestSuite(facts, .timeout = 60);

/* As what the mount shows a name, without following it. */
static mode_t type_of(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		t_fail("%s: lstat: %s", path, strerror(errno));
	return st.st_mode & S_IFMT;
}

/* --- 1: ESTALE turns a create into a native open --- */

t_test(facts, create_opens_a_true_fifo)
{
	char *path = t_path(M, "pipe/%s", t_name("p"));
	int fd = t_open(path, O_RDWR | O_CREAT);
	struct stat st;

	cr_assert_eq(fstat(fd, &st), 0);
	cr_assert(S_ISFIFO(st.st_mode));
	cr_assert_gt(fcntl(fd, F_GETPIPE_SZ), 0, "the kernel's own pipe code has opened it");
}

t_test(facts, fifo_carries_data_while_the_daemon_is_stopped)
{
	char *path = t_path(M, "pipe/%s", t_name("p")), got[6] = "";
	int fd = t_open(path, O_RDWR | O_CREAT);

	kill(M->daemon, SIGSTOP);
	cr_expect_eq(write(fd, "hello", 5), 5);
	cr_expect_eq(read(fd, got, 5), 5);
	kill(M->daemon, SIGCONT);
	cr_assert_str_eq(got, "hello");
}

t_test(facts, fifo_goes_on_when_the_daemon_has_died)
{
	char *path = t_path(M, "pipe/%s", t_name("p")), got[6] = "";
	int fd = t_open(path, O_RDWR | O_CREAT);

	t_mount_crash(M);
	cr_assert_eq(write(fd, "hello", 5), 5);
	cr_assert_eq(read(fd, got, 5), 5);
	cr_assert_str_eq(got, "hello");
}

t_test(facts, create_opens_the_object_in_dev_shm)
{
	char *name = t_name("s");
	int fd = t_open(t_path(M, "shm/%s", name), O_RDWR | O_CREAT);
	struct stat ours, native;

	cr_assert_eq(fstat(fd, &ours), 0);
	cr_assert_eq(stat(t_format("/dev/shm/%s", name), &native), 0);
	cr_assert_eq(ours.st_ino, native.st_ino);
	cr_assert_eq(ours.st_dev, native.st_dev);
}

t_test(facts, exclusive_create_gets_the_handle_and_the_next_eexist)
{
	const char *kinds[] = {"pipe", "shm", "mq", "sock"};

	for (int i = 0; i < 4; i++) {
		char *path = t_path(M, "%s/%s%s", kinds[i], t_name("x"), i == 2 ? "@msgsize=64" : "");
		int flags = i == 3 ? O_RDONLY : O_RDWR;
		int fd = t_open(path, flags | O_CREAT | O_EXCL);

		cr_expect_eq(open(path, flags | O_CREAT | O_EXCL | O_NONBLOCK, 0600), -1);
		cr_expect_eq(errno, EEXIST, "%s: %s", kinds[i], strerror(errno));
		close(fd);
	}
}

/* --- 2: bind and mkfifo arrive as MKNOD --- */

t_test(facts, bind_makes_a_socket_that_the_kernel_connects)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	char *path = t_path(M, "sock/%s", t_name("srv")), got[3] = "";
	int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	cr_assert_eq(bind(server, (struct sockaddr *)&sa, sizeof(sa)), 0, "%s", strerror(errno));
	cr_assert_eq(type_of(path), S_IFSOCK);
	cr_assert_eq(listen(server, 1), 0);
	cr_assert_eq(connect(client, (struct sockaddr *)&sa, sizeof(sa)), 0, "%s", strerror(errno));
	t_mount_crash(M);
	cr_assert_eq(write(client, "hi", 2), 2);
	cr_assert_eq(read(accept(server, NULL, NULL), got, 2), 2);
	cr_assert_str_eq(got, "hi");
}

t_test(facts, bind_to_a_name_in_use_is_eaddrinuse)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", t_path(M, "sock/%s", t_name("srv")));
	cr_assert_eq(bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&sa, sizeof(sa)), 0);
	cr_assert_eq(bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&sa, sizeof(sa)), -1);
	cr_assert_eq(errno, EADDRINUSE);
}

t_test(facts, mkfifo_makes_a_fifo)
{
	char *path = t_path(M, "pipe/%s", t_name("q"));

	cr_assert_eq(mkfifo(path, 0640), 0);
	cr_assert_eq(type_of(path), S_IFIFO);
	cr_assert_eq(mkfifo(path, 0640), -1);
	cr_assert_eq(errno, EEXIST);
}

/* --- 5: one-way handles seek, as far as tools need it --- */

t_test(facts, earlier_offset_serves_the_last_message_again)
{
	struct queue q = queue_make("q", 4, 64);
	char got[8] = "";
	int fd = t_open(t_path(M, "mq/%s", q.name), O_RDONLY);

	queue_send(&q, "first", 0);
	queue_send(&q, "second", 0);
	cr_assert_eq(read(fd, got, sizeof(got)), 5);
	cr_assert_eq(lseek(fd, -3, SEEK_CUR), 2);
	cr_assert_eq(read(fd, got, sizeof(got)), 3);
	cr_assert_eq(memcmp(got, "rst", 3), 0);
	cr_assert_eq(queue_depth(&q), 1);
	cr_assert_eq(read(fd, got, sizeof(got)), 6);
	cr_assert_eq(memcmp(got, "second", 6), 0);
}

t_test(facts, offset_before_the_last_message_is_einval)
{
	struct queue q = queue_make("q", 4, 64);
	char got[8];
	int fd = t_open(t_path(M, "mq/%s", q.name), O_RDONLY);

	queue_send(&q, "first", 0);
	queue_send(&q, "second", 0);
	cr_assert_eq(read(fd, got, sizeof(got)), 5);
	cr_assert_eq(read(fd, got, sizeof(got)), 6);
	cr_assert_eq(pread(fd, got, sizeof(got), 0), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert(strstr(t_read(t_path(M, "errors")), "cannot go back"));
}

t_test(facts, long_message_comes_in_pieces)
{
	struct queue q = queue_make("q", 4, 64);
	char got[8] = "";
	int fd = t_open(t_path(M, "mq/%s", q.name), O_RDONLY);

	queue_send(&q, "0123456789", 0);
	cr_assert_eq(read(fd, got, 4), 4);
	cr_assert_eq(queue_depth(&q), 0);
	cr_assert_eq(read(fd, got, 4), 4);
	cr_assert_eq(memcmp(got, "4567", 4), 0);
	cr_assert_eq(read(fd, got, 4), 2);
	cr_assert_eq(memcmp(got, "89", 2), 0);
}

/* --- 4: duplex handles read and write at the same time --- */

static int read_hello(void *fd)
{
	char got[8] = "";

	return read(*(int *)fd, got, 7) == 5 && strcmp(got, "hello") == 0 ? 0 : 1;
}

t_test(facts, duplex_write_passes_a_blocked_read_of_the_same_descriptor)
{
	struct queue q = queue_make("q", 4, 64);
	int fd = t_open(t_path(M, "mq/%s", q.name), O_RDWR);
	pid_t reader = t_fork(read_hello, &fd);

	queue_await_waiters(M, &q, 1);
	cr_assert_eq(write(fd, "hello", 5), 5);
	cr_assert_eq(t_wait_exit(reader, T_PATIENCE, NULL), 0);
}

t_test(facts, duplex_handle_cannot_seek)
{
	struct queue q = queue_make("q", 4, 64);
	int fd = t_open(t_path(M, "mq/%s", q.name), O_RDWR);

	cr_assert_eq(lseek(fd, 0, SEEK_CUR), -1);
	cr_assert_eq(errno, ESPIPE);
}

/* --- 7: close() is FLUSH, and can report --- */

t_test(facts, close_reports_that_the_last_line_found_no_room)
{
	struct queue q = queue_make("q", 1, 64);
	int fd = t_open(t_path(M, "mq/%s@lines,timeout=50ms", q.name), O_WRONLY);

	queue_fill(&q);
	cr_assert_eq(write(fd, "tail", 4), 4);
	cr_assert_eq(close(fd), -1);
	cr_assert_eq(errno, ETIMEDOUT, "%s", strerror(errno));
}

t_test(facts, close_of_a_duplicate_keeps_the_file_open)
{
	struct queue q = queue_make("q", 4, 64);
	int fd = t_open(t_path(M, "mq/%s@lines", q.name), O_WRONLY);

	close(dup(fd));
	cr_assert_eq(write(fd, "a\n", 2), 2);
	cr_assert_eq(close(fd), 0);
	cr_assert_str_eq(queue_take(&q, NULL), "a");
}

/* --- 8: no message larger than what arrives in one piece --- */

enum { MESSAGE_MAX = (1 << 20) - 4096 };

/* Only CAP_SYS_RESOURCE goes beyond msgsize_max and RLIMIT_MSGQUEUE. */
static void need_large_queues(void)
{
	struct mq_attr attr = {.mq_maxmsg = 2, .mq_msgsize = 2 << 20};
	mqd_t fd = mq_open(t_format("/%s", t_name("try")), O_RDWR | O_CREAT, 0600, &attr);

	if (fd < 0)
		cr_skip_test("no queue of 2 MiB messages: %s", strerror(errno));
	mq_close(fd);
}

static ssize_t write_of(int fd, size_t n, size_t misaligned)
{
	char *buf = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ssize_t r;

	cr_assert_neq(buf, MAP_FAILED);
	memset(buf, 'x', 4 << 20);
	r = write(fd, buf + misaligned, n);
	munmap(buf, 4 << 20);
	return r;
}

t_test(facts, largest_message_arrives_whole_from_any_address)
{
	need_large_queues();
	struct queue q = queue_make("q", 2, 2 << 20);
	int fd = t_open(t_path(M, "mq/%s", q.name), O_WRONLY);

	cr_assert_eq(write_of(fd, MESSAGE_MAX, 4095), MESSAGE_MAX);
	cr_assert_eq(strlen(queue_take(&q, NULL)), MESSAGE_MAX);
}

t_test(facts, larger_message_is_refused_and_nothing_sent)
{
	need_large_queues();
	struct queue q = queue_make("q", 2, 2 << 20);
	int fd = t_open(t_path(M, "mq/%s", q.name), O_WRONLY);
	const size_t sizes[] = {MESSAGE_MAX + 1, 1 << 20, (1 << 20) + 1, 2 << 20};

	for (int i = 0; i < 8; i++) {
		cr_expect_eq(write_of(fd, sizes[i / 2], i % 2 ? 1 : 0), -1);
		cr_expect_eq(errno, EMSGSIZE, "%zu bytes: %s", sizes[i / 2], strerror(errno));
	}
	cr_assert_eq(queue_depth(&q), 0);
}

/* --- 9: what can block is a helper's work --- */

static int create_pipe(void *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0 ? 0 : errno;
}

t_test(facts, creators_that_wait_for_a_reader_do_not_hold_up_the_rest)
{
	pid_t pids[100];
	char *out;

	for (int i = 0; i < 100; i++)
		pids[i] = t_fork(create_pipe, t_path(M, "pipe/%s%d", t_name("p"), i));
	t_write(t_path(M, "mq/%s@msgsize=64", t_name("q")), "hello");
	cr_assert_str_eq(t_read(t_path(M, "mq/%s@drain", t_name("q"))), "hello");
	cr_assert_eq(t_sh(M, "sh", "ls $M/pipe >/dev/null", &out), 0, "%s", out);
	for (int i = 0; i < 100; i++)
		kill(pids[i], SIGKILL);
	for (int i = 0; i < 100; i++)
		t_wait_exit(pids[i], T_PATIENCE, &out);
}

/* --- 12: a cached entry can be stale --- */

t_test(facts, write_behind_a_native_unlink_makes_a_new_queue)
{
	struct queue q = queue_make("q", 4, 64);
	char *path = t_path(M, "mq/%s", q.name);

	t_write(path, "old");
	queue_unlink(&q);
	t_write(path, "new");
	struct queue again = queue_open(q.name);
	cr_assert_str_eq(queue_take(&again, NULL), "new");
	cr_assert_str_eq(queue_take(&q, NULL), "old");
}

t_test(facts, write_behind_a_native_replacement_goes_to_the_new_queue)
{
	struct queue q = queue_make("q", 4, 64);
	char *path = t_path(M, "mq/%s", q.name);

	t_write(path, "old");
	queue_unlink(&q);
	struct queue again = queue_make("q", 4, 32);
	t_write(path, "new");
	cr_assert_str_eq(queue_take(&again, NULL), "new");
}

t_test(facts, open_behind_a_native_unlink_is_enoent)
{
	struct queue q = queue_make("q", 4, 64);
	char *path = t_path(M, "mq/%s", q.name);

	t_write(path, "old");
	queue_unlink(&q);
	cr_assert_eq(open(path, O_WRONLY | O_NONBLOCK), -1);
	cr_assert_eq(errno, ENOENT, "%s", strerror(errno));
}

t_test(facts, shell_write_behind_a_native_shm_unlink_makes_a_new_object)
{
	char *name = t_name("s"), *path = t_path(M, "shm/%s", name);

	t_write(path, "old");
	cr_assert_eq(shm_unlink(t_format("/%s", name)), 0);
	t_write(path, "new");
	cr_assert_str_eq(t_read(t_format("/dev/shm/%s", name)), "new");
}

/* How many requests of this name the daemon has seen. */
static int requests(const struct t_mount *m, const char *name)
{
	const char *key = t_format("opcode: %s (", name);
	int n = 0;

	for (const char *at = t_read(m->log); (at = strstr(at, key)); at++)
		n++;
	return n;
}

t_test_bare(facts, repeated_write_is_open_write_release)
{
	/* Of other names than these nobody is told. */
	struct t_mount *m = t_mount_start("-d", "-o", t_format("prefix=%s", t_name("")), NULL);
	struct queue q = queue_make("q", 10, 64);
	const char *script = "for i in 1 2 3 4 5 6 7 8; do echo $i >$M/mq/q; done";

	cr_assert_eq(t_sh(m, "bash", script, NULL), 0);
	t_mount_stop(m);
	cr_assert_eq(queue_depth(&q), 8);
	cr_expect_eq(requests(m, "OPEN"), 8);
	cr_expect_eq(requests(m, "WRITE"), 8);
	cr_expect_eq(requests(m, "RELEASE"), 8);
	cr_expect_eq(requests(m, "FLUSH") + requests(m, "SETATTR") + requests(m, "CREATE") + requests(m, "POLL"), 0);
	/* README, the way to the queue, and what tells watchers of it; unless the loop took longer than an entry is
	 * believed. */
	cr_expect_leq(requests(m, "LOOKUP"), 7);
}

/* --- 13: O_TRUNC means nothing to a channel --- */

t_test(facts, truncating_open_keeps_the_messages)
{
	struct queue q = queue_make("q", 4, 64);

	queue_send(&q, "kept", 0);
	close(t_open(t_path(M, "mq/%s", q.name), O_WRONLY | O_TRUNC));
	cr_assert_eq(queue_depth(&q), 1);
	cr_assert_eq(truncate(t_path(M, "mq/%s", q.name), 0), 0);
	cr_assert_eq(queue_depth(&q), 1);
}

t_test(facts, truncating_open_does_empty_shared_memory)
{
	char *path = t_path(M, "shm/%s", t_name("s"));

	t_write(path, "longer text");
	t_write(path, "short");
	cr_assert_str_eq(t_read(path), "short");
}

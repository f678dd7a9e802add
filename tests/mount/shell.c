/* The lines that a user types, in bash and in dash: pipes, shared memory, queues and sockets in either order. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "queue.h"

TestSuite(shell, .timeout = 60);

static const char *const shells[] = {"bash", "dash"};

/* The script in both shells; it must end with 0 and write that. */
static void check(const char *script, const char *expected)
{
	for (int i = 0; i < 2; i++) {
		char *out;
		int status = t_sh(M, shells[i], script, &out);

		cr_expect_eq(status, 0, "%s: status %d: %s", shells[i], status, out);
		cr_expect_str_eq(out, expected, "%s wrote: %s", shells[i], out);
	}
}

/*
 * Two scripts, the first of which waits before the second begins; they must end with 0, having written that together.
 */
static void check_two(const char *first, const char *second, const char *expected)
{
	for (int i = 0; i < 2; i++) {
		char *a, *b;
		pid_t pid = t_spawn(M, shells[i], first);

		t_wait_blocked(pid);
		int status = t_sh(M, shells[!i], second, &b);
		cr_expect_eq(status, 0, "second in %s: status %d: %s", shells[!i], status, b);
		status = t_wait_exit(pid, T_PATIENCE, &a);
		cr_expect_eq(status, 0, "first in %s: status %d: %s", shells[i], status, a);
		cr_expect_str_eq(t_format("%s%s", a, b), expected);
	}
}

/* --- pipe --- */

t_test(shell, pipe_writer_first)
{
	t_name("p");
	check_two("exec >$M/pipe/${P}p; echo hello", "exec cat $M/pipe/${P}p", "hello\n");
}

t_test(shell, pipe_reader_waits_for_the_writer)
{
	cr_assert_eq(mkfifo(t_path(M, "pipe/%s", t_name("p")), 0600), 0);
	check_two("exec cat $M/pipe/${P}p", "echo hello >$M/pipe/${P}p", "hello\n");
}

t_test(shell, tar_through_a_pipe)
{
	t_name("t");
	cr_assert_eq(t_sh(NULL, "sh", "mkdir dir; seq 100000 >dir/numbers; echo x >dir/x; mkdir out", NULL), 0);
	check_two("exec tar c dir >$M/pipe/${P}t", "cd out && tar x <$M/pipe/${P}t && diff -r dir ../dir", "");
}

t_test(shell, cp_to_a_new_pipe)
{
	cr_assert_eq(t_sh(NULL, "sh", "seq 100000 >file", NULL), 0);
	for (int i = 0; i < 2; i++) {
		char *out;
		pid_t cp = t_spawn(M, "sh", t_format("exec cp file $M/pipe/${P}new%d", i));
		const char *path = t_path(M, "pipe/%s%d", t_name("new"), i);

		t_await(access(path, F_OK) == 0);
		cr_assert_eq(t_sh(M, shells[i], t_format("cat $M/pipe/${P}new%d | cmp - file", i), &out), 0, "%s", out);
		cr_assert_eq(t_wait_exit(cp, T_PATIENCE, NULL), 0);
	}
}

t_test(shell, cp_of_an_empty_file_ends_its_reader)
{
	pid_t cp = t_spawn(M, "sh", ": >empty; exec cp empty $M/pipe/${P}new");
	const char *path = t_path(M, "pipe/%s", t_name("new"));
	char *out;

	t_await(access(path, F_OK) == 0);
	cr_assert_eq(t_sh(M, "sh", "cat $M/pipe/${P}new", &out), 0);
	cr_assert_str_eq(out, "");
	cr_assert_eq(t_wait_exit(cp, T_PATIENCE, NULL), 0);
}

t_test(shell, noclobber_feeds_a_new_pipe)
{
	pid_t pid = t_spawn(M, "bash", "set -C; echo hello >$M/pipe/${P}new");
	const char *path = t_path(M, "pipe/%s", t_name("new"));
	char *out;

	t_await(access(path, F_OK) == 0);
	cr_assert_eq(t_sh(M, "sh", "cat $M/pipe/${P}new", &out), 0);
	cr_assert_str_eq(out, "hello\n");
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), 0);
}

t_test(shell, writer_of_a_pipe_without_reader_gets_sigpipe)
{
	char *out;

	cr_assert_eq(mkfifo(t_path(M, "pipe/%s", t_name("p")), 0600), 0);
	cr_assert_eq(t_sh(M, "bash", "exec yes >$M/pipe/${P}p & head -n1 $M/pipe/${P}p >/dev/null; wait $!", &out),
		     128 + SIGPIPE);
}

/* --- shm --- */

t_test(shell, shm_is_read_and_written)
{
	t_name("s");
	check("echo hello >$M/shm/${P}s; cat $M/shm/${P}s; stat -c %s /dev/shm/${P}s; echo more >>$M/shm/${P}s; cat /dev/shm/${P}s",
	      "hello\n6\nhello\nmore\n");
}

t_test(shell, shm_is_truncated)
{
	t_name("s");
	check("truncate -s 4096 $M/shm/${P}s; stat -c %s /dev/shm/${P}s; truncate -s 10 $M/shm/${P}s; wc -c <$M/shm/${P}s",
	      "4096\n10\n");
}

t_test(shell, shm_size_at_creation)
{
	t_name("s");
	check("rm -f $M/shm/${P}s; : >>$M/shm/${P}s@size=8K; stat -c %s /dev/shm/${P}s; rm $M/shm/${P}s", "8192\n");
}

static volatile char *map(const char *name, size_t size)
{
	int fd = shm_open(t_format("/%s", name), O_RDWR | O_CREAT, 0600);
	void *at;

	cr_assert_geq(fd, 0);
	cr_assert_eq(ftruncate(fd, (off_t)size), 0);
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	cr_assert_neq(at, MAP_FAILED);
	return at;
}

t_test(shell, shm_mmap_of_python_and_of_shm_open_are_one)
{
	volatile char *at = map(t_name("s"), 4096);
	const char *program = "import mmap, sys\n"
			      "with open(sys.argv[1], \"r+b\") as f: m = mmap.mmap(f.fileno(), 4096)\n"
			      "m[1] = 66\n"
			      "while m[0] != 65: pass\n"
			      "m[2] = 67\n";

	t_need("python3");
	pid_t pid = t_spawn(M, "sh", t_format("exec python3 -c '%s' $M/shm/${P}s", program));
	t_await(at[1] == 66);
	at[0] = 65;
	t_await(at[2] == 67);
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), 0);
}

t_test(shell, shm_made_by_python_is_seen_by_shm_open)
{
	const char *program = "import mmap, sys, time\n"
			      "f = open(sys.argv[1], \"w+b\")\n"
			      "f.truncate(4096)\n"
			      "m = mmap.mmap(f.fileno(), 4096)\n"
			      "m[0] = 65\n"
			      "while m[1] != 66: pass\n";

	t_need("python3");
	pid_t pid = t_spawn(M, "sh", t_format("exec python3 -c '%s' $M/shm/${P}s", program));
	const char *path = t_format("/dev/shm/%s", t_name("s"));
	struct stat st;

	t_await(stat(path, &st) == 0 && st.st_size == 4096);
	volatile char *at = map(t_name("s"), 4096);
	t_await(at[0] == 65);
	at[1] = 66;
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), 0);
}

/*
 * By passthrough, as Java's CREATE_NEW wants it; and where that cannot be, not at all rather than to pages that nobody
 * shares.
 */
t_test(shell, shm_exclusive_handle_maps_what_others_map)
{
	int fd = open(t_path(M, "shm/%s", t_name("s")), O_RDWR | O_CREAT | O_EXCL, 0600);
	volatile char *own, *other;

	cr_assert_geq(fd, 0);
	cr_assert_eq(ftruncate(fd, 4096), 0);
	own = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (own == MAP_FAILED) {
		cr_assert_eq(errno, ENODEV);
	} else {
		other = map(t_name("s"), 4096);
		own[100] = 'x';
		cr_assert_eq(other[100], 'x');
		other[101] = 'y';
		cr_assert_eq(own[101], 'y');
		own[100] = own[101] = 0;
	}
	cr_assert_eq(write(fd, "hello", 5), 5);
	cr_assert_eq(memcmp(t_read(t_path(M, "shm/%s", t_name("s"))), "hello", 6), 0);
}

t_test(shell, cp_to_and_from_new_shm)
{
	t_name("s");
	check("seq 100000 >file; rm -f $M/shm/${P}s; cp file $M/shm/${P}s; cmp file $M/shm/${P}s; cp $M/shm/${P}s back; cmp file back",
	      "");
}

/* --- mq --- */

t_test(shell, mq_writer_first)
{
	queue_make("m", 4, 64);
	check("echo hello >$M/mq/${P}m; head -n1 $M/mq/${P}m", "hello\n");
}

t_test(shell, mq_reader_first)
{
	queue_make("m", 4, 64);
	check_two("exec head -n1 $M/mq/${P}m", "echo hello >$M/mq/${P}m", "hello\n");
}

t_test(shell, mq_native_calls_interleave)
{
	struct queue q = queue_make("m", 4, 64);

	queue_send(&q, "1\n", 0);
	cr_assert_eq(t_sh(M, "dash", "echo 2 >$M/mq/${P}m", NULL), 0);
	queue_send(&q, "3\n", 0);
	cr_assert_str_eq(queue_take(&q, NULL), "1\n");
	cr_assert_eq(t_sh(M, "dash", "echo 4 >$M/mq/${P}m; head -n2 $M/mq/${P}m >/dev/null", NULL), 0);
	cr_assert_str_eq(queue_take(&q, NULL), "4\n");
}

/* --- sock --- */

t_test(shell, sock_writer_first)
{
	t_name("x");
	check("echo hi >$M/sock/${P}x; cat $M/sock/${P}x", "hi\n");
}

t_test(shell, sock_reader_first)
{
	cr_assert_eq(t_sh(M, "sh", "touch $M/sock/${P}x", NULL), 0);
	t_name("x");
	check_two("exec cat $M/sock/${P}x", "echo hi >$M/sock/${P}x", "hi\n");
}

t_test(shell, sock_writers_wait_in_the_backlog)
{
	t_name("x");
	check("for i in 1 2 3; do echo $i >$M/sock/${P}x; done; for i in 1 2 3; do cat $M/sock/${P}x; done",
	      "1\n2\n3\n");
}

t_test(shell, sock_addr_is_connected_by_socat)
{
	t_need("socat");
	t_name("x");
	cr_assert_eq(t_sh(M, "sh", "touch $M/sock/${P}x", NULL), 0);
	check_two("exec cat $M/sock/${P}x", "echo hello | socat - UNIX-CONNECT:$M/sock/${P}x@addr", "hello\n");
}

t_test(shell, sock_bound_by_socat)
{
	t_need("socat");
	pid_t server = t_spawn(M, "sh", "exec socat UNIX-LISTEN:$M/sock/${P}srv,fork EXEC:'tr a-z A-Z'");
	struct stat st;

	t_name("srv");
	t_await(stat(t_path(M, "sock/%s", t_name("srv")), &st) == 0);
	cr_assert(S_ISSOCK(st.st_mode));
	t_wait_blocked(server);
	check("test -S $M/sock/${P}srv; echo hello | socat - UNIX-CONNECT:$M/sock/${P}srv", "HELLO\n");
}

t_test(shell, sock_bound_by_python_is_a_file_by_its_io_facet)
{
	t_need("python3");
	pid_t server = t_spawn(M, "sh",
			       "exec python3 -c 'import os, socket\n"
			       "s = socket.socket(socket.AF_UNIX)\n"
			       "s.bind(os.environ[\"M\"] + \"/sock/\" + os.environ[\"P\"] + \"srv\")\n"
			       "s.listen()\n"
			       "for i in range(2):\n"
			       "    c = s.accept()[0]\n"
			       "    c.sendall(c.recv(100).upper())\n"
			       "    c.close()'");
	struct stat st;

	t_await(stat(t_path(M, "sock/%s", t_name("srv")), &st) == 0);
	t_wait_blocked(server);
	check("exec 3<>$M/sock/${P}srv@io; echo hello >&3; cat <&3", "HELLO\n");
	cr_assert_eq(t_wait_exit(server, T_PATIENCE, NULL), 0);
}

t_test(shell, sock_listening_descriptor_reads_and_writes_at_once)
{
	const char *server =
		"exec 3<>$M/sock/${P}x@listen; cat <&3 >got & echo hello >&3; read -r word <fifo; exec 3>&-; wait";
	char *out;

	cr_assert_eq(t_sh(M, "sh", "touch $M/sock/${P}x; mkfifo fifo", NULL), 0);
	t_name("x");
	pid_t pid = t_spawn(M, "bash", server);
	cr_assert_eq(
		t_sh(M, "bash",
		     "exec 4<>$M/sock/${P}x; read -r word <&4; echo $word; echo answer >&4; exec 4>&-; echo go >fifo",
		     &out),
		0, "%s", out);
	cr_assert_str_eq(out, "hello\n");
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, &out), 0, "%s", out);
	cr_assert_eq(t_sh(NULL, "sh", "cat got", &out), 0);
	cr_assert_str_eq(out, "answer\n");
}

/* Jobs that survive the worker: facet ack. How the reader ends, and what becomes of the job. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "queue.h"

TestSuite(ack, .timeout = 60);

static struct queue q;

static void make_env(void)
{
	setenv("Q", t_path(M, "mq/%s", q.name), 1);
}

static void make(void)
{
	q = queue_make("q", 10, 64);
	make_env();
}

static void make_with(int jobs)
{
	make();
	for (int i = 1; i <= jobs; i++)
		queue_send(&q, t_format("job%d", i), 0);
}

/* Everything that is to be had, as `deliveries:message` words; whoever has it now is done with it. */
#define REST "timeout 10 cat $Q@lines,ack,meta,drain | awk -F '\\t' '{printf \"%s:%s \", $2, $3}'"

static void check_rest(const char *expected)
{
	t_check(REST, expected);
}

/* --- how the reader ends --- */

t_test(ack, exit_with_0_settles)
{
	make_with(2);
	t_check("sh -c 'read -r job; echo $job' <$Q@lines,one,ack", "job1\n");
	check_rest("1:job2 ");
}

t_test(ack, exit_with_another_status_gives_back)
{
	make_with(2);
	t_bash(3, "exec sh -c 'read -r job; exit 3' <$Q@lines,one,ack");
	check_rest("2:job1 1:job2 ");
}

/* Some shells hold the file open themselves while the command runs, and close it then. */
static void check_command_of(const char *shell)
{
	t_need(shell);
	make_with(2);
	setenv("SHELL_UNDER_TEST", shell, 1);
	t_bash(0,
	       "$SHELL_UNDER_TEST -c 'cat <$Q@lines,one,ack >/dev/null; sh -c \"read -r job; exit 1\" <$Q@lines,one,ack; true'");
	t_bash(0, "$SHELL_UNDER_TEST -c 'sh -c \"cat; exit 1\" <$Q@lines,one,ack >/dev/null; true'");
	t_bash(0, "$SHELL_UNDER_TEST -c 'sh -c \"read -r job; kill -9 \\$\\$\" <$Q@lines,one,ack; true' 2>/dev/null");
	t_bash(0, "$SHELL_UNDER_TEST -c 'sh -c \"read -r job\" <$Q@lines,one,ack; true'");
	check_rest("");
	cr_assert_eq(queue_ctl(M, &q, "out_messages"), 5);
}

t_test(ack, exit_status_of_a_command_of_dash)
{
	check_command_of("dash");
}

t_test(ack, exit_status_of_a_command_of_bash)
{
	check_command_of("bash");
}

t_test(ack, exit_status_of_a_command_of_zsh)
{
	check_command_of("zsh");
}

t_test(ack, signal_gives_back)
{
	make_with(1);
	t_bash(128 + SIGKILL, "sh -c 'read -r job; kill -KILL $$' <$Q@lines,one,ack");
	t_bash(128 + SIGTERM, "sh -c 'read -r job; kill -TERM $$' <$Q@lines,one,ack");
	t_bash(128 + SIGSEGV, "ulimit -c 0; sh -c 'read -r job; kill -SEGV $$' <$Q@lines,one,ack");
	check_rest("4:job1 ");
}

t_test(ack, end_that_one_brings_settles_nothing)
{
	make_with(1);
	t_bash(1, "sh -c 'cat; exit 1' <$Q@lines,one,ack");
	check_rest("2:job1 ");
}

t_test(ack, next_read_settles)
{
	make_with(3);
	t_bash(1, "sh -c 'read -r a; read -r b; exit 1' <$Q@lines,ack");
	check_rest("2:job2 1:job3 ");
}

t_test(ack, wait_for_the_next_settles)
{
	make_with(1);
	pid_t pid = t_spawn(M, "sh", "exec cat $Q@lines,ack");

	queue_await_waiters(M, &q, 1);
	cr_assert_eq(queue_ctl(M, &q, "owed"), 0);
	kill(pid, SIGKILL);
	t_wait_exit(pid, T_PATIENCE, NULL);
	check_rest("");
}

t_test(ack, end_by_idle_or_drain_settles)
{
	make_with(2);
	t_bash(1, "sh -c 'cat; exit 1' <$Q@lines,ack,n=1,idle=50ms");
	t_bash(1, "sh -c 'cat; exit 1' <$Q@lines,ack,drain");
	queue_send(&q, "late", 0);
	t_bash(1, "sh -c 'cat; exit 1' <$Q@lines,ack,idle=50ms");
	check_rest("");
}

static void check_loop(const char *shell)
{
	t_need(shell);
	make_with(3);
	t_sh(M, shell, "while IFS= read -r j; do [ $j != job2 ] || exit 1; done <$Q@lines,ack", &(char *){NULL});
	t_sh(M, shell, "while IFS= read -r j; do break; done <$Q@lines,ack", &(char *){NULL});
	check_rest("3:job2 1:job3 ");
}

t_test(ack, bash_loop_left_early_gives_back)
{
	check_loop("bash");
}

t_test(ack, dash_loop_left_early_gives_back)
{
	check_loop("dash");
}

t_test(ack, close_settles_at_the_end_only)
{
	char got[64];
	int fd;

	make_with(2);
	fd = open(t_path(M, "mq/%s@lines,n=1,ack", q.name), O_RDONLY);
	cr_assert_eq(read(fd, got, sizeof(got)), 5);
	cr_assert_eq(read(fd, got, sizeof(got)), 0);
	close(fd);
	fd = open(t_path(M, "mq/%s@lines,n=1,ack", q.name), O_RDONLY);
	cr_assert_eq(read(fd, got, sizeof(got)), 5);
	close(fd);
	check_rest("2:job2 ");
}

t_test(ack, python_workers)
{
	t_need("python3");
	make_with(4);
	t_bash(1,
	       "python3 -c 'import sys\nfor l in open(sys.argv[1]):\n  if \"2\" in l: raise SystemExit(1)' $Q@lines,ack");
	t_bash(1,
	       "python3 -c 'import sys\nfor l in open(sys.argv[1]):\n  if \"3\" in l: assert 0' $Q@lines,ack 2>/dev/null");
	t_bash(0, "python3 -c 'import sys; sys.stdin.readline()' <$Q@lines,ack");
	check_rest("1:job4 ");
}

/* It closes what it has open by itself before it exits, and so says nothing about success. */
t_test(ack, perl_workers)
{
	t_need("perl");
	make_with(3);
	t_bash(9, "perl -e 'open F, $ARGV[0]; while (<F>) { exit 9 if /2/ }' $Q@lines,ack");
	t_bash(0, "perl -e 'open F, $ARGV[0]; $_ = <F>; exit 0' $Q@lines,ack");
	t_bash(0, "perl -e 'open F, $ARGV[0]; @all = <F>' $Q@lines,ack,n=1");
	check_rest("1:job3 ");
}

t_test(ack, node_workers)
{
	t_need("node");
	make_with(2);
	t_bash(5, "node -e 'const fs = require(\"fs\"); fs.readSync(fs.openSync(process.argv[1]), Buffer.alloc(64)); "
		  "process.exit(5)' $Q@lines,ack");
	t_bash(0,
	       "node -e 'const fs = require(\"fs\"); fs.readSync(fs.openSync(process.argv[1]), Buffer.alloc(64))' $Q@lines,ack");
	check_rest("1:job2 ");
}

/* --- whose close counts --- */

t_test(ack, child_that_ends_earlier_says_nothing)
{
	make_with(2);
	t_bash(1, "exec 3<$Q@lines,ack; read -r -u3 job; (exit 0); true; exit 1");
	t_bash(0, "exec 3<$Q@lines,ack; read -r -u3 job; (exit 1); exit 0");
	check_rest("1:job2 ");
}

t_test(ack, child_that_outlives_decides)
{
	pid_t pid;

	make_with(1);
	pid = t_spawn(M, "bash",
		      "exec 3<$Q@lines,ack; read -r -u3 job; mkfifo go; { exec <go; read -r x; exit 1; } & exit 0");
	t_wait_exit(pid, T_PATIENCE, NULL);
	cr_assert_eq(queue_ctl(M, &q, "owed"), 1);
	t_check("echo >go", "");
	t_await(queue_ctl(M, &q, "owed") == 0);
	check_rest("2:job1 ");
}

static int take_over(void *arg)
{
	int sock = *(int *)arg;
	char c, room[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {&c, 1};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};

	/* It exits with 0 and the descriptor, which was not its by inheritance. */
	return recvmsg(sock, &msg, 0) == 1 && msg.msg_controllen && read(sock, &c, 1) == 1 ? 0 : 1;
}

t_test(ack, descriptor_passed_over_a_socket)
{
	char got[64], room[CMSG_SPACE(sizeof(int))] = {0};
	int sock[2], fd;

	make_with(1);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock), 0);
	pid_t pid = t_fork(take_over, &sock[1]);
	fd = open(t_path(M, "mq/%s@lines,ack", q.name), O_RDONLY | O_CLOEXEC);
	cr_assert_eq(read(fd, got, sizeof(got)), 5);
	struct iovec iov = {"x", 1};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	*cmsg = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	cr_assert_eq(sendmsg(sock[0], &msg, 0), 1);
	close(fd);
	cr_assert_eq(write(sock[0], "x", 1), 1);
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), 0);
	check_rest("");
}

t_test(ack, dup_and_close_say_nothing)
{
	make_with(1);
	t_bash(0, "exec 3<$Q@lines,ack 4<&3; read -r -u3 job; exec 3<&-; exec true");
	check_rest("");
}

/* --- order, counts, poison --- */

t_test(ack, given_back_comes_first_among_its_priority)
{
	make();
	for (int i = 1; i <= 4; i++)
		queue_send(&q, t_format("low%d", i), 0);
	t_bash(1, "exec 3<$Q@lines,ack 4<$Q@lines,ack; read -r -u3 a; read -r -u4 b; exec 4<&- 3<&-; exit 1");
	queue_send(&q, "high", 5);
	check_rest("1:high 2:low1 2:low2 1:low3 1:low4 ");
}

t_test(ack, batch_goes_back_whole_and_in_order)
{
	make_with(5);
	t_bash(1, "sh -c 'dd bs=4096 count=1 status=none >/dev/null; exit 1' <$Q@lines,ack,batch,n=3");
	check_rest("2:job1 2:job2 2:job3 1:job4 1:job5 ");
}

t_test(ack, native_receivers_get_it_first)
{
	make_with(3);
	t_bash(1, "sh -c 'read -r job; exit 1' <$Q@lines,one,ack");
	t_await(queue_depth(&q) == 3);
	cr_assert_str_eq(queue_take(&q, NULL), "job1");
	cr_assert_str_eq(queue_take(&q, NULL), "job2");
	cr_assert_str_eq(queue_take(&q, NULL), "job3");
}

t_test(ack, full_queue_keeps_what_was_given_back_until_it_has_room)
{
	make_with(1);
	pid_t pid = t_spawn(M, "bash", "exec 3<$Q@lines,ack; read -r -u3 job; mkfifo go; read -r x <go; exit 1");
	t_await(queue_ctl(M, &q, "owed") == 1);
	queue_fill(&q);
	t_await(access(t_format("%s/go", t_scratch()), F_OK) == 0);
	t_check("echo >go", "");
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, &(char *){NULL}), 1);
	t_await(queue_ctl(M, &q, "given_back") == 1);
	cr_assert(queue_take(&q, NULL));
	t_await(queue_ctl(M, &q, "given_back") == 0);
	cr_assert_str_eq(queue_take(&q, NULL), "job1");
}

t_test(ack, tries_end_in_the_dead_queue)
{
	make_with(2);
	for (int i = 0; i < 3; i++)
		t_bash(1, "sh -c 'read -r job; exit 1' <$Q@lines,one,ack,tries=3");
	t_check("cat $Q.dead@lines,one", "job1\n");
	check_rest("1:job2 ");
	cr_assert(t_refused("delivered 3 times"));
	t_name("q.dead");
}

t_test(ack, reader_without_ack_ends_the_matter)
{
	make_with(1);
	t_bash(1, "sh -c 'read -r job; exit 1' <$Q@lines,one,ack");
	t_check("cat $Q@lines,drain", "job1\n");
	check_rest("");
}

/* --- leases --- */

t_test(ack, lease_takes_the_job_from_a_reader_that_hangs)
{
	char *out;

	make_with(1);
	pid_t pid = t_spawn(M, "bash", "exec 3<$Q@lines,ack,lease=200ms; read -r -u3 job; kill -STOP $$; exit 0");
	t_await(queue_ctl(M, &q, "owed") == 1);
	pid_t other = t_spawn(M, "sh", "exec cat $Q@lines,ack,meta,one");
	cr_assert_eq(t_wait_exit(other, T_PATIENCE, &out), 0);
	cr_assert_str_eq(out, "0\t2\tjob1\n");
	kill(pid, SIGCONT);
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), 0);
	check_rest("");
	cr_assert(t_refused("lease"));
}

t_test(ack, stopped_reader_without_lease_keeps_its_job)
{
	make_with(1);
	pid_t pid = t_spawn(M, "bash", "exec 3<$Q@lines,ack; read -r -u3 job; kill -STOP $$; exit 0");
	t_await(queue_ctl(M, &q, "owed") == 1);
	t_check("timeout 5 cat $Q@lines,ack,idle=300ms", "");
	kill(pid, SIGCONT);
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), 0);
	check_rest("");
}

/* --- what can be seen --- */

t_test(ack, ctl_says_who_owes_what)
{
	make_with(1);
	t_bash(0,
	       "exec 3<$Q@lines,ack; read -r -u3 job; grep -c \"^owed_by=pid:$$ command:bash since:.* deliveries:1$\" $Q@ctl; "
	       "grep -c ^owed=1 $Q@ctl; grep -c '(1 owed)' $M/status; grep -c '\"owed\": 1' $M/status@json");
	cr_assert_eq(queue_ctl(M, &q, "owed"), 0);
}

t_test(ack, poll_tells_of_what_was_given_back)
{
	struct pollfd p = {.events = POLLIN};

	make_with(1);
	pid_t pid = t_spawn(M, "bash", "exec 3<$Q@lines,ack; read -r -u3 job; mkfifo go; read -r x <go; exit 1");
	t_await(queue_ctl(M, &q, "owed") == 1);
	p.fd = open(t_path(M, "mq/%s@lines,ack", q.name), O_RDONLY | O_CLOEXEC);
	cr_assert_eq(poll(&p, 1, 0), 0);
	t_await(access(t_format("%s/go", t_scratch()), F_OK) == 0);
	t_check("echo >go", "");
	cr_assert_eq(poll(&p, 1, T_PATIENCE), 1);
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, &(char *){NULL}), 1);
}

t_test(ack, removal_drops_what_was_given_back_and_says_so)
{
	make_with(1);
	pid_t pid = t_spawn(M, "bash", "exec 3<$Q@lines,ack; read -r -u3 job; mkfifo go; read -r x <go; exit 1");
	t_await(access(t_format("%s/go", t_scratch()), F_OK) == 0);
	t_check("rm $Q", "");
	cr_assert(t_refused("1 are still owed"));
	t_check("echo >go", "");
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, &(char *){NULL}), 1);
	t_await(t_refused("went with it"));
}

t_test(ack, facets_that_need_ack_say_so)
{
	make();
	cr_assert_eq(open(t_path(M, "mq/%s@lease=1s", q.name), O_RDONLY), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert(t_refused("lease needs ack beside it"));
	cr_assert_eq(open(t_path(M, "mq/%s@ack,fifo", q.name), O_RDONLY), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(open(t_path(M, "mq/%s@ack,lease=0", q.name), O_RDONLY), -1);
	cr_assert_eq(open(t_path(M, "mq/%s@ack,tries=0", q.name), O_RDONLY), -1);
}

/* --- the daemon's end --- */

t_test(ack, killed_daemon_loses_nothing)
{
	make_with(3);
	pid_t pid = t_spawn(M, "bash", "exec 3<$Q@lines,ack; read -r -u3 a; read -r -u3 b; kill -STOP $$");
	/* In this order: the daemon answers when it has done with the message that left the queue. */
	t_await(queue_depth(&q) == 1 && queue_ctl(M, &q, "owed") == 1);
	t_mount_crash(M);
	kill(pid, SIGKILL);
	t_wait_exit(pid, T_PATIENCE, &(char *){NULL});
	M = t_mount_start(NULL);
	make_env();
	check_rest("2:job2 1:job3 ");
}

t_test(ack, unmount_gives_back_what_is_owed)
{
	make_with(1);
	pid_t pid = t_spawn(M, "bash", "exec 3<$Q@lines,ack; read -r -u3 a; kill -STOP $$");
	t_await(queue_ctl(M, &q, "owed") == 1);
	t_mount_stop(M);
	kill(pid, SIGKILL);
	t_wait_exit(pid, T_PATIENCE, &(char *){NULL});
	cr_assert_str_eq(queue_take(&q, NULL), "job1");
}

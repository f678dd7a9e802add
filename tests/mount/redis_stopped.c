/* What a server that hangs (SIGSTOP) does to those who use a mount over it: everybody can be killed, and others go on.
 */
#include "redis.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(redis_stopped, .timeout = 90);

static struct redis server;
static struct t_mount *a, *b;

static void make(void)
{
	server = redis_start(NULL);
	a = redis_mount(&server, "A", NULL);
	b = redis_mount(&server, "B", NULL);
	M = a;
	t_check("touch $A/mq/q $A/bcast/c $A/sem/s $B/mq/doomed", "");
}

static bool is_over(pid_t pid)
{
	siginfo_t info = {0};

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

/* It waits for the server, or has been answered already, from what is remembered. Then SIGKILL ends it. */
static void check_killable(const char *script)
{
	pid_t pid = t_spawn(b, "bash", script);
	long end = t_deadline(1500);
	char *said;

	while (!is_over(pid) && !t_in_request(pid) && t_left(end) > 0)
		t_nap();
	kill(pid, SIGKILL);
	int status = t_wait_exit(pid, 5000, &said);
	/* Some are answered from what is known, or refused. */
	if (status != 128 + SIGKILL && status != 0 && status != 1)
		t_fail("%s: %d, %s", script, status, said);
}

/* Descriptors 3 to 7 were opened before it hung. */
static const char *const operations[] = {
	"exec cat $M/mq/other",
	"exec cat $M/mq/q",
	"exec cat $M/mq/q@one,ack",
	"exec 3>$M/mq/q",
	"exec 3>$M/mq/new",
	"exec ln $M/mq/q $M/mq/other",
	"exec mv $M/mq/q $M/mq/other",
	"exec rm $M/mq/doomed",
	"exec chmod 600 $M/mq/q",
	"exec stat $M/mq/never-seen",
	"exec ls -l $M/mq",
	"exec ls $M/sem",
	"exec cat $M/mq/q@ctl",
	"exec dd of=$M/bcast/c@ctl <<<buffer=9999",
	"exec cat $M/mq/q@help",
	"exec cat $M/status",
	"exec cat $M/status@json",
	"exec cat $M/errors",
	"exec cat $M/sem/s",
	"exec cat $M/sem/s@hold",
	"exec dd of=$M/sem/s <<<1",
	"exec cat $M/bcast/c",
	"exec dd of=$M/bcast/c <<<x",
	"exec cat $M/mq/q@tap",
	"exec cat $M/mq/q@fifo,one",
};

t_test_bare(redis_stopped, whoever_asks_it_for_anything_can_be_killed)
{
	make();
	kill(server.pid, SIGSTOP);
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		check_killable(operations[i]);
	kill(server.pid, SIGCONT);
	t_check("rm -f $A/mq/* $A/sem/* $A/bcast/*; echo x >$A/mq/q; cat $B/mq/q@one", "x\n");
}

/* Operations on files that were open before: each in a child, which says when it is about to begin. */
static void check_open_killable(const char *opens, const char *operation)
{
	pid_t pid;

	t_check("rm -f ready go; touch $A/mq/q $A/bcast/c $A/sem/s", "");
	pid = t_spawn(b, "bash",
		      t_format("%s; echo >ready; until [ -e go ]; do sleep 0.01; done; %s", opens, operation));
	t_await(access(t_format("%s/ready", t_scratch()), F_OK) == 0);
	kill(server.pid, SIGSTOP);
	t_write(t_format("%s/go", t_scratch()), "");
	t_await(t_in_request(pid));
	kill(pid, SIGKILL);
	int status = t_wait_exit(pid, 5000, &(char *){NULL});
	kill(server.pid, SIGCONT);
	if (status != 128 + SIGKILL)
		t_fail("%s: %d", operation, status);
}

t_test_bare(redis_stopped, whoever_has_files_open_can_be_killed)
{
	make();
	check_open_killable("exec 3>$M/mq/q", "printf x >&3; :");
	check_open_killable("exec 3>$M/mq/q@lines; printf unfinished >&3", "exec 3>&-; :");
	check_open_killable("exec 3<$M/mq/q", "read -r x <&3; :");
	check_open_killable("exec 3<$M/mq/q@lines,ack", "read -r x <&3; :");
	check_open_killable("exec 3<$M/sem/s", "read -r x <&3; :");
	check_open_killable("exec 3>$M/sem/s", "echo 1 >&3; :");
	check_open_killable("exec 3>$M/bcast/c", "echo 1 >&3; :");
	check_open_killable("exec 3<$M/bcast/c", "read -r x <&3; :");
	check_open_killable("echo 1 >$M/sem/s; exec 3<$M/sem/s@hold", "read -r x <&3; :");
	t_check("rm -f $A/mq/* $A/sem/* $A/bcast/*; echo x >$A/mq/q; cat $B/mq/q@one", "x\n");
}

/* Half of them through this daemon, which waits for the server elsewhere. */
t_test_bare(redis_stopped, nobody_else_is_slowed)
{
	struct redis other = redis_start_on_port("other", NULL);
	struct t_mount *local, *far;

	make();
	local = t_mount_start(NULL);
	setenv("L", local->dir, 1);
	far = redis_mount(&other, "F", NULL);
	(void)far;
	t_check(t_format("touch $F/mq/q $L/sem/%s", t_name("s")), "");
	kill(server.pid, SIGSTOP);
	pid_t hangs = t_spawn(a, "bash", "exec cat $M/mq/q");
	t_await(t_in_request(hangs));
	long begin = t_deadline(0);
	t_check("for i in {1..100}; do echo $i >$F/mq/q; cat $F/mq/q@one >/dev/null; done\n"
		"for i in {1..100}; do echo 1 >$L/sem/${P}s; cat $L/sem/${P}s >/dev/null; done\n"
		"for i in {1..100}; do cat $A/README; done | wc -l | grep -c .",
		"1\n");
	long spent = t_deadline(0) - begin;
	kill(server.pid, SIGCONT);
	kill(hangs, SIGKILL);
	t_wait_exit(hangs, T_PATIENCE, &(char *){NULL});
	/* A thousand processes; who waited for the server but once would take as long as that hangs. */
	cr_assert_lt(spent, 15000);
}

static void check_polls_end(const char *name)
{
	struct pollfd r = {.events = POLLIN};
	long begin = t_deadline(0);

	r.fd = t_open(t_path(b, name), O_RDWR | O_NONBLOCK);
	kill(server.pid, SIGSTOP);
	for (int i = 0; i < 10; i++)
		cr_assert_eq(poll(&r, 1, i % 2 ? 0 : 50), 0);
	cr_assert_lt(t_deadline(0) - begin, 5000, "%s", name);
	kill(server.pid, SIGCONT);
	t_check(t_format("echo 1 >$A/%s", name), "");
	cr_assert_eq(poll(&r, 1, 3000), 1, "%s", name);
	close(r.fd);
}

t_test_bare(redis_stopped, a_poll_ends_in_its_time_and_tells_of_what_comes_later)
{
	make();
	check_polls_end("mq/q");
	check_polls_end("sem/s");
	check_polls_end("bcast/c");
}

struct poller {
	int fd, milliseconds;
};

static int sees(void *arg)
{
	const struct poller *poller = arg;
	struct pollfd r = {.fd = poller->fd, .events = POLLIN};

	return poll(&r, 1, poller->milliseconds) == 1 ? 0 : 1;
}

/* The answer that there is nothing, and the word that there is something, reach the daemon in one turn of its loop. */
static void check_word_behind_answer(const char *name)
{
	struct poller poller = {t_open(t_path(b, name), O_RDWR | O_NONBLOCK), 3000};
	int writes = t_open(t_path(a, name), O_WRONLY);
	pid_t pid;

	kill(server.pid, SIGSTOP);
	pid = t_fork(sees, &poller);
	t_await(t_in_request(pid));
	poll(NULL, 0, 100); /* the daemon has asked by then */
	kill(b->daemon, SIGSTOP);
	kill(server.pid, SIGCONT);
	cr_assert_eq(write(writes, "1\n", 2), 2);
	kill(b->daemon, SIGCONT);
	if (t_wait_exit(pid, T_PATIENCE, &(char *){NULL}))
		t_fail("%s: who polls is not woken", name);
	close(writes);
	close(poller.fd);
}

t_test_bare(redis_stopped, who_polls_hears_of_what_comes_just_behind_the_answer)
{
	make();
	check_word_behind_answer("mq/q");
	check_word_behind_answer("sem/s");
	check_word_behind_answer("bcast/c");
}

t_test_bare(redis_stopped, one_with_a_short_timeout_makes_nobody_elses_poll_blind)
{
	struct poller poller = {.milliseconds = 0};
	pid_t pid;

	make();
	poller.fd = t_open(t_path(b, "mq/q"), O_RDONLY | O_NONBLOCK);
	t_check("echo x >$A/mq/q", "");
	kill(server.pid, SIGSTOP);
	t_check("cat $B/mq/unseen@timeout=10ms 2>&1 | sed 's/.*: //'", "Connection timed out\n");
	pid = t_fork(sees, &poller);
	poll(NULL, 0, 50); /* it polls by then */
	kill(server.pid, SIGCONT);
	cr_expect_eq(t_wait_exit(pid, T_PATIENCE, &(char *){NULL}), 0);
	close(poller.fd);
}

t_test_bare(redis_stopped, an_open_meets_its_timeout)
{
	long begin;

	make();
	kill(server.pid, SIGSTOP);
	begin = t_deadline(0);
	t_check("for n in mq/q mq/unseen bcast/c sem/s; do cat $B/$n@timeout=200ms 2>&1 | sed 's/.*: //'; done\n"
		"{ echo x >$B/mq/new@timeout=200ms; } 2>&1 | sed 's/.*: //'",
		"Connection timed out\nConnection timed out\nConnection timed out\nConnection timed out\nConnection timed out\n");
	kill(server.pid, SIGCONT);
	cr_assert_lt(t_deadline(0) - begin, 8000);
}

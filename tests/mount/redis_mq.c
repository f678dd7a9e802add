/* /mq over a Redis: two mounts of one server stand for two machines. */
#include "redis.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <string.h>
#include <unistd.h>

TestSuite(redis_mq, .timeout = 90);

static struct redis server;
static struct t_mount *a, *b;

/* option: of B, or NULL. */
static void make_with(const char *option)
{
	server = redis_start(NULL);
	a = redis_mount(&server, "A", NULL);
	b = redis_mount(&server, "B", option);
	M = a;
}

static void make(void)
{
	make_with(NULL);
}

t_test_bare(redis_mq, what_one_machine_writes_another_reads)
{
	make();
	t_check("echo hello >$A/mq/q; cat $B/mq/q@one; ls $B/mq; seq 3 >$B/mq/q@lines; cat $A/mq/q@lines,drain",
		"hello\nq\n1\n2\n3\n");
}

t_test_bare(redis_mq, priorities_come_first_and_meta_shows_them)
{
	make();
	t_check("echo a >$A/mq/q@lines; echo b >$A/mq/q@lines,prio=9; echo c >$B/mq/q@lines,prio=9; echo d >$B/mq/q@lines\n"
		"cat $B/mq/q@lines,meta,drain",
		"9\tb\n9\tc\n0\ta\n0\td\n");
}

t_test_bare(redis_mq, ten_thousands_of_lines_come_once_and_in_order)
{
	make();
	t_check("touch $A/mq/q; seq 50000 >$A/mq/q@lines & cat $B/mq/q@lines,batch,n=50000 | cmp - <(seq 50000) && echo same\n"
		"grep -E '^(messages|owed)=' $A/mq/q@ctl",
		"same\nmessages=0\nowed=0\n");
}

t_test_bare(redis_mq, what_two_machines_give_back_of_equal_messages_is_all_there)
{
	make();
	t_check("touch $A/mq/q; exec 8<$A/mq/q@fifo,lines 9<$B/mq/q@fifo,lines\n"
		"for i in 1 2 3; do echo same >$A/mq/q@lines; done\n"
		"until grep -q ^messages=1 $A/mq/q@ctl; do sleep 0.01; done\n"
		"exec 8<&- 9<&-; until grep -q ^messages=3 $A/mq/q@ctl; do sleep 0.01; done\n"
		"cat $B/mq/q@lines,drain | uniq -c",
		"      3 same\n");
}

t_test_bare(redis_mq, a_waiting_reader_is_woken_from_another_machine)
{
	make();
	t_write(t_path(a, "mq/q"), "first");
	t_check("cat $B/mq/q@one >/dev/null", "");
	pid_t reader = t_spawn(b, "bash", "exec cat $M/mq/q@one");
	char *got;

	t_await_waiters(b, "mq/q", 1);
	t_write(t_path(a, "mq/q"), "second");
	cr_assert_eq(t_wait_exit(reader, T_PATIENCE, &got), 0);
	cr_assert_str_eq(got, "second");
}

static void fill(void)
{
	make();
	t_check("touch $A/mq/q@maxmsg=2; echo 1 >$A/mq/q; echo 2 >$B/mq/q", "");
}

/* `echo NUMBER` through m, and he is the place-th in line. */
static pid_t writer_start(struct t_mount *m, int number, int place)
{
	pid_t writer = t_spawn(m, "bash", t_format("echo %d >$M/mq/q", number));

	t_await(strtol(redis_say(&server, "ZCARD 'ipcfs:{mq/q}:f'"), NULL, 10) == place);
	return writer;
}

t_test_bare(redis_mq, a_full_queue_lets_writers_of_all_machines_in_by_their_order)
{
	pid_t writers[8];

	fill();
	for (int i = 0; i < 8; i++)
		writers[i] = writer_start(i % 2 ? b : a, i + 3, i + 1);
	/* Room for two at once, and one by one. */
	t_check("cat $A/mq/q@n=2 >/dev/null; cat $A/mq/q@n=8", "3\n4\n5\n6\n7\n8\n9\n10\n");
	for (int i = 0; i < 8; i++)
		cr_assert_eq(t_wait_exit(writers[i], T_PATIENCE, NULL), 0);
	cr_assert_str_eq(redis_say(&server, "KEYS 'ipcfs:{mq/q}:[fx]'"), "\n");
}

t_test_bare(redis_mq, a_writer_whose_daemon_dies_at_the_head_of_the_line_holds_nobody)
{
	fill();
	writer_start(b, 3, 1);
	pid_t second = writer_start(a, 4, 2);

	t_mount_crash(b);
	t_check("timeout 20 cat $A/mq/q@n=3", "1\n2\n4\n");
	cr_assert_eq(t_wait_exit(second, T_PATIENCE, NULL), 0);
}

/* Its room had been given to it before. */
t_test_bare(redis_mq, a_writer_whose_daemon_stops_when_it_is_its_turn_is_passed_by_when_it_dies)
{
	fill();
	writer_start(b, 3, 1);
	pid_t second = writer_start(a, 4, 2);

	kill(b->daemon, SIGSTOP);
	t_check("cat $A/mq/q@n=2", "1\n2\n");
	t_mount_crash(b);
	t_check("timeout 20 cat $A/mq/q@one", "4\n");
	cr_assert_eq(t_wait_exit(second, T_PATIENCE, NULL), 0);
}

t_test_bare(redis_mq, a_writer_who_gives_up_loses_his_place_to_the_next)
{
	make();
	t_check("touch $A/mq/q@maxmsg=1; echo 1 >$A/mq/q; echo 2 2>/dev/null >$A/mq/q@timeout=0.3s || echo gave up\n"
		"echo 3 >$B/mq/q & waits $B/mq/q; cat $A/mq/q@n=2",
		"gave up\n1\n3\n");
}

t_test_bare(redis_mq, o_nonblock_is_eagain_where_it_would_wait)
{
	int w, r;
	char got[8];

	make();
	t_check("touch $A/mq/q@maxmsg=2", "");
	w = t_open(t_path(a, "mq/q"), O_WRONLY | O_NONBLOCK);
	r = t_open(t_path(b, "mq/q"), O_RDONLY | O_NONBLOCK);
	t_check_errno(read(r, got, sizeof(got)), EAGAIN);
	cr_assert_eq(write(w, "x", 1), 1);
	cr_assert_eq(write(w, "y", 1), 1);
	t_check_errno(write(w, "z", 1), EAGAIN);
	cr_assert_eq(read(r, got, sizeof(got)), 1);
	cr_assert_eq(write(w, "z", 1), 1);
	close(w);
	close(r);
}

static int write_when_polled(void *path)
{
	t_wait_blocked(getppid());
	t_write(path, "\n");
	return 0;
}

static int read_when_polled(void *path)
{
	t_wait_blocked(getppid());
	t_read(path);
	return 0;
}

t_test_bare(redis_mq, poll_tells_of_messages_and_of_room)
{
	struct pollfd r = {.events = POLLIN}, w = {.events = POLLOUT};

	make();
	t_check("touch $A/mq/q@maxmsg=1", "");
	r.fd = t_open(t_path(b, "mq/q"), O_RDONLY | O_NONBLOCK);
	w.fd = t_open(t_path(a, "mq/q"), O_WRONLY | O_NONBLOCK);
	cr_assert_eq(poll(&r, 1, 0), 0);
	cr_assert_eq(poll(&w, 1, 0), 1);
	pid_t writer = t_fork(write_when_polled, t_path(a, "mq/q"));
	cr_assert_eq(poll(&r, 1, T_PATIENCE), 1);
	t_check_errno(write(w.fd, "x", 1), EAGAIN);
	cr_assert_eq(poll(&w, 1, 0), 0);
	pid_t reader = t_fork(read_when_polled, t_path(b, "mq/q@one"));
	cr_assert_eq(poll(&w, 1, T_PATIENCE), 1);
	cr_assert_eq(t_wait_exit(writer, T_PATIENCE, NULL), 0);
	cr_assert_eq(t_wait_exit(reader, T_PATIENCE, NULL), 0);
	close(r.fd);
	close(w.fd);
}

t_test_bare(redis_mq, what_a_reader_with_ack_leaves_goes_to_the_next)
{
	make();
	t_check("seq 3 >$A/mq/q@lines; read x <$A/mq/q@lines,ack; echo $x\n"
		"while read -r x; do echo $x; done <$B/mq/q@lines,ack,meta,idle=0.3s\n"
		"grep -E '^(messages|owed|given_back)=' $A/mq/q@ctl",
		"1\n0 2 1\n0 1 2\n0 1 3\nmessages=0\nowed=0\ngiven_back=0\n");
}

t_test_bare(redis_mq, an_interrupted_reader_takes_nothing)
{
	make();
	t_check("touch $A/mq/q", "");
	pid_t reader = t_spawn(b, "bash", "exec cat $M/mq/q");

	t_await_waiters(b, "mq/q", 1);
	kill(reader, SIGINT);
	cr_assert_eq(t_wait_exit(reader, T_PATIENCE, NULL), 128 + SIGINT);
	t_check("echo x >$A/mq/q; cat $A/mq/q@drain", "x\n");
}

t_test_bare(redis_mq, removal_leaves_nothing_and_ends_who_waits)
{
	char *said;

	make();
	t_check("seq 9 >$A/mq/q@lines; cat $A/mq/q@n=9 >/dev/null", "");
	pid_t reader = t_spawn(b, "bash", "cat $M/mq/q");
	t_await_waiters(b, "mq/q", 1);
	t_check("rm $A/mq/q; ls $A/mq $B/mq | grep '^q'; true", "");
	cr_assert_eq(t_wait_exit(reader, T_PATIENCE, &said), 1);
	t_await(strcmp(redis_say(&server, "KEYS '*'"), "\n") == 0);
}

t_test_bare(redis_mq, names_of_every_sort)
{
	make();
	t_check("for n in 'a b' '{}' 'x}y{z' $'new\\nline' '*[?]' \"$(printf %0255d 0)\"; do echo 1 >\"$A/mq/$n\"; done\n"
		"ls -b $B/mq | cut -c1-20; for n in 'a b' '{}' 'x}y{z' $'new\\nline' '*[?]'; do cat \"$B/mq/$n@drain\"; rm \"$B/mq/$n\"; done\n"
		"ls $A/mq | wc -l",
		"*[?]\n00000000000000000000\na\\ b\nnew\\nline\nx}y{z\n{}\n1\n1\n1\n1\n1\n1\n");
}

t_test_bare(redis_mq, a_server_killed_in_mid_traffic_loses_and_doubles_nothing)
{
	make();
	t_check("touch $A/mq/q@maxmsg=500", "");
	pid_t writer = t_spawn(a, "bash",
			       "for i in {1..40}; do seq $((i*500-499)) $((i*500)); sleep 0.02; done >$M/mq/q@lines");
	pid_t reader = t_spawn(b, "bash", "cat $M/mq/q@lines,n=20000 | cmp - <(seq 20000) && echo same");
	char *got;

	for (int i = 0; i < 3; i++) {
		usleep(200000); /* three times while 20,000 lines pass, wherever they are then */
		redis_kill(&server);
		redis_again(&server);
	}
	cr_assert_eq(t_wait_exit(writer, T_PATIENCE, NULL), 0);
	cr_assert_eq(t_wait_exit(reader, T_PATIENCE, &got), 0);
	cr_assert_str_eq(got, "same\n");
}

t_test_bare(redis_mq, a_server_that_hangs_holds_nobody_who_wants_to_end)
{
	make();
	t_check("touch $A/mq/q", "");
	kill(server.pid, SIGSTOP);
	t_check("timeout -s INT 0.3 cat $A/mq/q; echo $?; cat $B/mq/q@timeout=0.3s 2>/dev/null; echo $?\n"
		"timeout -s INT 0.3 bash -c 'echo x >$A/mq/q'; echo $?",
		"124\n1\n124\n");
	kill(server.pid, SIGCONT);
	/*
	 * What was written may have arrived: its writer was told that he was interrupted. The reader who gave up there
	 * may have been given it, and gives it back: before the second look by his daemon is answered.
	 */
	t_check("cat $A/mq/q@ctl $B/mq/q@ctl $B/mq/q@ctl >/dev/null\n"
		"cat $A/mq/q@drain >/dev/null; echo y >$A/mq/q; cat $B/mq/q@drain",
		"y\n");
}

t_test_bare(redis_mq, scripts_that_were_flushed_are_loaded_again)
{
	make();
	t_check("echo 1 >$A/mq/q; redis-cli -s $S SCRIPT FLUSH; echo 2 >$A/mq/q; cat $B/mq/q@drain", "OK\n1\n2\n");
}

t_test_bare(redis_mq, what_a_dead_daemon_owed_comes_back_after_its_lease)
{
	char *got;

	make_with("redis_lease=5");
	t_check("seq 3 >$A/mq/q@lines", "");
	pid_t worker = t_spawn(b, "bash", "exec 3<$M/mq/q@lines,ack; read x <&3; sleep 100");
	t_await(t_ctl(a, "mq/q", "owed") == 1);
	t_mount_crash(b);
	kill(worker, SIGKILL);
	pid_t heir = t_spawn(a, "bash", "exec cat $M/mq/q@lines,ack,meta,n=3,timeout=50s");
	cr_assert_eq(t_wait_exit(heir, 60000, &got), 0);
	cr_assert_str_eq(got, "0\t1\t2\n0\t1\t3\n0\t2\t1\n");
	t_await(t_ctl(a, "mq/q", "owed") == 0);
}

static void interrupt(int sig)
{
	(void)sig;
}

/* The server has it all the same, and whoever was interrupted writes something else. */
t_test_bare(redis_mq, a_write_whose_answer_comes_too_late_is_not_taken_for_the_next)
{
	const struct itimerval soon = {.it_value = {.tv_usec = 100000}};
	struct sigaction act = {.sa_handler = interrupt};
	int fd;

	make();
	t_check("touch $A/mq/q", "");
	fd = t_open(t_path(a, "mq/q"), O_WRONLY);
	sigaction(SIGALRM, &act, NULL);
	kill(server.pid, SIGSTOP);
	setitimer(ITIMER_REAL, &soon, NULL);
	t_check_errno(write(fd, "one", 3), EINTR);
	kill(server.pid, SIGCONT);
	t_await(strtol(redis_say(&server, "ZCARD 'ipcfs:{mq/q}:q'"), NULL, 10) == 1);
	cr_assert_eq(write(fd, "two", 3), 3);
	t_check("cat $A/mq/q@lines,n=2", "one\ntwo\n");
}

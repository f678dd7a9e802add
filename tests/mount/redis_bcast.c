/* /bcast over a Redis: two mounts of one server stand for two machines. */
#include "redis.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(redis_bcast, .timeout = 90);

static struct redis server;
static struct t_mount *a, *b;

static void make(void)
{
	server = redis_start(NULL);
	a = redis_mount(&server, "A", NULL);
	b = redis_mount(&server, "B", NULL);
	M = a;
}

t_test_bare(redis_bcast, every_reader_on_every_machine_gets_all_in_one_order)
{
	pid_t readers[4];

	make();
	t_check("touch $A/bcast/c", "");
	for (int i = 0; i < 4; i++) {
		readers[i] = t_spawn(i % 2 ? a : b, "bash", t_format("exec cat $M/bcast/c@lines,n=20000 >got%d", i));
		t_await_waiters(i % 2 ? a : b, "bcast/c", i / 2 + 1);
	}
	t_check("seq 10000 | sed s/^/a/ >$A/bcast/c@lines & seq 10000 | sed s/^/b/ >$B/bcast/c@lines; wait", "");
	for (int i = 0; i < 4; i++)
		cr_assert_eq(t_wait_exit(readers[i], T_PATIENCE, NULL), 0);
	t_check("for i in 1 2 3; do cmp got0 got$i; done; for w in a b; do grep ^$w got0 | cmp - <(seq 10000 | sed s/^/$w/); done",
		"");
}

t_test_bare(redis_bcast, a_reader_gets_what_is_written_after_its_open_and_as_much_before_as_it_wants)
{
	make();
	t_check("seq 5 >$A/bcast/c@lines; cat $B/bcast/c@lines,last=2,drain; exec 9<$B/bcast/c@lines\n"
		"seq 6 7 >$A/bcast/c@lines; cat $A/bcast/c@lines,last=99,n=1; head -n2 <&9",
		"4\n5\n1\n6\n7\n");
}

t_test_bare(redis_bcast, empty_messages_and_nul_are_whole)
{
	make();
	t_check("printf 'a\\n\\nb\\n' >$A/bcast/c@lines; cat $B/bcast/c@lines,last=3,drain; printf 'x\\ny\\0\\0z\\0' >$A/bcast/c@nul\n"
		"cat $B/bcast/c@nul,last=3,drain | tr '\\0' ';'; cat $B/bcast/c@last=6,n=2,drain",
		"a\n\nb\nx\ny;;z;ab");
}

t_test_bare(redis_bcast, a_slow_reader_is_told_once_and_its_losses_are_counted)
{
	make();
	t_check("touch $A/bcast/c; echo buffer=4096 >$A/bcast/c@ctl; exec 9<$B/bcast/c@lines; seq 1000 >$A/bcast/c@lines\n"
		"head -n1 <&9 2>&1 | grep -o 'No buffer space'; head -n1 <&9; grep -o 'lag:.*' $B/bcast/c@ctl",
		"No buffer space\n745\nlag:255 dropped:744\n");
	cr_assert(strstr(t_read(t_path(b, "errors")), "744 messages have left the buffer (4096 bytes)"));
}

t_test_bare(redis_bcast, the_buffer_bounds_what_is_in_the_redis)
{
	make();
	t_check("touch $A/bcast/c; echo buffer=64K >$B/bcast/c@ctl; head -c 6000000 /dev/zero | tr '\\0' x | fold -w 999 >$A/bcast/c@lines\n"
		"grep -E '^(buffer|messages|bytes)=' $A/bcast/c@ctl",
		"buffer=65536\nmessages=66\nbytes=64941\n");
	cr_assert_lt(atol(redis_say(&server, "MEMORY USAGE 'ipcfs:{bcast/c}:s'")), 90000);
}

t_test_bare(redis_bcast, a_message_above_the_buffer_is_refused)
{
	make();
	t_check("touch $A/bcast/c; echo buffer=4096 >$A/bcast/c@ctl; head -c 5000 /dev/zero | tr '\\0' x | dd of=$A/bcast/c bs=8k iflag=fullblock 2>&1 |\n"
		"grep -o 'Message too long'; cat $B/bcast/c@last=1,drain",
		"Message too long\n");
}

t_test_bare(redis_bcast, nonblocking_is_eagain_and_poll_sees_what_another_machine_writes)
{
	make();
	t_check("touch $A/bcast/c", "");
	pid_t waiting = t_spawn(b, "python3",
				"import os, select\n"
				"f = os.open(os.environ['M'] + '/bcast/c', os.O_RDONLY | os.O_NONBLOCK)\n"
				"try: os.read(f, 9)\n"
				"except BlockingIOError: print('EAGAIN')\n"
				"p = select.poll(); p.register(f, select.POLLIN)\n"
				"print(p.poll(50)); open('polled', 'w')\n"
				"print(bool(p.poll(15000)), os.read(f, 9))");
	char *got;

	t_await(access(t_format("%s/polled", t_scratch()), F_OK) == 0);
	t_write(t_path(a, "bcast/c"), "new");
	cr_assert_eq(t_wait_exit(waiting, T_PATIENCE, &got), 0, "%s", got);
	cr_assert_str_eq(got, "EAGAIN\n[]\nTrue b'new'\n");
}

t_test_bare(redis_bcast, a_fifo_of_ones_own_is_fed_from_another_machine)
{
	make();
	t_check("touch $A/bcast/c", "");
	pid_t reader =
		t_spawn(b, "bash", "exec 9<$M/bcast/c@fifo; echo open >open; read -r -t 15 line <&9; echo $line");
	char *got;

	t_await(access(t_format("%s/open", t_scratch()), F_OK) == 0);
	t_check("echo hello >$A/bcast/c", "");
	cr_assert_eq(t_wait_exit(reader, T_PATIENCE, &got), 0);
	cr_assert_str_eq(got, "hello\n");
}

t_test_bare(redis_bcast, a_cut_connection_loses_and_doubles_nothing)
{
	struct redis proxy;
	char *got;

	server = redis_start(NULL);
	proxy = redis_proxy(&server);
	M = a = redis_mount(&proxy, "A", NULL);
	b = redis_mount(&proxy, "B", NULL);
	t_check("touch $A/bcast/c", "");
	pid_t reader = t_spawn(b, "bash", "cat $M/bcast/c@lines,n=20000 | cmp - <(seq 20000) && echo same");
	t_await_waiters(b, "bcast/c", 1);
	pid_t writer = t_spawn(
		a, "bash", "for i in {1..40}; do seq $((i*500-499)) $((i*500)); sleep 0.02; done >$M/bcast/c@lines");
	for (int i = 0; i < 5; i++) {
		usleep(150000); /* some of the lines pass between two cuts */
		redis_cut(&proxy);
		usleep(20000); /* the pause before they try again: so they often find nobody, which nothing shows */
		redis_mend(&proxy);
	}
	cr_assert_eq(t_wait_exit(writer, T_PATIENCE, &got), 0, "%s", got);
	cr_assert_eq(t_wait_exit(reader, T_PATIENCE, &got), 0, "%s", got);
	cr_assert_str_eq(got, "same\n");
}

t_test_bare(redis_bcast, a_server_that_hangs_holds_nobody_who_wants_to_end)
{
	make();
	t_check("touch $A/bcast/c", "");
	kill(server.pid, SIGSTOP);
	t_check("timeout -s INT 0.3 bash -c 'echo x >$A/bcast/c'; echo $?; cat $B/bcast/c@timeout=0.3s 2>/dev/null; echo $?",
		"124\n1\n");
	kill(server.pid, SIGCONT);
	t_check("exec 9<$B/bcast/c; echo y >$A/bcast/c; head -n1 <&9", "y\n");
}

t_test_bare(redis_bcast, removal_leaves_nothing_and_ends_who_reads)
{
	char *said;

	make();
	t_check("seq 9 >$A/bcast/c@lines", "");
	pid_t reader = t_spawn(b, "bash", "exec cat $M/bcast/c");
	t_await_waiters(b, "bcast/c", 1);
	t_check("rm $A/bcast/c; ls $A/bcast $B/bcast", t_format("%s/bcast:\n\n%s/bcast:\n", a->dir, b->dir));
	cr_assert_eq(t_wait_exit(reader, T_PATIENCE, &said), 1);
	redis_await_empty(&server);
}

/* NAME@tap on a mount: what passes, as shells and other users see it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "queue.h"

TestSuite(tap, .timeout = 60);

enum { ANN = 54321, BOB = 54322 };

/* `cat $M/KIND/${P}NAME@tap,FACETS > seen`, and it sees what comes. */
static pid_t tap_start(const char *kind, const char *name, const char *facets)
{
	char *channel = t_format("%s/%s", kind, t_name(name));
	pid_t pid = t_spawn(M, "sh", t_format("exec cat $M/%s@tap,%s > seen", channel, facets));

	t_await(strstr(t_read(t_path(M, "%s@ctl", channel)), "\ntaps=1\n"));
	return pid;
}

/* The channel has gone, so the tap has ended. */
static void tap_check(pid_t pid, const char *expected)
{
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), 0);
	cr_assert_str_eq(t_read(t_format("%s/seen", t_scratch())), expected);
}

t_test(tap, of_a_queue_sees_both_ways_and_takes_nothing)
{
	pid_t pid;

	queue_make("q", 10, 64);
	pid = tap_start("mq", "q", "lines");
	t_check("printf 'a\\nb\\n' > $M/mq/${P}q@lines; cat $M/mq/${P}q@lines,drain; rm $M/mq/${P}q", "a\nb\n");
	tap_check(pid, "a\nb\na\nb\n");
}

t_test(tap, of_a_queue_tells_who)
{
	pid_t pid;

	queue_make("q", 10, 64);
	pid = tap_start("mq", "q", "lines,meta");
	t_bash(0, "echo job > $M/mq/${P}q; head -n1 $M/mq/${P}q; rm $M/mq/${P}q");
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), 0);
	t_check("cut -f2,4,5 seen", "in\tbash\tjob\nout\thead\tjob\n");
}

/* A process may call itself what it likes; the columns stay. */
t_test(tap, of_a_queue_keeps_its_columns_whatever_the_command)
{
	pid_t pid;

	t_need("python3");
	queue_make("q", 10, 64);
	pid = tap_start("mq", "q", "lines,meta");
	t_bash(0,
	       "bash -c 'printf \"a\\t\\r\\033[31m\\377\" >/proc/self/comm; echo job >$M/mq/${P}q@lines'; rm $M/mq/${P}q");
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), 0);
	t_check("python3 -c 'for line in open(\"seen\", encoding=\"ascii\"):\n"
		"  print(line.rstrip(\"\\n\").split(\"\\t\")[1:2] + line.rstrip(\"\\n\").split(\"\\t\")[3:])'",
		"['in', 'a\\\\x09\\\\x0d\\\\x1b[31m\\\\xff', 'job']\n");
}

/* From writer to batch, past the queue. */
t_test(tap, of_a_batch_sees_each_message)
{
	pid_t pid;

	queue_make("q", 4, 64);
	pid = tap_start("mq", "q", "lines,meta");
	t_bash(0, "seq 1000 > $M/mq/${P}q@lines & cat $M/mq/${P}q@lines,batch,n=1000 > out; rm $M/mq/${P}q");
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), 0);
	t_check("for way in in out; do awk -F '\\t' -v w=$way '$2 == w {print $5}' seen | cmp - out && echo $way; done",
		"in\nout\n");
}

t_test(tap, of_a_queue_sees_a_job_go_back)
{
	struct queue q = queue_make("q", 4, 64);
	pid_t pid;

	queue_send(&q, "job", 0);
	pid = tap_start("mq", "q", "lines,meta");
	t_bash(0, "sh -c 'read -r job; exit 3' < $M/mq/${P}q@lines,ack,one; cat $M/mq/${P}q@lines,drain,ack > out; "
		  "rm $M/mq/${P}q");
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), 0);
	t_check("cut -f2,5 seen", "out\tjob\nback\tjob\nout\tjob\n");
}

t_test(tap, of_a_broadcast_sees_each_reader)
{
	pid_t pid;

	t_bash(0, "touch $M/bcast/${P}b");
	pid = tap_start("bcast", "b", "lines,meta");
	t_bash(0,
	       "exec 5< $M/bcast/${P}b@lines 6< $M/bcast/${P}b@lines; echo all > $M/bcast/${P}b; head -n1 <&5; head -n1 <&6; "
	       "exec 5<&- 6<&-; rm $M/bcast/${P}b");
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), 0);
	t_check("cut -f2,5 seen", "in\tall\nout\tall\nout\tall\n");
}

t_test(tap, of_a_socket_sees_both_directions)
{
	pid_t pid;

	t_bash(0, "touch $M/sock/${P}s");
	pid = tap_start("sock", "s", "lines,meta");
	t_check("(exec 3<> $M/sock/${P}s@listen; read -r q <&3; echo \"$q back\" >&3) & "
		"exec 4<> $M/sock/${P}s; echo there >&4; read -r a <&4; echo $a; exec 4<&-; wait; rm $M/sock/${P}s",
		"there back\n");
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), 0);
	/* A shell reads a socket byte by byte. */
	t_check("grep '\tin\t' seen | cut -f5; grep '\tout\t' seen | cut -f5 | tr -d '\n'",
		"there\nthere back\ntherethere back");
}

t_test(tap, counters_agree_with_what_it_saw)
{
	pid_t pid;

	queue_make("q", 10, 64);
	pid = tap_start("mq", "q", "lines,meta");
	t_bash(0,
	       "for i in 1 2 3; do seq 9 > $M/mq/${P}q@lines; cat $M/mq/${P}q@lines,n=8 > out; cat $M/mq/${P}q@lines,one > out; "
	       "done; grep -e ^in_m -e ^out_m $M/mq/${P}q@ctl > counters; rm $M/mq/${P}q");
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), 0);
	t_check("cat counters; grep -c '\tin\t' seen; grep -c '\tout\t' seen",
		"in_messages=27\nout_messages=27\n27\n27\n");
}

t_test(tap, that_is_stopped_delays_nobody)
{
	pid_t pid;

	t_bash(0, "touch $M/bcast/${P}b");
	pid = tap_start("bcast", "b", "lines,meta");
	kill(pid, SIGSTOP);
	t_bash(0, "timeout 15 seq 20000 > $M/bcast/${P}b@lines; rm $M/bcast/${P}b");
	kill(pid, SIGCONT);
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), 0);
	t_check("awk -F '\\t' '$2 == \"lost\" {n += $5} $2 == \"in\" {n++; last = $5} END {print n, last}' seen",
		"20000 20000\n");
}

t_test(tap, of_what_was_opened_outlives_its_last_user)
{
	pid_t pid;

	queue_make("q", 10, 64);
	pid = tap_start("mq", "q", "lines");
	t_bash(0, "for i in 1 2 3; do echo $i > $M/mq/${P}q; done; rm $M/mq/${P}q");
	tap_check(pid, "1\n2\n3\n");
}

static int open_as(uid_t uid, const char *path)
{
	int fd, err;

	t_become(uid);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	err = errno;
	t_become(0);
	return fd < 0 ? -err : fd;
}

t_test_bare(tap, needs_the_right_to_read)
{
	static const char *const kinds[] = {"mq", "bcast", "sock"};

	if (geteuid() != 0)
		cr_skip_test("only root can be somebody else");
	t_need("setpriv");
	M = t_mount_start("-o", "allow_other", NULL);
	t_bash(0,
	       t_format(
		       "setpriv --reuid %d --regid %d --clear-groups sh -c 'umask 077; cd $M; touch mq/${P}x bcast/${P}x "
		       "sock/${P}x; umask 022; touch mq/${P}y bcast/${P}y sock/${P}y'",
		       ANN, ANN));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const char *mine = t_path(M, "%s/%s@tap", kinds[i], t_name("x"));
		const char *open_to_all = t_path(M, "%s/%s@tap", kinds[i], t_name("y"));

		cr_assert_eq(open_as(BOB, mine), -EACCES, "%s", mine);
		cr_assert_geq(open_as(ANN, mine), 0, "%s", mine);
		cr_assert_geq(open_as(BOB, open_to_all), 0, "%s", open_to_all);
	}
}

t_test(tap, of_a_semaphore_there_is_none)
{
	t_bash(0, "touch $M/sem/${P}s");
	t_check_errno(open(t_path(M, "sem/%s@tap", t_name("s")), O_RDONLY | O_CLOEXEC), EINVAL);
	cr_assert(t_refused("tap"));
}

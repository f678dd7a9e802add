/*
 * @batch beside writers that wait for room: what goes from one to the other without the queue must be as if it had gone
 * through it, in order, once, and with a share for native receivers.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "queue.h"

TestSuite(batch, .timeout = 60);

static struct queue q;

static void make(void)
{
	q = queue_make("q", 4, 64);
	setenv("Q", t_path(M, "mq/%s", q.name), 1);
}

t_test(batch, lines_of_one_writer_come_whole_and_in_order)
{
	make();
	t_check("seq 1 200000 >lines; cat lines >$Q@lines & cat $Q@lines,batch,n=200000 | cmp - lines; cat $Q@drain | wc -c",
		"0\n");
	cr_assert_eq(queue_ctl(M, &q, "in_messages"), 200000);
	cr_assert_eq(queue_ctl(M, &q, "out_messages"), 200000);
}

t_test(batch, lines_of_each_writer_are_in_order)
{
	make();
	t_check("for w in a b c; do seq -f \"$w %.0f\" 1 30000 >$Q@lines & done; cat $Q@lines,batch,n=90000 >got\n"
		"for w in a b c; do grep ^$w got | cmp - <(seq -f \"$w %.0f\" 1 30000); done; wc -l <got",
		"90000\n");
}

t_test(batch, two_readers_share_what_there_is)
{
	make();
	t_check("seq 1 100000 >$Q@lines & w=$!; cat $Q@lines,batch >one & a=$!; cat $Q@lines,batch >two & b=$!\n"
		"wait $w; until [ $(cat one two | wc -l) = 100000 ]; do sleep .01; done; kill $a $b\n"
		"sort -n one two | cmp - <(seq 1 100000) && sort -nc one && sort -nc two && echo exact",
		"exact\n");
}

t_test(batch, count_is_exact_and_leaves_the_rest_to_others)
{
	make();
	t_check("seq 1 50 >$Q@lines & for n in 1 2 3 10 20; do cat $Q@lines,batch,n=$n | tail -n1; done; cat $Q@lines,drain",
		"1\n3\n6\n16\n36\n37\n38\n39\n40\n41\n42\n43\n44\n45\n46\n47\n48\n49\n50\n");
}

t_test(batch, small_reads_and_other_delimiters)
{
	make();
	t_check("seq 1 5000 >$Q@lines & dd bs=300 status=none <$Q@nul,batch,n=5000 | tr '\\0' '\\n' | cmp - <(seq 1 5000)",
		"");
}

t_test(batch, meta_has_the_priority_of_each)
{
	make();
	t_check("seq 1 1000 >$Q@lines,prio=7 & cat $Q@lines,batch,meta,n=1000 | cmp - <(seq -f '7\t%.0f' 1 1000)", "");
}

static int receive_natively(void *arg)
{
	mqd_t mq = queue_open_waiting(&q);
	char buf[64];
	long last = 0;

	(void)arg;
	for (int i = 0; i < 20; i++) {
		ssize_t n = mq_receive(mq, buf, sizeof(buf), NULL);

		if (n < 0 || n == sizeof(buf))
			return 1;
		buf[n] = '\0';
		if (strtol(buf, NULL, 10) <= last)
			return 2;
		last = strtol(buf, NULL, 10);
	}
	return 0;
}

/* The writer never ends, so the reader's batch would never leave anything to others. */
t_test(batch, native_receiver_has_its_share)
{
	make();
	pid_t reader = t_spawn(M, "sh", "exec cat $Q@lines,batch >/dev/null");
	pid_t native = t_fork(receive_natively, NULL);
	pid_t writer = t_spawn(M, "sh", "seq 1 100000000 >$Q@lines");

	cr_assert_eq(t_wait_exit(native, T_PATIENCE, NULL), 0);
	kill(-writer, SIGKILL);
	kill(reader, SIGKILL);
	t_wait_exit(writer, T_PATIENCE, NULL);
	t_wait_exit(reader, T_PATIENCE, NULL);
}

static volatile sig_atomic_t notified;

static void on_notify(int number)
{
	(void)number;
	notified = 1;
}

t_test(batch, notification_is_given)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};

	make();
	signal(SIGUSR2, on_notify);
	cr_assert_eq(mq_notify(q.fd, &event), 0);
	t_check("seq 1 10000 >$Q@lines & cat $Q@lines,batch,n=10000 | tail -n1", "10000\n");
	t_await(notified);
}

/* /mq: facets, framing, priorities and limits, as the shell and its tools meet them. Job queues: mount/jobs.c. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue.h"

TestSuite(mq, .timeout = 60);

static struct queue q;

static void make(void)
{
	q = queue_make("q", 10, 64);
	setenv("Q", t_path(M, "mq/%s", q.name), 1);
}

/* What is in the queue, each message in brackets. */
static char *contents(void)
{
	char *all = "", *text;

	while ((text = queue_take(&q, NULL)))
		all = t_format("%s[%s]", all, text);
	return all;
}

static ssize_t write_to(const char *facets, const void *data, size_t n)
{
	int fd = open(t_path(M, "mq/%s%s", q.name, facets), O_WRONLY | O_CLOEXEC);
	ssize_t r = fd < 0 ? -1 : write(fd, data, n);
	int err = errno;

	close(fd);
	errno = err;
	return r;
}

/* --- raw messages --- */

t_test(mq, write_is_a_message)
{
	make();
	t_check("echo hello >$Q; printf bye >>$Q", "");
	cr_assert_str_eq(contents(), "[hello\n][bye]");
}

t_test(mq, file_makes_the_queue_that_native_programs_open)
{
	setenv("Q", t_path(M, "mq/%s", t_name("q")), 1);
	t_check("echo hello >$Q@msgsize=64", "");
	q = queue_open(t_name("q"));
	cr_assert_str_eq(contents(), "[hello\n]");
}

t_test(mq, empty_message_ends_a_reader_and_is_taken)
{
	make();
	queue_send(&q, "", 0);
	queue_send(&q, "next", 0);
	t_check("cat $Q", "");
	t_check("cat $Q@drain", "next");
}

t_test(mq, empty_write_does_nothing_or_sends_nothing_else)
{
	make();
	cr_assert_eq(write_to("", "", 0), 0);
	cr_assert_leq(queue_depth(&q), 1);
}

t_test(mq, message_of_exactly_msgsize)
{
	char data[65], got[66];
	int fd;

	make();
	memset(data, 'x', sizeof(data));
	cr_assert_eq(write_to("", data, 64), 64);
	fd = open(t_path(M, "mq/%s", q.name), O_RDONLY);
	cr_assert_eq(read(fd, got, sizeof(got)), 64);
	cr_assert_eq(write_to("", data, 65), -1);
	cr_assert_eq(errno, EMSGSIZE);
	cr_assert_eq(queue_depth(&q), 0);
	cr_assert(strstr(t_read(t_path(M, "errors")), "EMSGSIZE"));
}

t_test(mq, raw_file_is_binary_safe)
{
	make();
	t_check("head -c 64 /dev/urandom >data; cat data >$Q; head -c 64 $Q | cmp - data", "");
	cr_assert_eq(write_to("", "a\0b\n\0", 5), 5);
	t_check("head -c 5 $Q | od -An -tx1", " 61 00 62 0a 00\n");
}

/* --- lines and nul --- */

t_test(mq, lines_cuts_at_newlines)
{
	make();
	t_check("printf 'a\\nbb\\n\\nccc' >$Q@lines", "");
	cr_assert_str_eq(contents(), "[a][bb][][ccc]");
}

t_test(mq, lines_reads_messages_with_newlines)
{
	make();
	queue_send(&q, "a", 0);
	queue_send(&q, "", 0);
	queue_send(&q, "b", 0);
	t_check("cat $Q@lines,drain", "a\n\nb\n");
}

t_test(mq, nul_cuts_at_nul)
{
	make();
	t_check("printf 'a\\nb\\0c\\0d' >$Q@nul; cat $Q@nul,drain | tr '\\0' ,", "a\nb,c,d,");
}

t_test(mq, lines_written_byte_by_byte)
{
	make();
	t_check("printf 'one\\ntwo\\nthree' | dd bs=1 status=none >$Q@lines", "");
	cr_assert_str_eq(contents(), "[one][two][three]");
}

t_test(mq, lines_written_in_blocks_of_stdio)
{
	make();
	t_check("seq 1 3000 | dd bs=4096 iflag=fullblock status=none >$Q@lines & cat $Q@lines,n=3000 >got; seq 1 3000 | cmp - got",
		"");
}

t_test(mq, too_long_line_is_refused_behind_what_was_taken)
{
	char data[128];

	make();
	memset(data, 'x', sizeof(data));
	memcpy(data, "a\nbb\n", 5);
	data[100] = '\n';
	cr_assert_eq(write_to("@lines", data, 101), 5, "what came before the long line");
	cr_assert_str_eq(contents(), "[a][bb]");
	cr_assert_eq(write_to("@lines", data + 5, 96), -1);
	cr_assert_eq(errno, EMSGSIZE);
	cr_assert_null(queue_take(&q, NULL));
}

t_test(mq, line_that_grows_too_long_is_never_cut)
{
	make();
	t_bash(1,
	       "perl -e '$| = 1; syswrite(STDOUT, \"x\" x 40) for 1..2; syswrite(STDOUT, \"\\n\") or exit 1' >$Q@lines || exit 1");
	cr_assert_str_eq(contents(), "");
}

t_test(mq, line_of_exactly_msgsize)
{
	make();
	t_check("printf '%064d\\n' 7 >$Q@lines; head -n1 $Q@lines | tr -d 0", "7\n");
}

t_test(mq, unfinished_line_is_there_when_the_writer_has_ended)
{
	make();
	for (int i = 0; i < 20; i++) {
		t_check("printf tail >$Q@lines", "");
		cr_assert_str_eq(contents(), "[tail]");
	}
}

/* --- facets of reading --- */

t_test(mq, drain_ends_when_empty)
{
	make();
	t_check("cat $Q@drain", "");
	queue_send(&q, "a", 0);
	queue_send(&q, "b", 0);
	t_check("cat $Q@drain", "ab");
}

t_test(mq, one_takes_one)
{
	make();
	queue_send(&q, "a", 0);
	queue_send(&q, "b", 0);
	t_check("cat $Q@one", "a");
	cr_assert_str_eq(contents(), "[b]");
}

t_test(mq, one_waits_for_it)
{
	char *out;

	make();
	pid_t pid = t_spawn(M, "sh", "exec cat $M/mq/${P}q@one");
	queue_await_waiters(M, &q, 1);
	queue_send(&q, "a", 0);
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, &out), 0);
	cr_assert_str_eq(out, "a");
}

t_test(mq, n_takes_so_many)
{
	make();
	t_check("seq 5 >$Q@lines; cat $Q@lines,n=3", "1\n2\n3\n");
	cr_assert_eq(queue_depth(&q), 2);
}

t_test(mq, idle_ends_after_a_silence)
{
	make();
	t_check("seq 3 >$Q@lines; cat $Q@lines,idle=50ms", "1\n2\n3\n");
}

t_test(mq, idle_takes_what_comes_meanwhile)
{
	char *out;

	make();
	pid_t pid = t_spawn(M, "sh", "exec cat $M/mq/${P}q@idle=400ms");
	queue_await_waiters(M, &q, 1);
	queue_send(&q, "a", 0);
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, &out), 0);
	cr_assert_str_eq(out, "a");
}

t_test(mq, timeout_of_a_read_is_etimedout)
{
	char c;

	make();
	cr_assert_eq(read(open(t_path(M, "mq/%s@timeout=50ms", q.name), O_RDONLY), &c, 1), -1);
	cr_assert_eq(errno, ETIMEDOUT);
}

t_test(mq, timeout_of_a_write_is_etimedout)
{
	make();
	queue_fill(&q);
	cr_assert_eq(write_to("@timeout=50ms", "x", 1), -1);
	cr_assert_eq(errno, ETIMEDOUT);
}

t_test(mq, timeout_reports_the_lines_that_were_taken)
{
	make();
	for (int i = 0; i < 9; i++)
		queue_send(&q, "x", 0);
	cr_assert_eq(write_to("@lines,timeout=50ms", "aa\nbb\n", 6), 3);
}

t_test(mq, timeout_zero_is_like_nonblocking)
{
	char c;

	make();
	cr_assert_eq(read(open(t_path(M, "mq/%s@timeout=0", q.name), O_RDONLY), &c, 1), -1);
	cr_assert_eq(errno, ETIMEDOUT);
}

t_test(mq, idle_and_timeout_the_sooner_wins)
{
	char c;

	make();
	cr_assert_eq(read(open(t_path(M, "mq/%s@idle=20ms,timeout=9s", q.name), O_RDONLY), &c, 1), 0);
	cr_assert_eq(read(open(t_path(M, "mq/%s@idle=9s,timeout=20ms", q.name), O_RDONLY), &c, 1), -1);
}

t_test(mq, batch_reads_as_many_whole_lines_as_fit)
{
	char got[8];
	int fd;

	make();
	t_check("printf '111\\n222\\n333\\n' >$Q@lines", "");
	fd = open(t_path(M, "mq/%s@lines,batch", q.name), O_RDONLY);
	cr_assert_eq(read(fd, got, 0), 0);
	char big[4096];
	cr_assert_eq(read(fd, big, sizeof(big)), 12);
	cr_assert_eq(memcmp(big, "111\n222\n333\n", 12), 0);
}

t_test(mq, batch_with_n_takes_no_more)
{
	make();
	t_check("seq 8 >$Q@lines; cat $Q@lines,batch,n=3", "1\n2\n3\n");
	cr_assert_eq(queue_depth(&q), 5);
}

t_test(mq, batch_drains)
{
	make();
	t_check("seq 8 >$Q@lines; cat $Q@lines,batch,drain | wc -l", "8\n");
}

t_test(mq, meta_shows_the_priority)
{
	make();
	queue_send(&q, "low", 0);
	queue_send(&q, "high", 32767);
	t_check("cat $Q@lines,meta,drain", "32767\thigh\n0\tlow\n");
}

t_test(mq, all_reading_facets_together)
{
	make();
	queue_send(&q, "a", 1);
	queue_send(&q, "b", 2);
	queue_send(&q, "c", 3);
	t_check("cat $Q@lines,meta,batch,n=2,idle=1s,timeout=5s", "3\tc\n2\tb\n");
}

/* --- priorities --- */

t_test(mq, priority_overtakes)
{
	make();
	t_check("echo late >$Q; echo soon >$Q@prio=9; echo first >$Q@lines,prio=10; cat $Q@drain", "firstsoon\nlate\n");
}

t_test(mq, equal_priorities_stay_in_order_through_both_doors)
{
	make();
	for (int i = 0; i < 10; i++) {
		if (i % 2)
			queue_send(&q, t_format("%d", i), 3);
		else
			cr_assert_eq(write_to("@prio=3", t_format("%d", i), 1), 1);
	}
	t_check("cat $Q@drain", "0123456789");
}

t_test(mq, native_receiver_sees_the_priority)
{
	unsigned prio;

	make();
	t_check("echo x >$Q@lines,prio=7", "");
	cr_assert_str_eq(queue_take(&q, &prio), "x");
	cr_assert_eq(prio, 7);
}

/* --- tools --- */

t_test(mq, tools_take_what_they_print)
{
	static const char *const scripts[][2] = {
		{"head -n1 $Q@lines", "1\n"},
		{"head -n3 $Q@lines", "1\n2\n3\n"},
		{"{ head -n1; head -n1; } <$Q@lines", "1\n2\n"},
		{"read -r a <$Q@lines; echo $a", "1\n"},
		{"{ read -r a; read -r b; } <$Q@lines; echo $a; echo $b", "1\n2\n"},
		{"mapfile -n 2 a <$Q@lines; printf %s \"${a[@]}\"", "1\n2\n"},
		{"grep -m1 . $Q@lines", "1\n"},
		{"grep -m2 . $Q@lines", "1\n2\n"},
		{"sed -u 2q $Q@lines", "1\n2\n"},
		{"dd if=$Q@lines count=2 status=none", "1\n2\n"},
	};

	make();
	for (unsigned i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		int taken = 0;

		t_check("seq 6 >$Q@lines", "");
		t_check(t_format("%s 2>&1", scripts[i][0]), scripts[i][1]);
		for (const char *at = scripts[i][1]; *at; at++)
			taken += *at == '\n';
		cr_expect_eq(queue_depth(&q), 6 - taken, "%s left %ld of 6", scripts[i][0], queue_depth(&q));
		contents();
	}
}

t_test(mq, head_of_the_raw_file_takes_one_without_complaint)
{
	make();
	t_check("echo one >$Q; echo two >$Q; head -n1 $Q 2>&1", "one\n");
	cr_assert_str_eq(contents(), "[two\n]");
}

t_test(mq, tools_that_read_to_the_end)
{
	make();
	for (int i = 0; i < 6; i++) {
		static const char *const scripts[][2] = {
			{"tail -n2 $Q@lines,drain", "8\n9\n"},
			{"wc -l <$Q@lines,drain", "9\n"},
			{"wc -c $Q@lines,drain | cut -d' ' -f1", "18\n"},
			{"cp $Q@lines,drain copy; wc -l <copy", "9\n"},
			{"sort -r $Q@lines,drain | head -n1", "9\n"},
			{"cat <$Q@lines,drain | tail -n1", "9\n"},
		};
		t_check("seq 9 >$Q@lines", "");
		t_check(scripts[i][0], scripts[i][1]);
		cr_expect_eq(queue_depth(&q), 0, "%s", scripts[i][0]);
		contents();
	}
}

/* --- ctl --- */

t_test(mq, ctl_shows_the_state)
{
	make();
	queue_send(&q, "four", 0);
	t_check("echo abc >$Q; cat $Q@one >/dev/null", "");
	cr_assert_eq(queue_ctl(M, &q, "maxmsg"), 10);
	cr_assert_eq(queue_ctl(M, &q, "msgsize"), 64);
	cr_assert_eq(queue_ctl(M, &q, "messages"), 1);
	cr_assert_eq(queue_ctl(M, &q, "bytes"), 4);
	cr_assert_eq(queue_ctl(M, &q, "in_messages"), 1);
	cr_assert_eq(queue_ctl(M, &q, "in_bytes"), 4);
	cr_assert_eq(queue_ctl(M, &q, "out_messages"), 1);
	cr_assert_eq(queue_ctl(M, &q, "readers"), 0);
}

t_test(mq, ctl_names_who_waits)
{
	make();
	pid_t pid = t_spawn(M, "sh", "exec cat $M/mq/${P}q");
	queue_await_waiters(M, &q, 1);
	char *text = t_read(t_path(M, "mq/%s@ctl", q.name));
	cr_assert(strstr(text, t_format("waiter=pid:%d command:cat operation:read since:", pid)), "%s", text);
	cr_assert_eq(queue_ctl(M, &q, "readers"), 1);
	kill(pid, SIGKILL);
	t_wait_exit(pid, T_PATIENCE, NULL);
}

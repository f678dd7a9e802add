/* /bcast through a mount: many readers in shells and programs, each with every message, and those who fall behind. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"

TestSuite(bcast, .timeout = 120);

static char *cast(const char *facets)
{
	return t_path(M, "bcast/b%s", facets);
}

/* $B in scripts. */
static void make(const char *buffer)
{
	setenv("B", cast(""), 1);
	close(t_open(cast(""), O_WRONLY | O_CREAT));
	if (buffer)
		t_write(cast("@ctl"), t_format("buffer=%s\n", buffer));
}

static long ctl(const char *key)
{
	return t_ctl(M, "bcast/b", key);
}

static void expect_read(int fd, const char *text)
{
	char got[256];
	ssize_t n = read(fd, got, sizeof(got) - 1);

	if (n < 0)
		t_fail("instead of %s: %s", text, strerror(errno));
	got[n] = '\0';
	cr_assert_str_eq(got, text);
}

/* --- what readers get --- */

t_test(bcast, every_reader_gets_all_in_order_whatever_it_is)
{
	static const char *const readers[][2] = {
		{"bash", "exec head -n3 $B@lines"},
		{"bash", "exec 3<$B@lines; for i in 1 2 3; do read -r a <&3; echo $a; done"},
		{"dash", "while read -r a; do echo $a; done <$B@lines,n=3"},
		{"sh", "exec cat $B@lines,n=3,batch"},
		{"sh", "exec sed -u 3q $B@lines"},
		{"python3",
		 "import os\nf = open(os.environ['B'] + '@lines')\nfor i in range(3): print(f.readline(), end='')"},
	};
	enum { READERS = sizeof(readers) / sizeof(readers[0]) };
	pid_t pids[READERS];

	t_need("python3");
	make(NULL);
	for (int i = 0; i < READERS; i++)
		pids[i] = t_spawn(M, readers[i][0], readers[i][1]);
	t_await_waiters(M, "bcast/b", READERS);
	t_bash(0, "echo one >$B@lines; echo two >$B@lines; python3 -c 'import os; open(os.environ[\"B\"] + \"@lines\", "
		  "\"w\").write(\"three\")'");
	for (int i = 0; i < READERS; i++) {
		char *out;

		cr_expect_eq(t_wait_exit(pids[i], T_PATIENCE, &out), 0, "%s", readers[i][1]);
		cr_expect_str_eq(out, "one\ntwo\nthree\n", "%s: %s", readers[i][1], out);
	}
}

t_test(bcast, plain_cat_goes_on_until_it_is_killed)
{
	char *out;

	make(NULL);
	pid_t pid = t_spawn(M, "sh", "exec cat $B");
	t_await_waiters(M, "bcast/b", 1);
	t_bash(0, "for i in 1 2 3; do echo line $i >$B; done");
	t_await_waiters(M, "bcast/b", 1);
	t_await(ctl("out_messages") == 3);
	t_await_waiters(M, "bcast/b", 1);
	kill(pid, SIGTERM);
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, &out), 128 + SIGTERM);
	cr_assert_str_eq(out, "line 1\nline 2\nline 3\n");
}

t_test(bcast, message_is_what_one_write_was)
{
	int in, out;

	make(NULL);
	in = t_open(cast(""), O_RDONLY);
	out = t_open(cast(""), O_WRONLY);
	cr_assert_eq(write(out, "a\0b\n\0", 5), 5);
	t_bash(0, "printf first >$B; dd if=/dev/zero of=$B bs=100 count=2 status=none; printf 'x\\ny' >$B@lines");
	char got[256];
	cr_assert_eq(read(in, got, sizeof(got)), 5);
	cr_assert_eq(memcmp(got, "a\0b\n\0", 5), 0);
	cr_assert_eq(read(in, got, 3), 3);
	cr_assert_eq(memcmp(got, "fir", 3), 0);
	expect_read(in, "st");
	cr_assert_eq(read(in, got, sizeof(got)), 100);
	cr_assert_eq(read(in, got, sizeof(got)), 100);
	expect_read(in, "x");
	expect_read(in, "y");
	fcntl(in, F_SETFL, O_NONBLOCK);
	t_check_errno(read(in, got, sizeof(got)), EAGAIN);
}

t_test(bcast, last_starts_so_many_back)
{
	make(NULL);
	t_check("seq 9 >$B@lines; cat $B@lines,drain", "");
	t_check("cat $B@lines,drain,last=3; cat $B@last=1,drain", "7\n8\n9\n9");
	t_check("cat $B@lines,drain,last=100 | wc -l; cat $B@lines,last=4,one; cat $B@nul,last=2,n=2 | tr '\\0' ,",
		"9\n6\n8,9,");
	t_check("cat $B@lines,last=2,idle=50ms", "8\n9\n");
	t_check("cat $B@timeout=50ms 2>&1 | grep -o 'timed out'", "timed out\n");
}

t_test(bcast, poll_tells_each_reader)
{
	struct pollfd p[2];

	make(NULL);
	for (int i = 0; i < 2; i++)
		p[i] = (struct pollfd){.fd = t_open(cast(""), O_RDONLY), .events = POLLIN};
	cr_assert_eq(poll(p, 2, 0), 0);
	t_bash(0, "printf x >$B");
	for (int i = 0; i < 2; i++)
		cr_assert_eq(poll(&p[i], 1, T_PATIENCE), 1);
	expect_read(p[0].fd, "x");
	cr_assert_eq(poll(&p[0], 1, 0), 0);
	cr_assert_eq(poll(&p[1], 1, 0), 1);
}

/* --- names and limits --- */

t_test(bcast, unlink_leaves_those_who_have_it_open_their_channel)
{
	int in, out;

	make(NULL);
	in = t_open(cast(""), O_RDONLY);
	out = t_open(cast(""), O_WRONLY);
	t_check("ls $M/bcast; rm $B; ls $M/bcast; touch $B; printf new >$B; mv $B ${B}2; ls $M/bcast", "b\nb2\n");
	cr_assert_eq(write(out, "old", 3), 3);
	expect_read(in, "old");
	t_check("cat ${B}2@last=9,drain", "new");
}

t_test(bcast, waits_end_with_a_signal_and_disturb_nobody)
{
	static const char *const scripts[] = {"timeout 0.1 cat $B", "timeout -s INT 0.1 cat $B@lines,batch",
					      "timeout -s KILL 0.1 cat $B@last=3", "timeout 0.1 head -n1 $B"};
	char *out;

	make(NULL);
	pid_t other = t_spawn(M, "sh", "exec cat $B@lines,n=4");
	t_await_waiters(M, "bcast/b", 1);
	for (int i = 0; i < 4; i++) {
		t_bash(i == 2 ? 137 : 124, scripts[i]);
		t_await_waiters(M, "bcast/b", 1);
		t_bash(0, t_format("printf %d >$B", i));
		if (i == 2)
			t_await(strstr(t_read(cast("@ctl")), "lag:0"));
	}
	cr_assert_eq(t_wait_exit(other, T_PATIENCE, &out), 0);
	cr_assert_str_eq(out, "0\n1\n2\n3\n");
}

t_test(bcast, buffer_is_set_in_ctl_and_bounds_a_message)
{
	static const char *const bad[] = {"buffer=1", "buffer=4095", "buffer=2G", "buffer=x", "buffer=-1", "size=9"};

	make("4K");
	cr_assert_eq(ctl("buffer"), 4096);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect(strstr(t_bash(1, t_format("echo %s >$B@ctl", bad[i])), "Invalid argument"), "%s", bad[i]);
	cr_assert(t_refused("buffer=BYTES takes 4096 to 1G"));
	t_check("dd if=/dev/zero of=$B bs=4096 count=1 status=none; cat $B@last=1,drain | wc -c", "4096\n");
	t_bash(1, "dd if=/dev/zero of=$B bs=4097 count=1 status=none 2>&1 | grep 'too long' && exit 1");
	cr_assert(t_refused("EMSGSIZE: a message of 4097 bytes; this channel takes 4096 (its whole buffer)"));
	t_check("seq 1000 >$B@lines; cat $B@lines,drain,last=9999 | tail -n1; echo buffer=1M >$B@ctl; cat "
		"$B@lines,drain,last=9999 | wc -l",
		"1000\n256\n");
}

t_test(bcast, memory_is_bounded_and_stated)
{
	long before, after;

	make("1M");
	t_bash(0, "head -c 4M /dev/zero >$B");
	before = t_ctl(M, "bcast/b", "memory");
	t_bash(0, "head -c 64M /dev/zero >$B");
	after = t_ctl(M, "bcast/b", "memory");
	cr_assert_eq(before, after);
	cr_assert_leq(after, 25 << 16);
	cr_assert_leq(ctl("bytes"), 1 << 20);
}

/* --- falling behind --- */

t_test(bcast, slow_reader_is_told_once_and_goes_on_with_the_oldest)
{
	char got[16];
	int in;

	make("4K"); /* 256 messages */
	in = t_open(cast("@lines"), O_RDONLY);
	t_bash(0, "seq 300 >$B@lines");
	cr_assert(strstr(t_read(cast("@ctl")), t_format("reader=pid:%d command:", getpid())));
	cr_assert(strstr(t_read(cast("@ctl")), " lag:256 dropped:44\n"), "%s", t_read(cast("@ctl")));
	t_check_errno(read(in, got, sizeof(got)), ENOBUFS);
	cr_assert(t_refused("ENOBUFS: this reader was too slow: 44 messages have left the buffer (4096 bytes)"));
	expect_read(in, "45\n");
	for (int i = 46; i <= 300; i++)
		expect_read(in, t_format("%d\n", i));
	t_bash(0, "echo more >$B");
	expect_read(in, "more\n\n");
	t_bash(0, "seq 1000 >$B@lines");
	t_check_errno(read(in, got, sizeof(got)), ENOBUFS);
	expect_read(in, "745\n");
	cr_assert(strstr(t_read(cast("@ctl")), " lag:255 dropped:788\n"), "%s", t_read(cast("@ctl")));
}

t_test(bcast, shell_is_told_and_reads_on)
{
	make("4K");
	t_check("exec 5<$B@lines; seq 300 >$B@lines; head -n1 <&5 2>&1 | grep -o 'No buffer space'; head -n1 <&5",
		"No buffer space\n45\n");
}

t_test(bcast, stopped_reader_delays_no_writer_and_no_other_reader)
{
	char *out;

	make("64K");
	pid_t stopped = t_spawn(M, "sh", "exec cat $B@lines"), other = t_spawn(M, "sh", "exec cat $B@lines,n=9");
	t_await_waiters(M, "bcast/b", 2);
	kill(stopped, SIGSTOP);
	t_await_waiters(M, "bcast/b", 1); /* the kernel ends its read, and begins it anew when it goes on */
	t_bash(0, "seq 9 >$B@lines");
	cr_assert_eq(t_wait_exit(other, T_PATIENCE, &out), 0);
	cr_assert_str_eq(out, "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
	t_bash(0, "seq 10 20000 >$B@lines");
	kill(stopped, SIGCONT);
	cr_assert_eq(t_wait_exit(stopped, T_PATIENCE, &out), 1);
	cr_assert(strstr(out, "No buffer space available"), "%s", out);
}

/* --- many --- */

enum { READERS = 100, MESSAGES = 100000, RAW_MESSAGES = 500 };

struct tally {
	long got, lost, dropped;
	uint64_t order; /* a hash of all that was got */
};

static struct tally *tallies;
static long messages;
static const char *facets;

/* What ctl says of this process. */
static long dropped_by_ctl(void)
{
	const char *text = t_read(cast("@ctl"));
	const char *line = strstr(text, t_format("reader=pid:%d ", getpid()));
	const char *count = line ? strstr(line, "dropped:") : NULL;

	return count ? strtol(count + 8, NULL, 10) : -1;
}

/* A line at a time, however many a read gives: they are whole. */
static void take_lines(char *text, struct tally *t, long *last, bool told)
{
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), told = false) {
		long number = strtol(line, NULL, 10);

		if (number != *last + 1 && !told)
			t_fail("%ld behind %ld, without ENOBUFS", number, *last);
		t->lost += number - *last - 1;
		t->got++;
		*last = number;
	}
}

static int count_all(void *index)
{
	static char text[1 << 17];
	struct tally *t = &tallies[*(int *)index];
	int fd = t_open(cast(facets), O_RDONLY);
	bool told = false;

	for (long last = 0; last < messages;) {
		ssize_t n = read(fd, text, sizeof(text) - 1);

		if (n <= 0 && (n == 0 || errno != ENOBUFS || told))
			t_fail("behind %ld: %zd, %s", last, n, strerror(errno));
		if (n > 0) {
			text[n] = '\0';
			take_lines(text, t, &last, told);
		}
		told = n < 0;
	}
	t->dropped = dropped_by_ctl();
	return 0;
}

static int hash_all(void *index)
{
	char text[64];
	struct tally *t = &tallies[*(int *)index];
	int fd = t_open(cast(facets), O_RDONLY);

	t->order = 0xcbf29ce484222325;
	for (; t->got < messages; t->got++) {
		ssize_t n = read(fd, text, sizeof(text));

		if (n <= 0)
			t_fail("behind %ld: %zd, %s", t->got, n, strerror(errno));
		for (ssize_t i = 0; i < n; i++)
			t->order = (t->order ^ (unsigned char)text[i]) * 0x100000001b3;
	}
	return 0;
}

static void start_readers(int (*reader)(void *), pid_t pids[static READERS])
{
	tallies = mmap(NULL, READERS * sizeof(*tallies), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(tallies, MAP_FAILED);
	for (int i = 0; i < READERS; i++)
		pids[i] = t_fork(reader, &i);
	t_await_waiters(M, "bcast/b", READERS);
}

static void check_count(const char *how, long count, const char *write)
{
	pid_t pids[READERS];

	make(NULL);
	facets = how;
	messages = count;
	start_readers(count_all, pids);
	t_bash(0, write);
	for (int i = 0; i < READERS; i++)
		cr_assert_eq(t_wait_exit(pids[i], 3 * T_PATIENCE, NULL), 0);
	for (int i = 0; i < READERS; i++) {
		cr_expect_eq(tallies[i].got + tallies[i].lost, count, "reader %d: %ld and %ld", i, tallies[i].got,
			     tallies[i].lost);
		cr_expect_eq(tallies[i].dropped, tallies[i].lost, "reader %d: ctl says %ld, not %ld", i,
			     tallies[i].dropped, tallies[i].lost);
	}
}

t_test(bcast, hundred_readers_of_a_hundred_thousand_lines_miss_none_that_is_not_counted)
{
	check_count("@lines,batch", MESSAGES, "seq 100000 >$B@lines");
}

t_test(bcast, hundred_readers_of_a_small_buffer_know_what_they_missed)
{
	check_count("@lines,batch", MESSAGES, "echo buffer=64K >$B@ctl; seq 100000 >$B@lines");
}

t_test(bcast, hundred_readers_of_single_lines_miss_none_that_is_not_counted)
{
	check_count("@lines", RAW_MESSAGES, "echo buffer=4K >$B@ctl; seq 500 >$B@lines");
}

t_test(bcast, order_is_the_same_for_all_whoever_writes)
{
	pid_t pids[READERS], writers[3];

	make(NULL);
	facets = "";
	messages = 300;
	start_readers(hash_all, pids);
	for (int i = 0; i < 3; i++)
		writers[i] = t_spawn(M, "bash", t_format("for ((i = 0; i < 100; i++)); do echo %d-$i >$B; done", i));
	for (int i = 0; i < 3; i++)
		cr_assert_eq(t_wait_exit(writers[i], T_PATIENCE, NULL), 0);
	for (int i = 0; i < READERS; i++)
		cr_assert_eq(t_wait_exit(pids[i], T_PATIENCE, NULL), 0);
	for (int i = 0; i < READERS; i++)
		cr_expect_eq(tallies[i].order, tallies[0].order, "reader %d", i);
}

/*
 * Two file users of one stream: what one writes goes to a read that waits, or through the kernel's socket. Nobody can
 * tell which.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness.h"

TestSuite(sock_pair, .timeout = 60);

enum { STREAM = 6 << 20, PIECE_MAX = 300000 };

struct talk {
	int fd;
	unsigned seed;	/* of the pieces' sizes */
	unsigned first; /* of the bytes */
};

/* Any two places within reach of a swap differ. */
static unsigned char byte_at(const struct talk *t, size_t at)
{
	return (unsigned char)(t->first + at * 7 + (at >> 8) * 31 + (at >> 16) * 101);
}

/* Now and then a few bytes, else some pages or more than the socket holds. */
static size_t piece(unsigned *seed)
{
	int r = rand_r(seed);

	return 1 + (size_t)rand_r(seed) % (r % 4 ? PIECE_MAX : 100);
}

static int say(void *arg)
{
	struct talk *t = arg;
	static unsigned char buf[PIECE_MAX + 1];
	ssize_t n;

	for (size_t at = 0; at < STREAM; at += (size_t)n) {
		size_t size = piece(&t->seed);

		if (size > STREAM - at)
			size = STREAM - at;
		for (size_t i = 0; i < size; i++)
			buf[i] = byte_at(t, at + i);
		n = write(t->fd, buf, size);
		if (n <= 0)
			return 1;
	}
	return 0;
}

static int hear(void *arg)
{
	struct talk *t = arg;
	static unsigned char buf[PIECE_MAX + 1];
	ssize_t n;

	for (size_t at = 0; at < STREAM; at += (size_t)n) {
		n = read(t->fd, buf, piece(&t->seed));
		if (n <= 0)
			return 1;
		for (size_t i = 0; i < (size_t)n; i++)
			if (buf[i] != byte_at(t, at + i))
				return 2;
	}
	return 0;
}

static void expect_done(pid_t pid)
{
	char *out;

	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, &out), 0);
}

t_test(sock_pair, bytes_keep_their_order_in_both_directions_at_once)
{
	char *name = t_path(M, "sock/%s", t_name("pair"));
	int client = t_open(name, O_RDWR | O_CREAT),
	    server = t_open(t_path(M, "sock/%s@listen", t_name("pair")), O_RDWR);
	struct talk to_server = {client, 1, 3}, at_server = {server, 2, 3}, to_client = {server, 3, 5},
		    at_client = {client, 4, 5};
	pid_t pids[] = {t_fork(say, &to_server), t_fork(hear, &at_server), t_fork(say, &to_client),
			t_fork(hear, &at_client)};

	for (unsigned i = 0; i < sizeof(pids) / sizeof(pids[0]); i++)
		expect_done(pids[i]);
}

t_test(sock_pair, a_waiting_read_that_is_short_leaves_the_rest_to_the_next)
{
	char *name = t_path(M, "sock/%s", t_name("pair"));
	int client = t_open(name, O_RDWR | O_CREAT);
	pid_t pid = t_spawn(M, "bash", t_format("exec 3<'%s'; head -c 3 <&3; echo; head -c 4 <&3", name));
	char *out;

	t_await_waiters(M, t_format("sock/%s", t_name("pair")), 1);
	cr_assert_eq(write(client, "onetwo!", 7), 7);
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, &out), 0);
	cr_assert_str_eq(out, "one\ntwo!");
}

/* Blocks as large as cat makes them go from the writer's request to the reader's answer; the counters do not tell. */
t_test(sock_pair, a_file_from_cat_to_cat_is_the_same_and_counted)
{
	t_check("s=$M/sock/${P}cat; head -c 9000001 /dev/urandom >in; touch $s; \n"
		"cat in >$s & cat $s >out; wait; cmp in out\n"
		"grep -c '^\\(in\\|out\\)_bytes=9000001$' $s@ctl; stat -c %o $s",
		"2\n1048576\n");
}

/*
 * What was read last is there again for who looks back, though the writer goes on. Of what is read with more than fits
 * into one request, 1 MiB less a page where the memory begins somewhere in one, that is the last request's.
 */
t_test(sock_pair, a_large_block_can_be_read_again_while_the_next_ones_wait)
{
	t_check("s=$M/sock/${P}again; touch $s; head -c 5242880 /dev/urandom >in; cat in >$s &\n"
		"python3 -c 'import os, sys\n"
		"f, size, out = os.open(sys.argv[1], os.O_RDONLY), 524288, open(\"out\", \"wb\")\n"
		"while block := os.read(f, size):\n"
		"    end = os.lseek(f, 0, os.SEEK_CUR)\n"
		"    os.lseek(f, end - len(block), os.SEEK_SET)\n"
		"    assert os.read(f, len(block)) == block\n"
		"    os.lseek(f, end - len(block) // 2, os.SEEK_SET)\n"
		"    assert os.read(f, size) == block[len(block) - len(block) // 2:]\n"
		"    out.write(block)' $s; wait; cmp in out && echo same",
		"same\n");
}

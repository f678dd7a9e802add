#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kinds/bcast/bcast.h"
#include "fixture.h"

static void setup(void)
{
	u_setup(&ipc_bcast);
}

TestSuite(bcast, .init = setup, .fini = u_teardown, .timeout = 20);

/* Opens the name, which is made if need be. */
static struct ipc_handle *opened(const char *name, int flags)
{
	struct stat st;

	if (u_stat(name, &st) == -ENOENT)
		u_create(name);
	return u_open(name, flags);
}

static struct ipc_handle *reader(const char *name)
{
	return opened(name, O_RDONLY);
}

static struct ipc_handle *writer(const char *name)
{
	return opened(name, O_WRONLY);
}

static ssize_t put_bytes(struct ipc_handle *h, const char *data, size_t n)
{
	struct ipc_op op = {.type = IPC_WRITE, .handle = h, .cred = u_me(), .data = data, .size = n};

	return ipc_submit(&op);
}

static void put(struct ipc_handle *h, const char *text)
{
	cr_assert_eq(put_bytes(h, text, strlen(text)), (ssize_t)strlen(text));
}

/* A read at the reader's end, of at most `room` bytes. Text is what was read. */
struct got {
	ssize_t n;
	char text[4096];
};

static struct got take_room(struct ipc_handle *h, size_t room)
{
	struct ipc_op op = {
		.type = IPC_READ, .handle = h, .cred = u_me(), .size = room, .offset = h->pos, .nonblock = true};
	struct got got = {.n = ipc_submit(&op)};

	if (got.n > 0)
		memcpy(got.text, op.data, (size_t)got.n < sizeof(got.text) ? (size_t)got.n : sizeof(got.text) - 1);
	return got;
}

static struct got take(struct ipc_handle *h)
{
	return take_room(h, sizeof(((struct got *)NULL)->text) - 1);
}

#define cr_take(h, expected) cr_assert_str_eq(take(h).text, expected)
#define cr_take_error(h, err) cr_assert_eq(take(h).n, -(err))

static ssize_t ctl_set(const char *name, const char *line)
{
	char path[64];
	struct ipc_handle *h;
	ssize_t r;

	snprintf(path, sizeof(path), "%s@ctl", name);
	h = writer(path);
	r = put_bytes(h, line, strlen(line));
	ipc_close(h);
	return r < 0 ? r : 0;
}

/* Reading and writing */

Test(bcast, every_reader_gets_every_message_in_order)
{
	struct ipc_handle *r[3], *w = writer("b");

	for (int i = 0; i < 3; i++)
		r[i] = reader("b");
	put(w, "one");
	put(w, "two");
	for (int i = 0; i < 3; i++) {
		cr_take(r[i], "one");
		cr_take(r[i], "two");
		cr_take_error(r[i], EAGAIN);
		ipc_close(r[i]);
	}
	ipc_close(w);
}

Test(bcast, a_reader_starts_with_what_comes_after_its_open)
{
	struct ipc_handle *w = writer("b"), *r;

	put(w, "before");
	r = reader("b");
	put(w, "after");
	cr_take(r, "after");
	ipc_close(r);
	ipc_close(w);
}

Test(bcast, last_starts_so_many_messages_back)
{
	struct ipc_handle *w = writer("b"), *two, *all;

	put(w, "one");
	put(w, "two");
	put(w, "three");
	two = reader("b@last=2");
	all = reader("b@last=1000");
	cr_take(two, "two");
	cr_take(all, "one");
	ipc_close(two);
	ipc_close(all);
	ipc_close(w);
}

Test(bcast, a_parked_reader_is_woken_by_a_write)
{
	struct ipc_handle *w = writer("b"), *r = reader("b");
	struct u_call c;

	u_begin(&c, r, IPC_READ, NULL);
	cr_assert_not(c.done);
	put(w, "hello");
	u_finish(&c);
	cr_assert_str_eq(c.text, "hello");
	ipc_close(r);
	ipc_close(w);
}

Test(bcast, a_reader_with_messages_does_not_wait_behind_one_without)
{
	struct ipc_handle *w = writer("b"), *parked = reader("b"), *late;
	struct u_call c, d;

	put(w, "one");
	cr_take(parked, "one");
	u_begin(&c, parked, IPC_READ, NULL);
	late = reader("b@last=1");
	u_begin(&d, late, IPC_READ, NULL);
	cr_assert(d.done);
	cr_assert_str_eq(d.text, "one");
	cr_assert_not(c.done);
	ipc_interrupt(&c.op);
	cr_assert_eq(c.result, -EINTR);
	ipc_close(late);
	ipc_close(parked);
	ipc_close(w);
}

Test(bcast, an_undelivered_message_is_read_again)
{
	static const char *const names[] = {"b", "b"};
	static const int flags[] = {O_RDONLY, O_RDWR};

	for (int i = 0; i < 2; i++) {
		struct ipc_handle *w = writer(names[i]), *r = opened(names[i], flags[i]);
		off_t before = r->pos;
		struct u_call c;

		u_begin(&c, r, IPC_READ, NULL);
		c.undeliverable = true;
		put(w, "precious");
		put(w, "next");
		u_finish(&c);
		if (flags[i] == O_RDONLY)
			r->pos = before; /* the kernel's position, which did not move */
		cr_take(r, "precious");
		cr_take(r, "next");
		cr_take_error(r, EAGAIN);
		ipc_close(r);
		ipc_close(w);
	}
}

Test(bcast, a_duplex_handle_hears_itself)
{
	struct ipc_handle *h = opened("b", O_RDWR);

	put(h, "echo");
	cr_take(h, "echo");
	ipc_close(h);
}

Test(bcast, a_short_read_gets_the_rest_later)
{
	struct ipc_handle *w = writer("b"), *r = reader("b");

	put(w, "abcdef");
	put(w, "next");
	cr_assert_str_eq(take_room(r, 4).text, "abcd");
	cr_assert_str_eq(take_room(r, 4).text, "ef");
	cr_assert_str_eq(take_room(r, 4).text, "next");
	ipc_close(r);
	ipc_close(w);
}

Test(bcast, an_empty_message_is_no_end_of_file)
{
	struct ipc_handle *w = writer("b@lines"), *plain = reader("b"), *lines = reader("b@lines");

	put(w, "\nfull\n");
	cr_take(plain, "full");
	cr_take(lines, "\n");
	cr_take(lines, "full\n");
	cr_assert_eq(ipc_poll(plain, false) & POLLIN, 0);
	ipc_close(lines);
	ipc_close(plain);
	ipc_close(w);
}

Test(bcast, lines_are_messages_also_when_written_in_pieces)
{
	struct ipc_handle *w = writer("b@lines"), *r = reader("b@nul");
	struct got got;

	put(w, "on");
	put(w, "e\ntwo\nthr");
	got = take(r);
	cr_assert_eq(got.n, 4);
	cr_assert_arr_eq(got.text, "one", 4);
	cr_assert_arr_eq(take(r).text, "two", 4);
	cr_take_error(r, EAGAIN);
	ipc_close(w);
	cr_assert_arr_eq(take(r).text, "thr", 4);
	ipc_close(r);
}

Test(bcast, a_batch_is_as_many_whole_lines_as_fit)
{
	struct ipc_handle *w = writer("b@lines"), *r = reader("b@lines,batch"), *three = reader("b@lines,batch,n=3");

	put(w, "1\n22\n333\n4\n");
	cr_assert_str_eq(take_room(r, 8).text, "1\n22\n");
	cr_take(r, "333\n4\n");
	cr_take(three, "1\n22\n333\n");
	cr_assert_eq(take(three).n, 0);
	ipc_close(three);
	ipc_close(r);
	ipc_close(w);
}

Test(bcast, a_batch_reader_waits_a_moment_for_more)
{
	struct ipc_handle *w = writer("b@lines"), *r = reader("b@lines,batch");
	struct u_call c;

	u_begin(&c, r, IPC_READ, NULL);
	put(w, "first\n");
	u_finish(&c);
	cr_assert_str_eq(c.text, "first\n");
	bcast_chan(r->chan)->round_next = ipc_now() + 50000000; /* however slow this machine is */
	put(w, "second\n");
	u_begin(&c, r, IPC_READ, NULL);
	cr_assert_not(c.done);
	put(w, "third\n");
	u_finish(&c);
	cr_assert_str_eq(c.text, "second\nthird\n");
	ipc_close(r);
	ipc_close(w);
}

Test(bcast, a_batch_reader_who_is_closed_meanwhile_is_not_woken)
{
	struct ipc_handle *w = writer("b@lines"), *r = reader("b@lines,batch");
	struct u_call c;

	u_begin(&c, r, IPC_READ, NULL);
	put(w, "first\n");
	u_finish(&c);
	bcast_chan(r->chan)->round_next = ipc_now() + 50000000; /* however slow this machine is */
	put(w, "second\n");
	u_begin(&c, r, IPC_READ, NULL);
	cr_assert_not(c.done);
	ipc_close(r);
	cr_assert_eq(c.result, -EBADF);
	ipc_close(w);
	cr_assert_eq(u_remove("b"), 0);
	cr_assert_eq(ipc_loop_turn(u_loop, 60), 0);
}

Test(bcast, drain_one_and_n_end_the_file)
{
	struct ipc_handle *w = writer("b"), *one, *two, *drain;

	put(w, "1");
	put(w, "2");
	put(w, "3");
	one = reader("b@last=9,one");
	two = reader("b@last=9,n=2");
	drain = reader("b@last=2,drain");
	cr_take(one, "1");
	cr_assert_eq(take(one).n, 0);
	cr_take(two, "1");
	cr_take(two, "2");
	cr_assert_eq(take(two).n, 0);
	cr_take(drain, "2");
	cr_take(drain, "3");
	cr_assert_eq(take(drain).n, 0);
	ipc_close(drain);
	ipc_close(two);
	ipc_close(one);
	ipc_close(w);
}

Test(bcast, idle_ends_and_timeout_fails)
{
	struct ipc_handle *idle = reader("b@idle=1ms"), *timeout = reader("b@timeout=1ms");
	struct u_call c, d;

	u_begin(&c, idle, IPC_READ, NULL);
	u_begin(&d, timeout, IPC_READ, NULL);
	u_finish(&c);
	u_finish(&d);
	cr_assert_eq(c.result, 0);
	cr_assert_eq(d.result, -ETIMEDOUT);
	ipc_close(timeout);
	ipc_close(idle);
}

/* The bound */

Test(bcast, a_slow_reader_is_told_once_and_goes_on_with_the_oldest)
{
	struct ipc_handle *w = writer("b"), *slow = reader("b"), *fast = reader("b");
	char message[1024] = "";

	cr_assert_eq(ctl_set("b", "buffer=4096\n"), 0);
	for (int i = 0; i < 10; i++) {
		snprintf(message, sizeof(message), "%d", i);
		cr_assert_eq(put_bytes(w, message, sizeof(message)), sizeof(message));
		cr_take(fast, message);
	}
	cr_assert(ipc_poll(slow, false) & POLLIN);
	cr_assert(strstr(u_ctl("b"), "lag:4 dropped:6\n"));
	cr_take_error(slow, ENOBUFS);
	cr_assert(u_refused("bcast/b: ENOBUFS: this reader was too slow: 6 messages"));
	cr_take(slow, "6");
	cr_take(slow, "7");
	cr_take(slow, "8");
	cr_take(slow, "9");
	cr_take_error(slow, EAGAIN);
	cr_assert(strstr(u_ctl("b"), "lag:0 dropped:6\n"));
	cr_assert(strstr(u_ctl("b"), "lag:0 dropped:0\n"));
	ipc_close(fast);
	ipc_close(slow);
	ipc_close(w);
}

Test(bcast, what_goes_between_being_told_and_the_next_read_is_only_counted)
{
	struct ipc_handle *w = writer("b"), *slow = reader("b");
	char message[1024] = "";

	cr_assert_eq(ctl_set("b", "buffer=4096\n"), 0);
	for (int i = 0; i < 20; i++) {
		snprintf(message, sizeof(message), "%d", i);
		cr_assert_eq(put_bytes(w, message, sizeof(message)), sizeof(message));
		if (i == 9)
			cr_take_error(slow, ENOBUFS);
	}
	cr_take(slow, "16");
	cr_assert(strstr(u_ctl("b"), "lag:3 dropped:16\n"));
	for (int i = 0; i < 4; i++)
		cr_assert_eq(put_bytes(w, message, sizeof(message)), sizeof(message));
	cr_take_error(slow, ENOBUFS);
	ipc_close(slow);
	ipc_close(w);
}

Test(bcast, short_messages_are_bounded_in_number)
{
	struct ipc_handle *w = writer("b"), *r = reader("b");

	for (int i = 0; i < 65536 + 5; i++)
		put(w, "x");
	cr_take_error(r, ENOBUFS);
	cr_assert(strstr(u_ctl("b"), "messages=65536\n"));
	cr_assert(strstr(u_ctl("b"), "lag:65536 dropped:5\n"));
	ipc_close(r);
	ipc_close(w);
}

Test(bcast, what_one_write_cannot_carry_is_refused)
{
	struct ipc_handle *w = writer("b");
	char *big = calloc(1, IPC_MESSAGE_MAX + 1);

	cr_assert_eq(put_bytes(w, big, IPC_MESSAGE_MAX + 1), -EMSGSIZE);
	cr_assert(u_refused("what one write surely carries"));
	cr_assert_eq(put_bytes(w, big, IPC_MESSAGE_MAX), IPC_MESSAGE_MAX);
	free(big);
	ipc_close(w);
}

Test(bcast, a_message_above_the_buffer_is_refused)
{
	struct ipc_handle *w = writer("b"), *lines = writer("b@lines");
	char big[4097];

	memset(big, 'x', sizeof(big));
	cr_assert_eq(put_bytes(lines, big, sizeof(big)), sizeof(big));
	cr_assert_eq(ctl_set("b", "buffer=4K\n"), 0);
	cr_assert_eq(put_bytes(w, big, sizeof(big)), -EMSGSIZE);
	cr_assert(u_refused("4097 bytes; this channel takes 4096 (its whole buffer)"));
	cr_assert_eq(put_bytes(w, big, 4096), 4096);
	/* The line that was begun under the larger buffer cannot be sent any more. */
	cr_assert_eq(put_bytes(lines, "\n", 1), -EMSGSIZE);
	ipc_close(lines);
	ipc_close(w);
}

Test(bcast, the_buffer_can_be_changed_with_messages_in_it)
{
	struct ipc_handle *w = writer("b"), *r = reader("b");
	char message[1000] = "";

	for (int i = 0; i < 10; i++) {
		snprintf(message, sizeof(message), "%d", i);
		cr_assert_eq(put_bytes(w, message, sizeof(message)), sizeof(message));
	}
	cr_assert_eq(ctl_set("b", "buffer=4K\n"), 0);
	cr_assert_eq(ctl_set("b", "buffer=1M\n"), 0);
	cr_take_error(r, ENOBUFS);
	cr_take(r, "6");
	cr_assert(strstr(u_ctl("b"), "buffer=1048576\nmax_messages=65536\nmessages=4\nbytes=4000\n"));
	ipc_close(r);
	ipc_close(w);
}

Test(bcast, nonsense_for_the_buffer_is_refused)
{
	ipc_close(writer("b"));
	cr_assert_eq(ctl_set("b", "buffer=4095\n"), -EINVAL);
	cr_assert(u_refused("buffer=BYTES takes 4096 to 1G"));
	cr_assert_eq(ctl_set("b", "buffer=2G\n"), -EINVAL);
	cr_assert_eq(ctl_set("b", "buffer=\n"), -EINVAL);
	cr_assert_eq(ctl_set("b", "size=1M\n"), -EINVAL);
	cr_assert(u_refused("only buffer=BYTES can be set"));
}

Test(bcast, the_owner_pays_for_the_buffer)
{
	struct ipc_options options = {.quota = {[IPC_QUOTA_BYTES] = 100000}};
	struct ipc_handle *w;

	ipc_free(u_ipc);
	u_ipc = ipc_new(u_loop, &options, ipc_kinds);
	w = writer("b");
	cr_assert_eq(put_bytes(w, "x", 1), -EDQUOT);
	cr_assert_eq(ctl_set("b", "buffer=40K\n"), 0);
	put(w, "x");
	cr_assert_eq(ctl_set("b", "buffer=41K\n"), -EDQUOT);
	ipc_close(w);
	cr_assert_eq(u_remove("b"), 0);
	w = writer("c");
	cr_assert_eq(ctl_set("c", "buffer=60K\n"), 0);
	put(w, "x");
	ipc_close(w);
}

/* Names, polls, ctl */

Test(bcast, an_unlinked_channel_goes_on_for_those_who_have_it_open)
{
	struct ipc_handle *w = writer("b"), *r = reader("b"), *other;
	struct stat st;

	cr_assert_eq(u_remove("b"), 0);
	cr_assert_eq(u_remove("b"), -ENOENT);
	cr_assert_eq(u_stat("b", &st), -ENOENT);
	other = reader("b");
	put(w, "still here");
	cr_take(r, "still here");
	cr_take_error(other, EAGAIN);
	ipc_close(other);
	ipc_close(r);
	ipc_close(w);
}

Test(bcast, a_renamed_channel_keeps_its_readers)
{
	struct ipc_handle *r = reader("old"), *w;
	struct ipc_ref from = u_named("old"), to = u_named("new");
	struct ipc_cred cred = u_me();

	cr_assert_eq(ipc_rename(u_ipc, &cred, &from, &to, 0), 0);
	w = writer("new");
	put(w, "hello");
	cr_take(r, "hello");
	ipc_close(w);
	ipc_close(r);
}

Test(bcast, other_types_are_refused_with_a_line)
{
	cr_assert_eq(u_create_type("b", S_IFIFO | 0600), -EPERM);
	cr_assert(u_refused("bcast/b: EPERM: /bcast holds broadcast channels only"));
}

Test(bcast, poll_says_what_a_read_would_find)
{
	struct ipc_handle *w = writer("b"), *r = reader("b");
	int ready = 0;

	cr_assert_eq(ipc_poll(w, false), POLLOUT | POLLWRNORM);
	ipc_handle_on_ready(r, u_count_ready, &ready);
	cr_assert_eq(ipc_poll(r, true), 0);
	put(w, "x");
	cr_assert_eq(ipc_loop_turn(u_loop, 0), 0);
	cr_assert_eq(ready, 1);
	cr_assert_eq(ipc_poll(r, true), POLLIN | POLLRDNORM);
	cr_take(r, "x");
	cr_assert_eq(ipc_poll(r, false), 0);
	ipc_close(r);
	ipc_close(w);
}

/* As an edge of epoll(7): whoever polls is told of each message, also while there is one that he has not read. */
Test(bcast, a_poller_is_told_of_every_message)
{
	const char *const faces[] = {"b", "b@lines,batch"};

	for (unsigned i = 0; i < 2; i++) {
		struct ipc_handle *w = writer("b"), *r = reader(faces[i]);
		int64_t end = ipc_now() + INT64_C(2000000000);
		int ready = 0;

		ipc_handle_on_ready(r, u_count_ready, &ready);
		for (int n = 1; n <= 3; n++) {
			ipc_poll(r, true);
			put(w, "x");
			while (ready < n && ipc_now() < end)
				cr_assert_eq(ipc_loop_turn(u_loop, 1), 0);
			cr_assert_eq(ready, n, "%s", faces[i]);
		}
		ipc_close(r);
		ipc_close(w);
	}
}

Test(bcast, ctl_names_the_readers_and_the_memory)
{
	struct ipc_handle *w, *r = reader("b");
	char line[64];

	cr_assert(strstr(u_ctl("b"), "buffer=1048576\nmax_messages=65536\nmessages=0\nbytes=0\nmemory=0\n"));
	w = writer("b");
	put(w, "12345");
	put(w, "678");
	cr_assert(strstr(u_ctl("b"), "messages=2\nbytes=8\nmemory=1638400\n"));
	snprintf(line, sizeof(line), "reader=pid:%d command:", (int)getpid());
	cr_assert(strstr(u_ctl("b"), line));
	cr_assert(strstr(u_ctl("b"), "lag:2 dropped:0\n"));
	ipc_close(w);
	ipc_close(r);
}

Test(bcast, ctl_of_a_channel_that_nobody_has_open_shows_its_counters)
{
	struct ipc_handle *w = writer("b");

	put(w, "12345");
	ipc_close(w);
	cr_assert(strstr(u_ctl("b"), "readers=0\nwriters=0\nwaiters=0\nin_messages=1\nin_bytes=5\n"));
}

Test(bcast, many_readers_of_many_messages_miss_nothing_uncounted)
{
	enum { READERS = 50, MESSAGES = 20000 };
	struct ipc_handle *w = writer("b"), *r[READERS];
	long got[READERS] = {0}, missed[READERS] = {0};
	char text[16];

	for (int i = 0; i < READERS; i++)
		r[i] = reader("b");
	cr_assert_eq(ctl_set("b", "buffer=4K\n"), 0);
	for (int m = 0; m < MESSAGES; m++) {
		snprintf(text, sizeof(text), "%d", m);
		put(w, text);
		/* Some read all, others now and then. */
		for (int i = m % (1 + m % 7); i < READERS; i += 1 + i) {
			struct got g = take(r[i]);

			if (g.n < 0)
				continue;
			missed[i] += atol(g.text) - got[i] - missed[i];
			got[i]++;
		}
	}
	for (int i = 0; i < READERS; i++) {
		struct got g;

		while ((g = take(r[i])).n != -EAGAIN) {
			if (g.n < 0)
				continue;
			missed[i] += atol(g.text) - got[i] - missed[i];
			got[i]++;
		}
		cr_assert_eq(got[i] + missed[i], MESSAGES);
		snprintf(text, sizeof(text), "dropped:%ld\n", missed[i]);
		cr_assert(strstr(u_ctl("b"), text));
		ipc_close(r[i]);
	}
	ipc_close(w);
}

/* cat(1) reads so, and has the buffer of a channel in a few reads. */
Test(bcast, a_read_with_plenty_of_room_gets_all_lines_that_are_there)
{
	struct ipc_handle *w = writer("b"), *r = reader("b@lines"), *three = reader("b@lines,n=3");

	for (int i = 0; i < 4; i++)
		put(w, "x");
	cr_assert_str_eq(take_room(r, 4000).text, "x\n");
	cr_assert_str_eq(take_room(r, 128 << 10).text, "x\nx\nx\n");
	cr_assert_str_eq(take_room(three, 128 << 10).text, "x\nx\nx\n");
	ipc_close(three);
	ipc_close(r);
	ipc_close(w);
}

Test(bcast, readers_that_begin_together_get_the_same_whatever_they_have_room_for)
{
	struct ipc_handle *w = writer("b@lines"), *first = reader("b@lines,batch"), *second = reader("b@lines,batch"),
			  *third = reader("b@nul,batch"), *fourth = reader("b@lines,batch");

	put(w, "one\ntwo\n");
	cr_take(first, "one\ntwo\n");
	put(w, "three\n");
	cr_take(second, "one\ntwo\nthree\n");
	cr_assert_arr_eq(take(third).text, "one\0two\0three", 14);
	cr_assert_str_eq(take_room(fourth, 5).text, "one\n");
	cr_take(fourth, "two\nthree\n");
	cr_take(first, "three\n");
	put(w, "four\n");
	cr_take(first, "four\n");
	ipc_close(first);
	put(w, "five\n");
	cr_take(second, "four\nfive\n");
	ipc_close(second);
	cr_take(fourth, "four\nfive\n");
	ipc_close(third);
	ipc_close(fourth);
	ipc_close(w);
}

/* Streams that file users make. */
#include "sock.h"

#include <sys/resource.h>

TestSuite(sock, .init = setup, .fini = teardown, .timeout = 30);

Test(sock, reader_first_meets_writer)
{
	struct ipc_handle *r, *w;
	struct u_call c = {.done = false};

	cr_assert_eq(u_create_type("x", S_IFREG | 0644), 0);
	r = opened("x", O_RDONLY);
	cr_assert_eq(begin_read(&c, r, 100, false), IPC_WOULD_PARK);
	w = opened("x", O_WRONLY);
	cr_assert_eq(put(w, "hi\n", 3), 3);
	cr_assert_eq(finish(&c), 3);
	cr_assert_arr_eq(c.text, "hi\n", 3);
	ipc_close(w);
	cr_assert_eq(get(r, 100, c.text), 0);
	cr_assert_eq(get(r, 100, c.text), 0);
	ipc_close(r);
}

Test(sock, what_was_written_before_a_reader_came_is_not_lost)
{
	struct ipc_handle *r, *w;
	char buf[8];

	cr_assert_eq(u_create_type("x", S_IFREG | 0644), 0);
	w = opened("x", O_WRONLY);
	cr_assert_eq(put(w, "early", 5), 5);
	ipc_close(w);
	r = opened("x", O_RDONLY);
	expect_get(r, "early");
	cr_assert_eq(get(r, 8, buf), 0);
	ipc_close(r);
}

Test(sock, each_reader_gets_one_connection)
{
	struct ipc_handle *w[2], *r[2];
	char buf[8];

	cr_assert_eq(u_create_type("x", S_IFREG | 0644), 0);
	for (int i = 0; i < 2; i++) {
		w[i] = opened("x", O_WRONLY);
		cr_assert_eq(put(w[i], i ? "two" : "one", 3), 3);
		ipc_close(w[i]);
	}
	for (int i = 0; i < 2; i++) {
		r[i] = opened("x", O_RDONLY);
		expect_get(r[i], i ? "two" : "one");
		cr_assert_eq(get(r[i], 8, buf), 0);
	}
	ipc_close(r[0]);
	ipc_close(r[1]);
}

Test(sock, listen_waits_for_a_client_and_serves_both_ways)
{
	struct ipc_handle *s, *c;
	struct u_call accept = {.done = false};

	cr_assert_eq(u_create_type("x@listen", S_IFREG | 0644), 0);
	cr_assert_eq(u_handle("x@listen", O_RDWR, &s), 0);
	cr_assert_eq(begin(&accept, s, IPC_OPEN, false), IPC_WOULD_PARK);
	c = opened("x", O_RDWR);
	cr_assert_eq(finish(&accept), 0);
	cr_assert_eq(put(c, "question", 8), 8);
	expect_get(s, "question");
	cr_assert_eq(put(s, "answer", 6), 6);
	expect_get(c, "answer");
	ipc_close(c);
	ipc_close(s);
}

Test(sock, nonblocking_listen_says_EAGAIN)
{
	cr_assert_eq(u_create_type("x", S_IFREG | 0644), 0);
	cr_assert_eq(open_fails("x@listen", O_RDWR | O_NONBLOCK), -EAGAIN);
}

Test(sock, accepts_go_in_the_order_of_arrival)
{
	struct ipc_handle *s[2], *c;
	struct u_call accept[2] = {{.done = false}, {.done = false}};

	cr_assert_eq(u_create_type("x", S_IFREG | 0644), 0);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(u_handle("x@listen", O_RDONLY, &s[i]), 0);
		cr_assert_eq(begin(&accept[i], s[i], IPC_OPEN, false), IPC_WOULD_PARK);
	}
	c = opened("x", O_WRONLY);
	cr_assert_eq(finish(&accept[0]), 0);
	settle();
	cr_assert_not(accept[1].done);
	ipc_interrupt(&accept[1].op);
	cr_assert_eq(finish(&accept[1]), -EINTR);
	ipc_close(s[0]);
	ipc_close(s[1]);
	ipc_close(c);
}

Test(sock, read_and_write_wait_at_once_on_one_handle)
{
	struct ipc_handle *s, *c;
	struct u_call reading = {.done = false};
	size_t size = 4 << 20, got = 0;
	char *big = malloc(size), *buf = malloc(size);
	struct u_call writing = {.op = {.data = big, .size = size}};

	for (size_t i = 0; i < size; i++)
		big[i] = (char)(i * 7 >> 3);
	cr_assert_eq(u_create_type("x", S_IFREG | 0644), 0);
	c = opened("x", O_RDWR);
	s = opened("x@listen", O_RDWR);
	cr_assert_eq(begin_read(&reading, s, 100, false), IPC_WOULD_PARK);
	cr_assert_eq(begin(&writing, s, IPC_WRITE, false), IPC_WOULD_PARK);
	cr_assert_eq(put(c, "meanwhile", 9), 9);
	cr_assert_eq(finish(&reading), 9);
	cr_assert_not(writing.done);
	while (got < size) {
		ssize_t n = get(c, 4096, buf + got);

		cr_assert_gt(n, 0);
		got += (size_t)n;
	}
	cr_assert_eq(finish(&writing), (ssize_t)size);
	cr_assert_arr_eq(buf, big, size);
	ipc_close(c);
	ipc_close(s);
	free(big);
	free(buf);
}

Test(sock, interrupted_write_tells_what_was_taken)
{
	size_t size = 4 << 20;
	char *big = calloc(1, size);
	struct u_call writing = {.op = {.data = big, .size = size}};
	struct ipc_handle *c;

	cr_assert_eq(u_create_type("x", S_IFREG | 0644), 0);
	c = opened("x", O_WRONLY);
	cr_assert_eq(begin(&writing, c, IPC_WRITE, false), IPC_WOULD_PARK);
	ipc_interrupt(&writing.op);
	cr_assert(writing.result > 0 && writing.result < (ssize_t)size);
	begin(&writing, c, IPC_WRITE, true);
	cr_assert_eq(writing.result, -EAGAIN);
	ipc_close(c);
	free(big);
}

Test(sock, half_close_is_end_of_file_while_writing_goes_on)
{
	struct ipc_handle *s;
	char buf[8];
	int fd;

	cr_assert_eq(u_create_type("x", S_IFREG | 0644), 0);
	fd = native_connect("x", SOCK_STREAM);
	cr_assert_geq(fd, 0);
	s = opened("x@listen", O_RDWR);
	shutdown(fd, SHUT_WR);
	cr_assert_eq(get(s, 8, buf), 0);
	cr_assert_eq(put(s, "still", 5), 5);
	cr_assert_eq(read(fd, buf, 8), 5);
	close(fd);
	cr_assert_eq(put(s, "gone", 4), -EPIPE);
	ipc_close(s);
}

Test(sock, parked_reader_learns_that_the_peer_has_gone)
{
	struct u_call c = {.done = false};
	struct ipc_handle *s;
	int fd;

	cr_assert_eq(u_create_type("x", S_IFREG | 0644), 0);
	fd = native_connect("x", SOCK_STREAM);
	s = opened("x", O_RDONLY);
	cr_assert_eq(begin_read(&c, s, 100, false), IPC_WOULD_PARK);
	close(fd);
	cr_assert_eq(finish(&c), 0);
	ipc_close(s);
}

Test(sock, timeout_ends_a_listen)
{
	cr_assert_eq(u_create_type("x", S_IFREG | 0644), 0);
	cr_assert_eq(open_fails("x@listen,timeout=20ms", O_RDONLY), -ETIMEDOUT);
}

Test(sock, closing_with_a_read_parked_ends_it)
{
	struct u_call c = {.done = false};
	struct ipc_handle *h;

	cr_assert_eq(u_create_type("x", S_IFREG | 0644), 0);
	h = opened("x", O_RDONLY);
	cr_assert_eq(begin_read(&c, h, 100, false), IPC_WOULD_PARK);
	ipc_close(h);
	cr_assert_eq(c.result, -EBADF);
}

Test(sock, all_reads_of_a_handle_move_to_its_connection)
{
	struct ipc_handle *a, *b, *w;
	struct u_call reads[3] = {{.done = false}, {.done = false}, {.done = false}};

	cr_assert_eq(u_create_type("x", S_IFREG | 0644), 0);
	a = opened("x", O_RDONLY);
	b = opened("x", O_RDONLY);
	begin_read(&reads[0], a, 100, false);
	begin_read(&reads[1], b, 100, false);
	begin_read(&reads[2], a, 100, false);
	w = opened("x", O_WRONLY);
	cr_assert_eq(put(w, "1", 1), 1);
	cr_assert_eq(finish(&reads[0]), 1);
	cr_assert_eq(reads[2].op.waitq, a->waitq);
	ipc_close(a);
	cr_assert_eq(reads[2].result, -EBADF);
	ipc_close(b);
	ipc_close(w);
}

Test(sock, full_backlog_waits_until_somebody_accepts)
{
	struct u_call connecting = {.done = false}, writing = {.op = {.data = "x", .size = 1}};
	struct rlimit files = {.rlim_cur = 16384, .rlim_max = 16384};
	struct ipc_handle *all[4097], *c, *s;
	int n = 0;

	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		cr_skip("too few descriptors to fill it");
	cr_assert_eq(u_create_type("x", S_IFREG | 0644), 0);
	for (; n < 4096; n++)
		all[n] = opened("x", O_RDWR);
	cr_assert_eq(open_fails("x", O_RDWR | O_NONBLOCK), -EAGAIN);
	c = opened("x", O_WRONLY | O_NONBLOCK);
	cr_assert_eq(ipc_poll(c, false), 0);
	begin(&writing, c, IPC_WRITE, true);
	cr_assert_eq(writing.result, -EAGAIN);
	ipc_close(c);
	cr_assert_eq(u_handle("x", O_WRONLY, &c), 0);
	cr_assert_eq(begin(&connecting, c, IPC_OPEN, false), IPC_WOULD_PARK);
	s = opened("x@listen", O_RDONLY);
	cr_assert_eq(finish(&connecting), 0);
	ipc_close(s);
	ipc_close(c);
	while (n--)
		ipc_close(all[n]);
}

Test(sock, touch_leaves_no_connection)
{
	struct ipc_handle *t, *r, *w;

	cr_assert_eq(u_create_type("x", S_IFREG | 0644), 0);
	t = opened("x", O_WRONLY | O_NONBLOCK);
	ipc_close(t);
	t = opened("x", O_WRONLY | O_NONBLOCK);
	w = opened("x", O_WRONLY);
	put(w, "first", 5);
	put(t, "second", 6);
	r = opened("x", O_RDONLY);
	expect_get(r, "first");
	ipc_close(r);
	r = opened("x", O_RDONLY);
	expect_get(r, "second");
	ipc_close(r);
	ipc_close(t);
	ipc_close(w);
}

Test(sock, poll_connects_what_has_not_been_used)
{
	struct ipc_handle *w, *s;
	int told = 0;

	cr_assert_eq(u_create_type("x", S_IFREG | 0644), 0);
	w = opened("x", O_WRONLY | O_NONBLOCK);
	ipc_handle_on_ready(w, u_count_ready, &told);
	cr_assert(ipc_poll(w, true) & POLLOUT);
	s = opened("x@listen", O_RDONLY);
	ipc_close(s);
	turn_while(not_ready, &told);
	cr_assert(ipc_poll(w, false) & POLLHUP);
	ipc_close(w);
}

Test(sock, poll_tells_when_a_client_waits)
{
	struct ipc_handle *r, *w;

	cr_assert_eq(u_create_type("x", S_IFREG | 0644), 0);
	r = opened("x", O_RDONLY);
	cr_assert_eq(ipc_poll(r, false), 0);
	w = opened("x", O_WRONLY);
	cr_assert(ipc_poll(r, false) & POLLIN);
	cr_assert_eq(ipc_poll(w, false) & (POLLIN | POLLOUT | POLLHUP), POLLOUT);
	nonblocking_read_says(r, -EAGAIN);
	cr_assert_eq(ipc_poll(r, false), 0);
	put(w, "x", 1);
	cr_assert(ipc_poll(r, false) & POLLIN);
	ipc_close(r);
	cr_assert(ipc_poll(w, false) & POLLHUP);
	ipc_close(w);
}

Test(sock, pollers_are_told_before_and_after_the_accept)
{
	struct ipc_handle *r, *w;
	int told = 0;

	cr_assert_eq(u_create_type("x", S_IFREG | 0644), 0);
	r = opened("x", O_RDONLY);
	ipc_handle_on_ready(r, u_count_ready, &told);
	cr_assert_eq(ipc_poll(r, true), 0);
	w = opened("x", O_WRONLY);
	turn_while(not_ready, &told);
	told = 0;
	nonblocking_read_says(r, -EAGAIN);
	cr_assert_eq(ipc_poll(r, true) & POLLIN, 0);
	settle();
	told = 0;
	cr_assert_eq(ipc_poll(r, true) & POLLIN, 0);
	put(w, "x", 1);
	turn_while(not_ready, &told);
	cr_assert(ipc_poll(r, false) & POLLIN);
	ipc_close(r);
	ipc_close(w);
}

Test(sock, poller_follows_when_another_read_accepts)
{
	struct ipc_handle *r, *w;
	int told = 0;

	cr_assert_eq(u_create_type("x", S_IFREG | 0644), 0);
	r = opened("x", O_RDONLY);
	ipc_handle_on_ready(r, u_count_ready, &told);
	ipc_poll(r, true);
	w = opened("x", O_WRONLY);
	nonblocking_read_says(r, -EAGAIN);
	turn_while(not_ready, &told);
	ipc_close(w);
	ipc_close(r);
}

Test(sock, shutting_down_answers_who_waits)
{
	struct ipc_handle *r, *s, *w;
	struct u_call accept = {.done = false}, reading = {.done = false};

	cr_assert_eq(u_create_type("x", S_IFREG | 0644), 0);
	w = opened("x", O_WRONLY);
	r = opened("x", O_RDONLY);
	cr_assert_eq(begin_read(&reading, r, 8, false), IPC_WOULD_PARK);
	cr_assert_eq(u_handle("x@listen", O_RDWR, &s), 0);
	begin(&accept, s, IPC_OPEN, false);
	ipc_shut_down(u_ipc);
	cr_assert_eq(reading.result, -ENOTCONN);
	cr_assert_eq(accept.result, -ENOTCONN);
	ipc_close(r);
	ipc_close(s);
	ipc_close(w);
}

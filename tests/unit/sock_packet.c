/* Datagrams and seqpackets. */
#include "sock.h"

TestSuite(sock_packet, .init = setup, .fini = teardown, .timeout = 30);

Test(sock_packet, datagrams_keep_their_boundaries_and_what_does_not_fit)
{
	struct ipc_handle *r, *w;
	char buf[16];

	cr_assert_eq(u_create_type("d@dgram", S_IFREG | 0644), 0);
	w = opened("d", O_WRONLY);
	cr_assert_eq(put(w, "first", 5), 5);
	cr_assert_eq(put(w, "second", 6), 6);
	r = opened("d", O_RDONLY);
	cr_assert_eq(get(r, 2, buf), 2);
	cr_assert(strstr(ctl("d"), "rest:3"), "%s", ctl("d"));
	cr_assert_eq(get(r, 16, buf), 3);
	cr_assert_arr_eq(buf, "rst", 3);
	expect_get(r, "second");
	nonblocking_read_says(r, -EAGAIN);
	ipc_close(w);
	ipc_close(r);
}

Test(sock_packet, datagram_answers_come_to_the_asker)
{
	struct ipc_handle *c;
	struct sockaddr_un from;
	socklen_t len = sizeof(from);
	char buf[16];
	int fd = native_server("d", SOCK_DGRAM);

	c = opened("d@io", O_RDWR);
	cr_assert_eq(put(c, "ask", 3), 3);
	cr_assert_eq(recvfrom(fd, buf, 16, 0, (struct sockaddr *)&from, &len), 3);
	cr_assert_eq(sendto(fd, "answer", 6, 0, (struct sockaddr *)&from, len), 6);
	expect_get(c, "answer");
	ipc_close(c);
	close(fd);
}

Test(sock_packet, datagram_writer_waits_for_room)
{
	struct ipc_handle *r, *w;
	struct u_call c = {.op = {.data = "x", .size = 1}};
	char buf[4];
	int n = 0;

	cr_assert_eq(u_create_type("d@dgram", S_IFREG | 0644), 0);
	w = opened("d", O_WRONLY);
	while (begin(&c, w, IPC_WRITE, true) == 1)
		n++;
	cr_assert_eq(c.result, -EAGAIN);
	cr_assert_eq(begin(&c, w, IPC_WRITE, false), IPC_WOULD_PARK);
	r = opened("d", O_RDONLY);
	for (int i = 0; i < n; i++)
		cr_assert_eq(get(r, 4, buf), 1);
	cr_assert_eq(finish(&c), 1);
	cr_assert_eq(get(r, 4, buf), 1);
	ipc_close(w);
	ipc_close(r);
}

Test(sock_packet, oversized_packet_is_EMSGSIZE_and_explained)
{
	struct ipc_handle *w;
	size_t size = IPC_MESSAGE_MAX + 1;
	char *big = calloc(1, size);

	cr_assert_eq(u_create_type("d@dgram", S_IFREG | 0644), 0);
	w = opened("d", O_WRONLY);
	cr_assert_eq(put(w, big, size), -EMSGSIZE);
	cr_assert(strstr(errors(), "EMSGSIZE"));
	ipc_close(w);
	free(big);
}

Test(sock_packet, large_native_datagram_is_read_in_pieces)
{
	const int size = 150000;
	char *big = malloc((size_t)size), buf[4096];
	struct ipc_handle *r;
	int fd, got = 0;

	for (int i = 0; i < size; i++)
		big[i] = (char)(i >> 4);
	cr_assert_eq(u_create_type("d@dgram", S_IFREG | 0644), 0);
	fd = native_connect("d", SOCK_DGRAM);
	cr_assert_eq(send(fd, big, (size_t)size, 0), size);
	r = opened("d", O_RDONLY);
	while (got < size) {
		ssize_t n = get(r, sizeof(buf), buf);

		cr_assert_gt(n, 0);
		cr_assert_arr_eq(buf, big + got, (size_t)n);
		got += (int)n;
	}
	nonblocking_read_says(r, -EAGAIN);
	ipc_close(r);
	close(fd);
	free(big);
}

Test(sock_packet, undelivered_datagram_goes_to_another_reader)
{
	struct ipc_handle *a, *b, *w;
	struct u_call lost = {.undeliverable = true};

	cr_assert_eq(u_create_type("d@dgram", S_IFREG | 0644), 0);
	a = opened("d", O_RDONLY);
	b = opened("d", O_RDONLY);
	w = opened("d", O_WRONLY);
	cr_assert_eq(begin_read(&lost, a, 2, false), IPC_WOULD_PARK);
	cr_assert_eq(put(w, "once", 4), 4);
	finish(&lost);
	cr_assert(ipc_poll(b, false) & POLLIN);
	expect_get(b, "once");
	nonblocking_read_says(a, -EAGAIN);
	ipc_close(a);
	ipc_close(b);
	ipc_close(w);
}

Test(sock_packet, undelivered_bytes_of_a_connection_are_read_again)
{
	struct ipc_handle *s, *w;
	struct u_call lost = {.undeliverable = true};

	cr_assert_eq(u_create_type("x", S_IFREG | 0644), 0);
	w = opened("x", O_WRONLY);
	s = opened("x@listen", O_RDWR);
	cr_assert_eq(begin_read(&lost, s, 100, false), IPC_WOULD_PARK);
	put(w, "once", 4);
	finish(&lost);
	expect_get(s, "once");
	ipc_close(s);
	ipc_close(w);
}

Test(sock_packet, seqpacket_keeps_boundaries_both_ways)
{
	struct ipc_handle *s, *c;
	char buf[8];

	cr_assert_eq(u_create_type("q@seqpacket", S_IFREG | 0644), 0);
	c = opened("q", O_RDWR);
	put(c, "one", 3);
	put(c, "two", 3);
	s = opened("q@listen", O_RDWR);
	cr_assert_eq(get(s, 1, buf), 1);
	cr_assert_eq(get(s, 8, buf), 2);
	expect_get(s, "two");
	put(s, "back", 4);
	expect_get(c, "back");
	ipc_close(c);
	cr_assert_eq(get(s, 8, buf), 0);
	cr_assert_eq(put(s, "x", 1), -EPIPE);
	ipc_close(s);
}

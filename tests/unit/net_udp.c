/* /net/udp: datagrams, all on loopback addresses. */
#include "net.h"

TestSuite(net_udp, .init = net_setup, .fini = teardown, .timeout = 30);

Test(net_udp, datagrams_keep_their_boundaries_and_their_rest)
{
	int s = server(SOCK_DGRAM, 0);
	struct ipc_handle *h = opened(named("udp/127.0.0.1/%d", port_of(s)), O_RDWR);
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	char buf[16];

	cr_assert_eq(put(h, "one", 3), 3);
	cr_assert_eq(put(h, "second", 6), 6);
	cr_assert_eq(recvfrom(s, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len), 3);
	cr_assert_eq(recv(s, buf, sizeof(buf), 0), 6);
	cr_assert_eq(sendto(s, "an answer", 9, 0, (struct sockaddr *)&from, len), 9);
	cr_assert_eq(sendto(s, "more", 4, 0, (struct sockaddr *)&from, len), 4);
	cr_assert_eq(get(h, 3, buf), 3);
	cr_assert(strstr(ctl(named("udp/127.0.0.1/%d", port_of(s))), "rest:6"));
	expect_get(h, "answer");
	expect_get(h, "more");
	ipc_close(h);
	close(s);
}

Test(net_udp, too_long_a_datagram_is_EMSGSIZE)
{
	int s = server(SOCK_DGRAM, 0);
	struct ipc_handle *h = opened(named("udp/127.0.0.1/%d", port_of(s)), O_RDWR);
	char *big = calloc(1, 70000);

	cr_assert_eq(put(h, big, 70000), -EMSGSIZE);
	cr_assert(strstr(errors(), "a datagram of 70000 bytes"), "%s", errors());
	ipc_close(h);
	free(big);
	close(s);
}

Test(net_udp, datagram_to_nobody_is_ECONNREFUSED_at_the_next_call)
{
	int port = free_port(SOCK_DGRAM);
	struct ipc_handle *h = opened(named("udp/127.0.0.1/%d", port), O_RDWR);
	char buf[8];

	cr_assert_eq(put(h, "x", 1), 1);
	cr_assert_eq(get(h, sizeof(buf), buf), -ECONNREFUSED);
	cr_assert(strstr(errors(), named("read from 127.0.0.1:%d", port)), "%s", errors());
	ipc_close(h);
}

Test(net_udp, received_datagram_is_answered_to_its_sender)
{
	int port = free_port(SOCK_DGRAM), a, b;
	struct ipc_handle *h = opened(named("udp/127.0.0.1/%d@listen", port), O_RDWR);
	char buf[16];

	cr_assert_eq(put(h, "to whom?", 8), -EDESTADDRREQ);
	a = client(SOCK_DGRAM, port);
	b = client(SOCK_DGRAM, port);
	send(a, "from a", 6, 0);
	send(b, "", 0, 0);
	send(b, "from b", 6, 0);
	expect_get(h, "from a");
	cr_assert_eq(put(h, "to a", 4), 4);
	expect_get(h, "from b");
	cr_assert_eq(put(h, "to b", 4), 4);
	cr_assert_eq(recv(a, buf, sizeof(buf), MSG_DONTWAIT), 4);
	cr_assert_arr_eq(buf, "to a", 4);
	cr_assert_eq(recv(b, buf, sizeof(buf), MSG_DONTWAIT), 4);
	cr_assert_arr_eq(buf, "to b", 4);
	ipc_close(h);
	close(a);
	close(b);
}

Test(net_udp, datagrams_between_two_opens_are_kept)
{
	int port = free_port(SOCK_DGRAM), fd;
	struct ipc_handle *h = opened(named("udp/127.0.0.1/%d@listen", port), O_RDONLY);

	fd = client(SOCK_DGRAM, port);
	ipc_close(h);
	cr_assert_eq(send(fd, "meanwhile", 9, 0), 9);
	h = opened(named("udp/127.0.0.1/%d@listen", port), O_RDONLY);
	expect_get(h, "meanwhile");
	ipc_close(h);
	close(fd);
}

Test(net_udp, undelivered_datagram_is_read_again)
{
	int port = free_port(SOCK_DGRAM), fd;
	struct ipc_handle *h = opened(named("udp/127.0.0.1/%d@listen", port), O_RDWR);
	struct u_call c = {.undeliverable = true};

	fd = client(SOCK_DGRAM, port);
	cr_assert_eq(begin_read(&c, h, 100, false), IPC_WOULD_PARK);
	cr_assert_eq(send(fd, "precious", 8, 0), 8);
	finish(&c);
	expect_get(h, "precious");
	ipc_close(h);
	close(fd);
}

/*
 * "both.test" has two addresses, and a socket for each; a client that is connected takes an answer from the one it
 * wrote to.
 */
Test(net_udp, an_answer_leaves_by_the_socket_that_the_datagram_came_by)
{
	int port = free_port(SOCK_DGRAM), fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct ipc_handle *h = opened(named("udp/both.test/%d@listen", port), O_RDWR);
	struct sockaddr_in sa = loopback(port);
	char buf[16];

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
	cr_assert_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	cr_assert_eq(send(fd, "question", 8, 0), 8);
	expect_get(h, "question");
	nonblocking_read_says(h, -EAGAIN);
	cr_assert_eq(put(h, "answer", 6), 6);
	cr_assert_eq(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), 6);
	ipc_close(h);
	close(fd);
}

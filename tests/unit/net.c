/* /net: all on loopback addresses. */
#include "net.h"

#include "names.h"

TestSuite(net, .init = net_setup, .fini = teardown, .timeout = 30);

/* Answers nobody: its queue is full. */
static int silent_server(int queued[2])
{
	int fd = server(SOCK_STREAM, 0);

	for (int i = 0; i < 2; i++) {
		struct sockaddr_in sa = loopback(port_of(fd));

		queued[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		cr_assert(connect(queued[i], (struct sockaddr *)&sa, sizeof(sa)) == 0 || errno == EINPROGRESS);
	}
	return fd;
}

static void close_silent(int fd, const int queued[2])
{
	close(queued[0]);
	close(queued[1]);
	close(fd);
}

static void make_another_instance(bool shared, bool net)
{
	static const char *const lent[] = {"net", NULL};
	struct ipc_options options = {.mountpoint = mountpoint, .shared = shared, .of_kinds = net ? lent : NULL};

	ipc_free(u_ipc);
	u_ipc = ipc_new(u_loop, &options, ipc_kinds);
}

/* --- names --- */

static mode_t mode_of(const char *name)
{
	struct stat st = {0};

	return u_stat(name, &st) == 0 ? st.st_mode : 0;
}

Test(net, every_host_is_a_directory_and_every_port_a_file)
{
	cr_assert_eq(mode_of("tcp"), S_IFDIR | 0700);
	cr_assert_eq(mode_of("udp"), S_IFDIR | 0700);
	cr_assert_eq(mode_of("tcp/host.example"), S_IFDIR | 0700);
	cr_assert_eq(mode_of("tcp/::1"), S_IFDIR | 0700);
	cr_assert_eq(mode_of("tcp/host.example/80"), S_IFREG | 0600);
	cr_assert_eq(mode_of("udp/*/domain@listen"), S_IFREG | 0600);
	cr_assert_eq(mode_of("sctp"), 0);
	cr_assert_eq(mode_of("tcp/host/80/more"), 0);
	cr_assert_eq(mode_of("tcp@listen"), 0);
	cr_assert_eq(mode_of("tcp/host@ctl"), 0);
	cr_assert_eq(mode_of("tcp/host/80@ctl"), S_IFREG | 0600);
}

Test(net, facets_of_other_kinds_are_EINVAL)
{
	struct ipc_cred cred = u_me();
	struct ipc_ref ref;

	cr_assert_eq(ipc_resolve(u_ipc, &cred, &ipc_net, "tcp/127.0.0.1/80@lines", &ref), -EINVAL);
	cr_assert_eq(ipc_resolve(u_ipc, &cred, &ipc_net, "tcp/127.0.0.1/80@", &ref), -EINVAL);
}

Test(net, nothing_can_be_made)
{
	cr_assert_eq(u_create_type("sctp", S_IFREG | 0644), -EPERM);
	cr_assert_eq(u_create_type("tcp/h/80", S_IFREG | 0644), -EEXIST);
}

Test(net, others_mount_has_it_only_on_demand)
{
	struct ipc_cred cred = u_me();
	struct stat st;
	struct ipc_ref ref;

	make_another_instance(true, false);
	cr_assert_not(ipc_kind_shown(u_ipc, &ipc_net));
	make_another_instance(true, true);
	cr_assert(ipc_kind_shown(u_ipc, &ipc_net));
	cr_assert_eq(ipc_resolve(u_ipc, &cred, &ipc_net, "tcp/h/80", &ref), 0);
	cr_assert_eq(ipc_stat(u_ipc, &cred, &ref, &st), 0);
	cr_assert_eq(st.st_mode, S_IFREG | 0666);
}

struct names {
	char text[512];
};

static void add_name(void *arg, const char *name, mode_t type)
{
	struct names *all = arg;
	size_t n = strlen(all->text);

	snprintf(all->text + n, sizeof(all->text) - n, "%s%s ", name, S_ISDIR(type) ? "/" : "");
}

static const char *list(const char *dir)
{
	static struct names all;
	struct ipc_cred cred = u_me();

	all.text[0] = '\0';
	cr_assert_eq(u_each_name(u_ipc, &cred, &ipc_net, dir, add_name, &all), 0);
	return all.text;
}

Test(net, directories_list_what_is_open)
{
	int s = server(SOCK_STREAM, 8), port = port_of(s);
	struct ipc_handle *h[3];

	cr_assert_str_eq(list(""), "tcp/ udp/ ");
	cr_assert_str_eq(list("tcp"), "");
	h[0] = opened(named("tcp/127.0.0.1/%d", port), O_RDWR);
	h[1] = opened(named("tcp/localhost/%d", port), O_RDWR);
	h[2] = opened(named("udp/127.0.0.1/%d", port), O_RDWR);
	cr_assert_str_eq(list(""), "tcp/ udp/ ");
	cr_assert_str_eq(list("tcp"), "127.0.0.1/ localhost/ ");
	cr_assert_str_eq(list("udp"), "127.0.0.1/ ");
	cr_assert_str_eq(list("tcp/127.0.0.1"), named("%d ", port));
	cr_assert_str_eq(list("tcp/127.0.0"), "");
	for (int i = 0; i < 3; i++)
		ipc_close(h[i]);
	cr_assert_str_eq(list("tcp"), "");
	cr_assert_eq(u_ipc->chan_count, 0);
	close(s);
}

/* --- connecting --- */

Test(net, connects_and_talks_both_ways)
{
	int s = server(SOCK_STREAM, 8), fd;
	struct ipc_handle *h = opened(named("tcp/127.0.0.1/%d", port_of(s)), O_RDWR);
	char buf[16];

	fd = accept(s, NULL, NULL);
	cr_assert_eq(put(h, "question", 8), 8);
	cr_assert_eq(read(fd, buf, sizeof(buf)), 8);
	cr_assert_eq(write(fd, "answer", 6), 6);
	expect_get(h, "answer");
	cr_assert_eq(write(fd, "last", 4), 4);
	cr_assert_eq(shutdown(fd, SHUT_WR), 0);
	expect_get(h, "last");
	cr_assert_eq(get(h, sizeof(buf), buf), 0);
	cr_assert_eq(put(h, "still", 5), 5, "half a connection remains");
	cr_assert_eq(read(fd, buf, sizeof(buf)), 5);
	ipc_close(h);
	close(fd);
	close(s);
}

Test(net, nobody_there_is_ECONNREFUSED_with_the_address)
{
	int port = free_port(SOCK_STREAM);

	cr_assert_eq(open_fails(named("tcp/127.0.0.1/%d", port), O_RDWR), -ECONNREFUSED);
	cr_assert(strstr(errors(), named("ECONNREFUSED: connect to 127.0.0.1:%d:", port)), "%s", errors());
}

Test(net, unknown_host_is_ENOENT_and_named)
{
	cr_assert_eq(open_fails("tcp/none.test/80", O_RDWR), -ENOENT);
	cr_assert(strstr(errors(), "ENOENT: no address for the host 'none.test'"), "%s", errors());
}

Test(net, bad_ports_are_EINVAL)
{
	cr_assert_eq(open_fails("tcp/127.0.0.1/65536", O_RDWR), -EINVAL);
	cr_assert_eq(open_fails("tcp/127.0.0.1/99999999999999999999", O_RDWR), -EINVAL);
	cr_assert_eq(open_fails("tcp/127.0.0.1/no-such-service", O_RDWR), -EINVAL);
	cr_assert_eq(open_fails("tcp/*/80", O_RDWR), -EINVAL);
	cr_assert_eq(u_ipc->chan_count, 0);
}

Test(net, all_addresses_are_tried_in_turn)
{
	int s = server(SOCK_STREAM, 8);
	struct ipc_handle *h = opened(named("tcp/both.test/%d", port_of(s)), O_RDWR);

	cr_assert(strstr(errors(), "connect to 127.0.0.2:"), "%s", errors());
	cr_assert(strstr(ctl(named("tcp/both.test/%d", port_of(s))), named("peer:127.0.0.1:%d", port_of(s))));
	cr_assert_eq(put(h, "x", 1), 1);
	ipc_close(h);
	close(s);
}

Test(net, when_all_addresses_fail_each_is_told)
{
	int port = free_port(SOCK_STREAM);

	cr_assert_eq(open_fails(named("tcp/both.test/%d", port), O_RDWR), -ECONNREFUSED);
	cr_assert(strstr(errors(), "127.0.0.1:") && strstr(errors(), "127.0.0.2:"), "%s", errors());
}

static bool not_asked(void *unused)
{
	(void)unused;
	return !__atomic_load_n(&slow_asked, __ATOMIC_SEQ_CST);
}

Test(net, slow_name_server_holds_nobody_up_and_open_can_be_interrupted)
{
	int s = server(SOCK_STREAM, 8);
	struct u_call c = {.done = false};
	struct ipc_handle *waiting, *h;

	cr_assert_eq(u_handle(named("tcp/slow.test/%d", port_of(s)), O_RDWR, &waiting), 0);
	cr_assert_eq(begin(&c, waiting, IPC_OPEN, false), IPC_WOULD_PARK);
	turn_while(not_asked, NULL);
	h = opened(named("tcp/127.0.0.1/%d", port_of(s)), O_RDWR);
	ipc_close(h);
	cr_assert_not(c.done);
	ipc_interrupt(&c.op);
	cr_assert_eq(c.result, -EINTR);
	ipc_close(waiting);
	sem_post(&slow);
	close(s);
}

Test(net, many_slow_names_leave_helpers_for_others)
{
	enum { MANY = 100 };
	static struct u_call c[MANY];
	struct ipc_handle *h[MANY];

	for (int i = 0; i < MANY; i++) {
		cr_assert_eq(u_handle("tcp/slow.test/9", O_RDWR, &h[i]), 0);
		cr_assert_eq(begin(&c[i], h[i], IPC_OPEN, false), IPC_WOULD_PARK);
	}
	/* One user's: others' names are asked for beside. */
	cr_assert_leq(net_of(u_ipc)->queries, 8);
	for (int i = 0; i < MANY; i++)
		sem_post(&slow);
	for (int i = 0; i < MANY; i++) {
		cr_assert_eq(finish(&c[i]), -ECONNREFUSED);
		ipc_close(h[i]);
	}
	cr_assert_eq(slow_asked, MANY);
}

Test(net, timeout_ends_a_connect_and_names_the_address)
{
	int queued[2], s = silent_server(queued);

	cr_assert_eq(open_fails(named("tcp/127.0.0.1/%d@timeout=50ms", port_of(s)), O_RDWR), -ETIMEDOUT);
	cr_assert(strstr(errors(), named("ETIMEDOUT: no answer from 127.0.0.1:%d", port_of(s))), "%s", errors());
	close_silent(s, queued);
}

Test(net, connect_can_be_interrupted)
{
	int queued[2], s = silent_server(queued);
	struct u_call c = {.done = false};
	struct ipc_handle *h;

	cr_assert_eq(u_handle(named("tcp/127.0.0.1/%d", port_of(s)), O_RDWR, &h), 0);
	cr_assert_eq(begin(&c, h, IPC_OPEN, false), IPC_WOULD_PARK);
	settle();
	ipc_interrupt(&c.op);
	cr_assert_eq(c.result, -EINTR);
	ipc_close(h);
	close_silent(s, queued);
}

Test(net, nonblocking_open_connects_meanwhile)
{
	int queued[2], s = silent_server(queued), told = 0, fd;
	struct ipc_handle *h = opened(named("tcp/127.0.0.1/%d", port_of(s)), O_RDWR | O_NONBLOCK);

	nonblocking_read_says(h, -EAGAIN);
	ipc_handle_on_ready(h, u_count_ready, &told);
	cr_assert_eq(ipc_poll(h, true), 0);
	for (int i = 0; i < 2 && (fd = accept(s, NULL, NULL)) >= 0; i++)
		close(fd);
	turn_while(not_ready, &told);
	cr_assert(ipc_poll(h, false) & POLLOUT);
	ipc_close(h);
	close_silent(s, queued);
}

/* Who polls for a connection is told when `timeout` has passed, as an open that waits is. */
Test(net, a_poll_for_a_silent_server_times_out)
{
	int queued[2], s = silent_server(queued), told = 0;
	struct ipc_handle *h = opened(named("tcp/127.0.0.1/%d@timeout=50ms", port_of(s)), O_RDWR | O_NONBLOCK);

	ipc_handle_on_ready(h, u_count_ready, &told);
	cr_assert_eq(ipc_poll(h, true), 0);
	turn_while(not_ready, &told);
	cr_assert_eq(ipc_poll(h, false) & (POLLIN | POLLOUT), POLLIN | POLLOUT);
	nonblocking_read_says(h, -ETIMEDOUT);
	ipc_close(h);
	close_silent(s, queued);
}

Test(net, nonblocking_open_tells_the_refusal_later)
{
	struct ipc_handle *h = NULL;
	struct u_call c = {.done = false};

	cr_assert_eq(u_handle("tcp/both.test/9", O_RDWR | O_NONBLOCK, &h), 0);
	cr_assert_eq(begin(&c, h, IPC_OPEN, true), 0);
	begin_read(&c, h, 10, false);
	cr_assert_eq(finish(&c), -ECONNREFUSED);
	cr_assert(ipc_poll(h, false) & POLLERR);
	ipc_close(h);
}

Test(net, touch_troubles_no_server)
{
	int s = server(SOCK_STREAM, 8);
	struct pollfd p = {.fd = s, .events = POLLIN};
	struct ipc_handle *h = opened(named("tcp/127.0.0.1/%d", port_of(s)), O_WRONLY | O_NONBLOCK);

	cr_assert_eq(poll(&p, 1, 0), 0);
	cr_assert_eq(put(h, "x", 1), 1);
	cr_assert_eq(poll(&p, 1, 1000), 1);
	ipc_close(h);
	close(s);
}

static void reset(int fd)
{
	struct linger now = {1, 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

Test(net, reset_connection_is_ECONNRESET_then_EPIPE)
{
	int s = server(SOCK_STREAM, 8);
	struct ipc_handle *h = opened(named("tcp/127.0.0.1/%d", port_of(s)), O_RDWR);
	char buf[8];

	reset(accept(s, NULL, NULL));
	cr_assert_eq(get(h, sizeof(buf), buf), -ECONNRESET);
	cr_assert(strstr(errors(), named("ECONNRESET: read from 127.0.0.1:%d", port_of(s))), "%s", errors());
	cr_assert_eq(put(h, "x", 1), -EPIPE);
	ipc_close(h);
	close(s);
}

/* --- listening --- */

Test(net, listen_waits_for_a_client_and_serves_both_ways)
{
	const char *name = named("tcp/127.0.0.1/%d@listen", free_port(SOCK_STREAM));
	struct u_call accept = {.done = false};
	struct ipc_handle *h;
	char buf[16], plain[64];
	int fd, port;

	cr_assert_eq(u_handle(name, O_RDWR, &h), 0);
	cr_assert_eq(begin(&accept, h, IPC_OPEN, false), IPC_WOULD_PARK);
	snprintf(plain, sizeof(plain), "%.*s", (int)strcspn(name, "@"), name);
	sscanf(plain, "tcp/127.0.0.1/%d", &port);
	cr_assert(strstr(ctl(plain), named("state=listening\nlocal=127.0.0.1:%d\n", port)), "%s", ctl(plain));
	fd = client(SOCK_STREAM, port);
	cr_assert_eq(finish(&accept), 0);
	cr_assert_eq(write(fd, "question", 8), 8);
	expect_get(h, "question");
	cr_assert_eq(put(h, "answer", 6), 6);
	cr_assert_eq(read(fd, buf, sizeof(buf)), 6);
	cr_assert(strstr(ctl(plain), named("peer:127.0.0.1:%d", port_of(fd))), "%s", ctl(plain));
	cr_assert(strstr(ctl(plain), "state:established"), "%s", ctl(plain));
	ipc_close(h);
	close(fd);
}

Test(net, listen_everywhere_serves_all_families)
{
	int port = free_port(SOCK_STREAM), fd;
	struct ipc_handle *h[2], *client6;
	struct u_call accept[2] = {{.done = false}, {.done = false}};

	for (int i = 0; i < 2; i++) {
		cr_assert_eq(u_handle(named("tcp/*/%d@listen", port), O_RDWR, &h[i]), 0);
		cr_assert_eq(begin(&accept[i], h[i], IPC_OPEN, false), IPC_WOULD_PARK);
	}
	fd = client(SOCK_STREAM, port);
	cr_assert_geq(fd, 0);
	cr_assert_eq(finish(&accept[0]), 0);
	close(fd);
	client6 = opened(named("tcp/::1/%d", port), O_WRONLY);
	cr_assert_eq(finish(&accept[1]), 0);
	put(client6, "six", 3);
	expect_get(h[1], "six");
	for (int i = 0; i < 2; i++)
		ipc_close(h[i]);
	ipc_close(client6);
}

Test(net, listen_takes_all_addresses_of_a_name)
{
	int port = free_port(SOCK_STREAM);
	struct ipc_handle *h, *c;
	struct u_call accept = {.done = false};

	for (int i = 1; i <= 2; i++) {
		char name[64];

		cr_assert_eq(u_handle(named("tcp/both.test/%d@listen", port), O_RDWR, &h), 0);
		cr_assert_eq(begin(&accept, h, IPC_OPEN, false), IPC_WOULD_PARK);
		settle();
		snprintf(name, sizeof(name), "tcp/127.0.0.%d/%d", i, port);
		while ((accept.done ? 0 : open_fails(name, O_RDWR)) == -ECONNREFUSED)
			settle();
		cr_assert_eq(finish(&accept), 0);
		ipc_close(h);
	}
	c = opened(named("tcp/127.0.0.2/%d", port), O_RDWR);
	h = opened(named("tcp/both.test/%d@listen", port), O_RDWR);
	put(c, "hi", 2);
	expect_get(h, "hi");
	ipc_close(c);
	ipc_close(h);
}

Test(net, nonblocking_listen_says_EAGAIN)
{
	int port = free_port(SOCK_STREAM), fd;

	cr_assert_eq(open_fails(named("tcp/127.0.0.1/%d@listen", port), O_RDWR | O_NONBLOCK), -EAGAIN);
	fd = client(SOCK_STREAM, port);
	cr_assert_geq(fd, 0, "between two accepts nobody is refused");
	cr_assert_eq(open_fails(named("tcp/127.0.0.1/%d@listen", port), O_RDWR | O_NONBLOCK), 0);
	close(fd);
}

Test(net, removed_name_listens_no_more)
{
	int port = free_port(SOCK_STREAM);
	struct ipc_cred cred = u_me();
	struct ipc_ref ref = u_named(named("tcp/127.0.0.1/%d", port));
	struct u_call accept = {.done = false};
	struct ipc_handle *h;

	cr_assert_eq(ipc_unlink(u_ipc, &cred, &ref), -ENOENT);
	cr_assert_eq(u_handle(named("tcp/127.0.0.1/%d@listen", port), O_RDWR, &h), 0);
	cr_assert_eq(begin(&accept, h, IPC_OPEN, false), IPC_WOULD_PARK);
	cr_assert_eq(ipc_unlink(u_ipc, &cred, &ref), 0);
	cr_assert_eq(finish(&accept), -ENOENT);
	ipc_close(h);
	cr_assert_eq(client(SOCK_STREAM, port), -1);
	cr_assert_eq(u_ipc->chan_count, 0);
}

Test(net, port_in_use_is_EADDRINUSE)
{
	int s = server(SOCK_STREAM, 1), port = port_of(s);
	struct ipc_handle *h;

	cr_assert_eq(open_fails(named("tcp/127.0.0.1/%d@listen", port), O_RDWR), -EADDRINUSE);
	cr_assert(strstr(errors(), named("bind to 127.0.0.1:%d", port)), "%s", errors());
	close(s);
	cr_assert_eq(u_handle(named("tcp/127.0.0.1/%d@listen", port), O_RDWR, &h), 0, "and can be had later");
	ipc_close(h);
}

Test(net, another_user_cannot_accept_where_one_listens)
{
	int port = free_port(SOCK_STREAM);
	struct ipc_cred other = {.uid = getuid() + 1, .gid = getgid(), .pid = getpid()};
	struct ipc_handle *h, *stranger;

	cr_assert_eq(u_handle(named("tcp/127.0.0.1/%d@listen", port), O_RDWR, &h), 0);
	cr_assert_eq(make_handle_as(other, named("tcp/127.0.0.1/%d@listen", port), O_RDWR, &stranger), -EADDRINUSE);
	ipc_close(h);
}

Test(net, low_port_is_bound_with_the_callers_right)
{
	struct ipc_cred other = {.uid = 65534, .gid = 65534, .pid = getpid()};
	struct ipc_handle *h;
	struct u_call c = {.done = false};
	int first = 1024;
	FILE *f = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "r");

	if (f && fscanf(f, "%d", &first) != 1)
		first = 1024;
	if (f)
		fclose(f);
	if (getuid() != 0 || first < 2)
		cr_skip_test("nobody may not, or everybody may");
	cr_assert_eq(make_handle_as(other, "tcp/127.0.0.1/1@listen", O_RDWR, &h), 0);
	begin(&c, h, IPC_OPEN, false);
	cr_assert_eq(finish(&c), -EACCES);
	ipc_close(h);
}

Test(net, shutting_down_ends_what_waits)
{
	struct u_call accept = {.done = false}, ask = {.done = false};
	struct ipc_handle *h[2];

	cr_assert_eq(u_handle(named("tcp/127.0.0.1/%d@listen", free_port(SOCK_STREAM)), O_RDWR, &h[0]), 0);
	cr_assert_eq(begin(&accept, h[0], IPC_OPEN, false), IPC_WOULD_PARK);
	cr_assert_eq(u_handle("tcp/slow.test/80", O_RDWR, &h[1]), 0);
	cr_assert_eq(begin(&ask, h[1], IPC_OPEN, false), IPC_WOULD_PARK);
	ipc_shut_down(u_ipc);
	cr_assert_eq(accept.result, -ENOTCONN);
	cr_assert_eq(ask.result, -ENOTCONN);
	ipc_close(h[0]);
	ipc_close(h[1]);
	sem_post(&slow);
}

/* The daemon's end waits for no name server. */
Test(net, an_instance_ends_while_a_name_server_is_silent)
{
	struct u_call c = {.done = false};
	struct ipc_handle *h;
	int64_t began;

	cr_assert_eq(u_handle("tcp/slow.test/80", O_RDWR, &h), 0);
	cr_assert_eq(begin(&c, h, IPC_OPEN, false), IPC_WOULD_PARK);
	while (!__atomic_load_n(&slow_asked, __ATOMIC_SEQ_CST))
		usleep(1000);
	ipc_shut_down(u_ipc);
	ipc_close(h);
	began = ipc_now();
	ipc_free(u_ipc);
	u_ipc = NULL;
	cr_assert_lt(ipc_now() - began, INT64_C(5000000000));
	sem_post(&slow);
}

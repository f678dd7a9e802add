/* Sockets that others made. */
#include "sock.h"

#include "core/handle.h"

TestSuite(sock_foreign, .init = setup, .fini = teardown, .timeout = 30);

Test(sock_foreign, io_connects_to_a_server_behind_the_mount)
{
	struct ipc_handle *c;
	char buf[16];
	int server = native_server("srv", SOCK_STREAM), fd;

	c = opened("srv@io", O_RDWR);
	fd = accept(server, NULL, NULL);
	cr_assert_geq(fd, 0);
	cr_assert_eq(put(c, "PING", 4), 4);
	cr_assert_eq(read(fd, buf, 16), 4);
	cr_assert_eq(write(fd, "PONG", 4), 4);
	expect_get(c, "PONG");
	ipc_close(c);
	close(fd);
	close(server);
}

Test(sock_foreign, io_finds_the_type_by_itself)
{
	struct ipc_handle *c;
	char buf[16];
	int server = native_server("srv", SOCK_SEQPACKET), fd;

	c = opened("srv@io", O_WRONLY);
	fd = accept(server, NULL, NULL);
	put(c, "a", 1);
	put(c, "b", 1);
	cr_assert_eq(read(fd, buf, 16), 1);
	ipc_close(c);
	close(fd);
	close(server);
}

Test(sock_foreign, nobody_listening_is_ECONNREFUSED_with_the_address)
{
	int server = native_server("srv", SOCK_STREAM);

	close(server);
	cr_assert_eq(open_fails("srv@io", O_RDWR), -ECONNREFUSED);
	cr_assert(strstr(errors(), mountpoint), "%s", errors());
}

Test(sock_foreign, plain_open_of_a_servers_socket_is_ENXIO_and_listen_EOPNOTSUPP)
{
	struct ipc_handle *h;

	cr_assert_eq(u_create_type("srv", S_IFSOCK | 0755), 0);
	cr_assert_eq(u_handle("srv", O_RDWR, &h), -ENXIO);
	cr_assert_eq(u_handle("srv@listen", O_RDWR, &h), -EOPNOTSUPP);
}

Test(sock_foreign, io_before_the_server_leaves_the_name_to_it)
{
	struct stat st;

	cr_assert_eq(u_create_type("srv@io", S_IFREG | 0644), -ENOENT);
	cr_assert_eq(u_stat("srv", &st), -ENOENT);
}

static int abstract_server(const char *name, int type)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);

	memcpy(sa.sun_path + 1, name, strlen(name));
	cr_assert_eq(bind(fd, (struct sockaddr *)&sa,
			  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name))),
		     0);
	if (type != SOCK_DGRAM)
		cr_assert_eq(listen(fd, 5), 0);
	return fd;
}

Test(sock_foreign, face_for_abstract_sockets_of_every_type)
{
	static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
	char abstract[64], name[96], buf[8];

	for (int i = 0; i < 3; i++) {
		struct ipc_handle *c;
		int server, fd;

		snprintf(abstract, sizeof(abstract), "unit_sock_%d_%d", (int)getpid(), i);
		snprintf(name, sizeof(name), "f%d@connect=@%s", i, abstract);
		server = abstract_server(abstract, types[i]);
		cr_assert_eq(u_create_type(name, S_IFREG | 0644), 0);
		snprintf(name, sizeof(name), "f%d", i);
		c = opened(name, O_RDWR);
		cr_assert_eq(put(c, "x", 1), 1);
		fd = types[i] == SOCK_DGRAM ? dup(server) : accept(server, NULL, NULL);
		cr_assert_eq(read(fd, buf, 8), 1);
		ipc_close(c);
		close(fd);
		close(server);
	}
}

Test(sock_foreign, root_dials_with_his_capabilities_and_needs_none_for_our_own_sockets)
{
	struct ipc_handle *own, *both, *dials[2];
	int server = abstract_server("unit_sock_rights", SOCK_STREAM);

	if (getuid() != 0)
		cr_skip_test("not root");
	cr_assert_eq(u_create_type("own", S_IFREG | 0644), 0);
	cr_assert_eq(u_create_type("face@connect=@unit_sock_rights", S_IFREG | 0644), 0);
	own = opened("own", O_WRONLY);
	both = opened("own@io", O_RDWR);
	dials[0] = opened("face", O_WRONLY);
	dials[1] = opened("face@io", O_WRONLY);
	cr_assert(own->cred.fixed && both->cred.fixed);
	cr_assert_eq(own->cred.caps, 0);
	cr_assert_eq(both->cred.caps, 0);
	for (int i = 0; i < 2; i++) {
		cr_assert(dials[i]->cred.fixed);
		cr_assert_neq(dials[i]->cred.caps, 0);
		ipc_close(dials[i]);
	}
	ipc_close(own);
	ipc_close(both);
	close(server);
}

Test(sock_foreign, face_for_a_path_longer_than_an_address)
{
	/* A name cannot carry so long a path; what carries it here is a relative one that grows by "./". */
	char path[240] = "", name[256];
	struct ipc_handle *c;
	int server, n = snprintf(path, sizeof(path), "%s/", mountpoint);

	while (n < 200)
		n += snprintf(path + n, sizeof(path) - (size_t)n, "./");
	snprintf(path + n, sizeof(path) - (size_t)n, "far");
	snprintf(name, sizeof(name), "%s/far", mountpoint);
	server = native_server_at(name, SOCK_STREAM);
	snprintf(name, sizeof(name), "f@connect=%s", path);
	cr_assert_eq(u_create_type(name, S_IFREG | 0644), 0);
	c = opened("f", O_RDWR);
	ipc_close(c);
	close(server);
}

Test(sock_foreign, face_needs_an_absolute_address)
{
	struct stat st;

	cr_assert_eq(u_create_type("f@connect=relative", S_IFREG | 0644), -EINVAL);
	cr_assert_eq(u_stat("f", &st), -ENOENT);
}

Test(sock_foreign, full_backlog_of_a_foreign_server_is_tried_again)
{
	struct ipc_handle *h[16];
	struct u_call c[16];
	int server = native_server("srv", SOCK_STREAM), fds[16], n;

	memset(c, 0, sizeof(c));
	for (n = 0; n < 4; n++) {
		cr_assert_eq(u_handle("srv@io", O_RDWR, &h[n]), 0);
		begin(&c[n], h[n], IPC_OPEN, false);
	}
	for (int i = 0; i < 50; i++)
		ipc_loop_turn(u_loop, 1);
	cr_assert_not(c[3].done && c[2].done && c[1].done && c[0].done);
	for (int i = 0; i < n; i++) {
		struct pollfd p = {.fd = server, .events = POLLIN};

		while (poll(&p, 1, 0) == 0)
			ipc_loop_turn(u_loop, 10);
		fds[i] = accept(server, NULL, NULL);
	}
	for (int i = 0; i < n; i++) {
		cr_assert_eq(finish(&c[i]), 0);
		ipc_close(h[i]);
		close(fds[i]);
	}
	close(server);
}

Test(sock_foreign, closing_while_dialling_leaves_nothing)
{
	struct ipc_handle *h[8];
	struct u_call c[8];
	int server = native_server("srv", SOCK_STREAM);

	memset(c, 0, sizeof(c));
	for (int i = 0; i < 8; i++) {
		cr_assert_eq(u_handle("srv@io", O_RDWR, &h[i]), 0);
		begin(&c[i], h[i], IPC_OPEN, false);
	}
	for (int i = 0; i < 4; i++)
		ipc_close(h[i]);
	for (int i = 0; i < 20; i++)
		ipc_loop_turn(u_loop, 1);
	for (int i = 4; i < 8; i++)
		ipc_close(h[i]);
	for (int i = 0; i < 8; i++)
		cr_assert(c[i].done);
	close(server);
}

Test(sock_foreign, nonblocking_dial_goes_on_behind_the_open)
{
	struct ipc_handle *c;
	struct u_call reading = {.done = false};
	int server = native_server("srv", SOCK_STREAM), fd;

	c = opened("srv@io", O_RDWR | O_NONBLOCK);
	nonblocking_read_says(c, -EAGAIN);
	begin_read(&reading, c, 8, false);
	while (!(ipc_poll(c, false) & POLLOUT))
		ipc_loop_turn(u_loop, 10);
	fd = accept(server, NULL, NULL);
	cr_assert_eq(write(fd, "x", 1), 1);
	cr_assert_eq(finish(&reading), 1);
	ipc_close(c);
	close(fd);
	close(server);
}

Test(sock_foreign, root_connects_as_the_caller)
{
	struct ipc_cred cred = {.uid = 12345, .gid = 54321, .pid = 0};
	struct ipc_handle *h;
	struct u_call c = {.done = false};
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int server, fd;
	char path[108];

	if (geteuid() != 0)
		cr_skip_test("only root can be somebody else");
	server = native_server("srv", SOCK_STREAM);
	snprintf(path, sizeof(path), "%s/sock/srv", mountpoint);
	cr_assert_eq(make_handle_as(cred, "srv@io", O_RDWR, &h), 0);
	begin(&c, h, IPC_OPEN, false);
	cr_assert_eq(finish(&c), -EACCES);
	ipc_close(h);
	cr_assert_eq(chmod(path, 0777), 0);
	cr_assert_eq(make_handle_as(cred, "srv@io", O_RDWR, &h), 0);
	begin(&c, h, IPC_OPEN, false);
	cr_assert_eq(finish(&c), 0);
	fd = accept(server, NULL, NULL);
	cr_assert_eq(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len), 0);
	cr_assert_eq(peer.uid, 12345);
	cr_assert_eq(peer.gid, 54321);
	cr_assert_eq(geteuid(), 0);
	ipc_close(h);
	close(fd);
	close(server);
}

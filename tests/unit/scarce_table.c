/* Memory or descriptors run out: the kinds whose names are ours. */
#include "scarcity.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

/*
 * --- pipe -----------------------------------------------------------------------------------------------------------
 */

/* A FIFO is opened by a helper, behind the call: poll(2) tells when, and how. */
static unsigned await_pipe(const struct file *f)
{
	int64_t end = ipc_now() + INT64_C(10000000000);
	unsigned events;

	while (!(events = ipc_poll(f->h, true)) && ipc_now() < end)
		cr_assert_eq(ipc_loop_turn(loop, 1), 0);
	return events;
}

/* The helper may fail by the shortage of whatever is done meanwhile; the second one has plenty until it is through. */
static struct file open_pipe(const char *name, int flags)
{
	struct file f = scarce_open(&ipc_pipe, name, flags);

	scarce_spare(true);
	if (await_pipe(&f) & POLLERR) {
		scarce_close(&f);
		f = scarce_open(&ipc_pipe, name, flags);
		cr_assert_not(await_pipe(&f) & POLLERR);
	}
	scarce_spare(false);
	return f;
}

static void use_pipe(void)
{
	struct ipc_ref ref, to;
	struct file w, r;
	char path[64];
	struct scarce_call c;

	snprintf(path, sizeof(path), "%s/pipe/p", mountpoint);
	cr_assert_eq(mkfifo(path, 0600), 0);
	scarce_create(&ipc_pipe, "p");
	scarce_create(&ipc_pipe, "q");
	w = open_pipe("p", O_RDWR);
	put_all(&w, "words");
	r = open_pipe("p", O_RDONLY);
	get(&r, "words", 64);
	call_start(&c, &r, IPC_READ, NULL, 64);
	cr_assert_eq(call_interrupt(&c), -EINTR);
	call_start(&c, &r, IPC_READ, NULL, 64);
	ctl_has(&ipc_pipe, "p", "operation:read");
	put_all(&w, "more");
	cr_assert_eq(call_end(&c), 4);
	ref = scarce_ref(&ipc_pipe, "p");
	to = scarce_ref(&ipc_pipe, "q");
	lean_ok(ipc_rename(ipc, &me, &ref, &to, 0));
	cr_assert(listed(&ipc_pipe, "q") && !listed(&ipc_pipe, "p"));
	scarce_close(&w);
	scarce_close(&r);
	scarce_unlink(&ipc_pipe, "q");
	cr_assert_eq(unlink(path), 0);
}

Test(scarce, pipe)
{
	scarce_run(use_pipe, NULL);
}

/*
 * --- bcast ----------------------------------------------------------------------------------------------------------
 */

static void use_broadcast(void)
{
	struct file w, a, b, last;
	struct ipc_ref ref, to;
	struct scarce_call c;

	scarce_create(&ipc_bcast, "b");
	scarce_create(&ipc_bcast, "other");
	ctl_set(&ipc_bcast, "b", "buffer=4096\n");
	/* A line in two pieces leaves nothing behind. */
	w = scarce_open(&ipc_bcast, "other@lines", O_WRONLY);
	put_all(&w, "li");
	put_all(&w, "ne\n");
	scarce_close(&w);
	w = scarce_open(&ipc_bcast, "b@lines", O_WRONLY);
	a = scarce_open(&ipc_bcast, "b", O_RDONLY);
	b = scarce_open(&ipc_bcast, "b@lines,batch", O_RDONLY);
	call_start(&c, &a, IPC_READ, NULL, 64);
	put_all(&w, "one\ntw");
	cr_assert_eq(call_end(&c), 3);
	put_all(&w, "o\nthree\n");
	ctl_set(&ipc_bcast, "b", "buffer=8192\n");
	get(&a, "two", 64);
	await_events(&b, POLLIN);
	get(&b, "one\ntwo\nthree\n", 64);
	last = scarce_open(&ipc_bcast, "b@last=2,idle=1ms", O_RDONLY);
	get(&last, "two", 64);
	get(&last, "three", 64);
	get(&last, "", 64);
	scarce_close(&last);
	ctl_has(&ipc_bcast, "b", "messages=3\n");
	ref = scarce_ref(&ipc_bcast, "b");
	to = scarce_ref(&ipc_bcast, "other");
	lean_ok(ipc_rename(ipc, &me, &ref, &to, 0));
	put_all(&w, "end");
	scarce_close(&w);
	get(&a, "three", 64);
	get(&a, "end", 64);
	scarce_close(&a);
	scarce_close(&b);
	scarce_unlink(&ipc_bcast, "other");
}

Test(scarce, bcast)
{
	scarce_run(use_broadcast, NULL);
}

/* A rename that finds no memory leaves both where they were. */
static void rename_over(void)
{
	struct ipc_ref from, to;
	struct stat a, b, now;
	long r;

	scarce_create(&ipc_bcast, "a");
	scarce_create(&ipc_bcast, "b");
	from = scarce_ref(&ipc_bcast, "a");
	to = scarce_ref(&ipc_bcast, "b");
	lean_ok(ipc_stat(ipc, &me, &from, &a));
	lean_ok(ipc_stat(ipc, &me, &to, &b));
	scarce_begin();
	r = ipc_rename(ipc, &me, &from, &to, 0);
	if (scarce_end(r)) {
		cr_assert_eq(ipc_stat(ipc, &me, &to, &now), 0, "the target is gone %s", scarce_where());
		cr_assert_eq(now.st_ino, b.st_ino);
		r = ipc_rename(ipc, &me, &from, &to, 0);
	}
	cr_assert_eq(r, 0);
	cr_assert_eq(ipc_stat(ipc, &me, &to, &now), 0);
	cr_assert_eq(now.st_ino, a.st_ino);
	scarce_unlink(&ipc_bcast, "b");
}

Test(scarce, rename_over_another)
{
	scarce_run(rename_over, NULL);
}

/*
 * --- sock -----------------------------------------------------------------------------------------------------------
 */

static void use_socket(void)
{
	struct file server, client;
	struct opening accepting;
	struct scarce_call c;

	scarce_create(&ipc_sock, "s");
	opening_start(&accepting, &ipc_sock, "s@listen", O_RDWR);
	client = scarce_open(&ipc_sock, "s", O_RDWR);
	server = opening_end(&accepting);
	call_start(&c, &server, IPC_READ, NULL, 64);
	ctl_has(&ipc_sock, "s", "operation:read");
	put_all(&client, "hello");
	cr_assert_eq(call_end(&c), 5);
	put_all(&server, "you");
	await_events(&client, POLLIN);
	get(&client, "you", 64);
	scarce_close(&server);
	get(&client, "", 64);
	scarce_close(&client);
	cr_assert(listed(&ipc_sock, "s"));
	scarce_unlink(&ipc_sock, "s");
}

Test(scarce, sock)
{
	scarce_run(use_socket, NULL);
}

static void use_packets(void)
{
	struct file w, r;
	struct scarce_call c;

	scarce_create(&ipc_sock, "d@dgram");
	r = scarce_open(&ipc_sock, "d", O_RDONLY);
	w = scarce_open(&ipc_sock, "d", O_WRONLY);
	put_all(&w, "one");
	put_all(&w, "two");
	get(&r, "o", 1);
	get(&r, "ne", 64);
	get(&r, "two", 64);
	scarce_close(&r);
	scarce_close(&w);
	scarce_unlink(&ipc_sock, "d");
	scarce_create(&ipc_sock, "p@seqpacket");
	w = scarce_open(&ipc_sock, "p", O_WRONLY);
	put_all(&w, "packet");
	r = scarce_open(&ipc_sock, "p", O_RDONLY);
	call_start(&c, &r, IPC_READ, NULL, 64);
	cr_assert_eq(call_end(&c), 6);
	scarce_close(&r);
	scarce_close(&w);
	scarce_unlink(&ipc_sock, "p");
}

Test(scarce, sock_packets)
{
	scarce_run(use_packets, NULL);
}

static void use_foreign(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;
	struct file face;
	char name[128];

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/server", mountpoint);
	cr_assert_eq(bind(server, (struct sockaddr *)&sa, sizeof(sa)), 0);
	cr_assert_eq(listen(server, 4), 0);
	snprintf(name, sizeof(name), "f@connect=%s", sa.sun_path);
	scarce_create(&ipc_sock, name);
	face = scarce_open(&ipc_sock, "f@io", O_RDWR);
	fd = accept(server, NULL, NULL);
	cr_assert_geq(fd, 0);
	put_all(&face, "hello");
	cr_assert_eq(read(fd, name, sizeof(name)), 5);
	scarce_close(&face);
	scarce_unlink(&ipc_sock, "f");
	close(fd);
	close(server);
	unlink(sa.sun_path);
}

Test(scarce, sock_foreign)
{
	scarce_run(use_foreign, NULL);
}

/*
 * --- net ------------------------------------------------------------------------------------------------------------
 */

/* A port that nobody has at the moment. */
static int free_port(int type)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	close(fd);
	return ntohs(sa.sin_port);
}

static void use_tcp(void)
{
	char name[64], listener[80];
	struct opening accepting;
	struct file server, client;

	snprintf(name, sizeof(name), "tcp/127.0.0.1/%d", free_port(SOCK_STREAM));
	snprintf(listener, sizeof(listener), "%s@listen", name);
	opening_start(&accepting, &ipc_net, listener, O_RDWR);
	client = scarce_open(&ipc_net, name, O_RDWR);
	server = opening_end(&accepting);
	put_all(&client, "hello");
	get(&server, "hello", 64);
	ctl_has(&ipc_net, name, "state=listening");
	put_all(&server, "you");
	get(&client, "you", 64);
	cr_assert(listed(&ipc_net, name));
	scarce_close(&server);
	scarce_close(&client);
}

Test(scarce, net_tcp)
{
	scarce_run(use_tcp, NULL);
}

static void use_udp(void)
{
	char name[64], listener[80];
	struct file server, client;

	snprintf(name, sizeof(name), "udp/127.0.0.1/%d", free_port(SOCK_DGRAM));
	snprintf(listener, sizeof(listener), "%s@listen", name);
	server = scarce_open(&ipc_net, listener, O_RDWR);
	client = scarce_open(&ipc_net, name, O_RDWR);
	put_all(&client, "hello");
	get(&server, "hello", 64);
	put_all(&server, "you");
	get(&client, "you", 64);
	scarce_close(&client);
	scarce_close(&server);
}

Test(scarce, net_udp)
{
	scarce_run(use_udp, NULL);
}

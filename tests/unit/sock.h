/*
 * What the tests of /sock and /net (UNIT_KIND) share: an instance without a mount, operations on its handles, and
 * native peers.
 */
#ifndef UNIT_SOCK_H
#define UNIT_SOCK_H

#include "ipc.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fixture.h"

#ifndef UNIT_KIND
#define UNIT_KIND ipc_sock
#endif

static char mountpoint[] = "/tmp/unit_sock_XXXXXX";

/* The mount is played by a directory: a server's socket is put there by the test. */
static inline void setup(void)
{
	char dir[64];

	cr_assert_not_null(mkdtemp(mountpoint));
	snprintf(dir, sizeof(dir), "%s/sock", mountpoint);
	cr_assert_eq(mkdir(dir, 0755), 0);
	cr_assert_eq(chmod(mountpoint, 0755), 0);
	u_mountpoint = mountpoint;
	u_setup(&UNIT_KIND);
	snprintf(dir, sizeof(dir), "%s/%s", mountpoint, ipc_hidden_name(u_ipc));
	cr_assert_eq(mkdir(dir, 0755), 0);
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void teardown(void)
{
	u_teardown();
	nftw(mountpoint, remove_one, 4, FTW_DEPTH | FTW_PHYS);
}

/* Operations. One that is parked is turned to its end by finish(), for ten seconds at the most. */

/* c->op has what is to be written, or how much is to be read. */
static inline ssize_t begin(struct u_call *c, struct ipc_handle *h, enum ipc_op_type type, bool nonblock)
{
	c->op.type = type;
	c->op.handle = h;
	c->op.nonblock = nonblock;
	return u_ask(c);
}

static inline void turn_while(bool (*busy)(void *), void *arg)
{
	int64_t end = ipc_now() + INT64_C(10000000000);

	while (busy(arg) && ipc_now() < end)
		ipc_loop_turn(u_loop, 100);
	cr_assert_not(busy(arg), "it takes too long");
}

static inline bool call_busy(void *arg)
{
	return !((struct u_call *)arg)->done;
}

static inline ssize_t finish(struct u_call *c)
{
	turn_while(call_busy, c);
	return c->result;
}

static inline void settle(void)
{
	for (int i = 0; i < 5; i++)
		ipc_loop_turn(u_loop, 0);
}

static inline int make_handle_as(struct ipc_cred cred, const char *name, int flags, struct ipc_handle **out)
{
	struct ipc_ref ref = u_named(name);
	struct stat st;
	int r = ipc_stat(u_ipc, &cred, &ref, &st);

	return r < 0 ? r : ipc_handle_new(u_ipc, &cred, &ref, flags, st.st_ino, out);
}

static inline struct ipc_handle *opened(const char *name, int flags)
{
	struct ipc_handle *h = NULL;
	struct u_call c = {.done = false};
	int r = u_handle(name, flags, &h);

	cr_assert_eq(r, 0, "%s: %s", name, strerror(-r));
	begin(&c, h, IPC_OPEN, flags & O_NONBLOCK);
	cr_assert_eq(finish(&c), 0, "%s: %s", name, strerror(-(int)c.result));
	return h;
}

static inline ssize_t open_fails(const char *name, int flags)
{
	struct ipc_handle *h = NULL;
	struct u_call c = {.done = false};
	ssize_t r = u_handle(name, flags, &h);

	if (r < 0)
		return r;
	begin(&c, h, IPC_OPEN, flags & O_NONBLOCK);
	r = finish(&c);
	ipc_close(h);
	return r;
}

static inline ssize_t put(struct ipc_handle *h, const void *data, size_t size)
{
	struct u_call c = {.op = {.data = data, .size = size}};

	begin(&c, h, IPC_WRITE, false);
	return finish(&c);
}

static inline ssize_t begin_read(struct u_call *c, struct ipc_handle *h, size_t size, bool nonblock)
{
	c->op.size = size;
	c->op.offset = h->pos;
	return begin(c, h, IPC_READ, nonblock);
}

static inline ssize_t get(struct ipc_handle *h, size_t size, char *out)
{
	struct u_call c = {.done = false};

	begin_read(&c, h, size, false);
	finish(&c);
	if (c.result > 0)
		memcpy(out, c.text, (size_t)c.result);
	return c.result;
}

#define expect_get(h, text)                                                                                            \
	do {                                                                                                           \
		char got_[4096];                                                                                       \
		ssize_t n_ = get(h, sizeof(got_), got_);                                                               \
		cr_assert_eq(n_, (ssize_t)strlen(text), "%zd", n_);                                                    \
		cr_assert_arr_eq(got_, text, strlen(text));                                                            \
	} while (0)

static inline bool not_ready(void *arg)
{
	return *(int *)arg == 0;
}

/* Native peers */

static inline struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	return sa;
}

struct address_look {
	struct ipc_look look;
	bool done;
};

static inline void address_looked(struct ipc_look *look)
{
	ipc_container(look, struct address_look, look)->done = true;
}

/*
 * What looking NAME@addr up does: a helper binds the socket, here in a directory where in a mount it asks for an inode.
 */
static inline void address_bind(const char *name, char *out, size_t size)
{
	struct address_look a = {.look = {.cred = u_me(), .done = address_looked}};
	char at[64];

	snprintf(at, sizeof(at), "%s@addr", name);
	a.look.ref = u_named(at);
	if (ipc_stat(u_ipc, &a.look.cred, &a.look.ref, &a.look.st) == -EINPROGRESS) {
		cr_assert_eq(ipc_look(u_ipc, &a.look), 0);
		while (!a.done)
			cr_assert_eq(ipc_loop_turn(u_loop, 20), 0);
		cr_assert_eq(a.look.result, 0);
	}
	cr_assert(S_ISSOCK(a.look.st.st_mode));
	snprintf(out, size, "%s/%s/%llx", mountpoint, ipc_hidden_name(u_ipc),
		 (unsigned long long)ipc_kind_ino(a.look.st.st_ino));
}

static inline int native_connect_to(const char *path, int type)
{
	struct sockaddr_un sa = address_of(path);
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);

	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

static inline int native_connect(const char *name, int type)
{
	char path[108];

	address_bind(name, path, sizeof(path));
	return native_connect_to(path, type);
}

static inline int native_server_at(const char *path, int type)
{
	struct sockaddr_un sa = address_of(path);
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	if (type != SOCK_DGRAM)
		cr_assert_eq(listen(fd, 1), 0);
	return fd;
}

/* What bind(2) through the mount does: the name by MKNOD, the socket in the kernel. */
static inline int native_server(const char *name, int type)
{
	char path[108];

	cr_assert_eq(u_create_type(name, S_IFSOCK | 0755), 0);
	snprintf(path, sizeof(path), "%s/sock/%s", mountpoint, name);
	return native_server_at(path, type);
}

static inline void nonblocking_read_says(struct ipc_handle *h, ssize_t expected)
{
	struct u_call c = {.done = false};

	begin_read(&c, h, 100, true);
	cr_assert_eq(c.result, expected, "%zd", c.result);
}

static inline const char *errors(void)
{
	static char text[4096];
	struct ipc_cred cred = u_me();
	FILE *out = fmemopen(text, sizeof(text), "w");

	ipc_text_errors(u_ipc, &cred, out);
	fclose(out);
	return text;
}

static inline const char *ctl(const char *name)
{
	static char text[4096];
	char at[64];
	struct ipc_handle *h;
	struct u_call c = {.done = false};
	ssize_t n;

	snprintf(at, sizeof(at), "%s@ctl", name);
	h = opened(at, O_RDONLY);
	begin_read(&c, h, sizeof(text) - 1, false);
	n = finish(&c);
	cr_assert_gt(n, 0);
	memcpy(text, c.text, (size_t)n);
	text[n] = '\0';
	ipc_close(h);
	return text;
}

#endif

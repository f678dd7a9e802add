#include "ipc.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fixture.h"
#include "names.h"

static struct ipc_ref ref;
static char mountpoint[] = "/tmp/unit_pipe_XXXXXX";
static char fifo[128];

/* The mount is played by a directory: what lies under the channel's path is put there by the test. */
static void setup(void)
{
	char dir[64];

	cr_assert_not_null(mkdtemp(mountpoint));
	snprintf(dir, sizeof(dir), "%s/pipe", mountpoint);
	snprintf(fifo, sizeof(fifo), "%s/p", dir);
	cr_assert_eq(mkdir(dir, 0700), 0);
	u_mountpoint = mountpoint;
	u_setup(&ipc_pipe);
	ref = u_named("p");
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void teardown(void)
{
	u_teardown();
	nftw(mountpoint, remove_one, 4, FTW_DEPTH | FTW_PHYS);
}

TestSuite(pipe, .init = setup, .fini = teardown, .timeout = 20);

static int create(mode_t mode)
{
	return u_create_type("p", mode);
}

static struct stat stat_of(const struct ipc_ref *r)
{
	struct ipc_cred cred = u_me();
	struct stat st;

	cr_assert_eq(ipc_stat(u_ipc, &cred, r, &st), 0);
	return st;
}

static int stat_error(const struct ipc_ref *r)
{
	struct ipc_cred cred = u_me();
	struct stat st;

	return ipc_stat(u_ipc, &cred, r, &st);
}

static int open_handle(int flags, struct ipc_handle **h)
{
	struct ipc_cred cred = u_me();
	struct stat st = stat_of(&ref);

	return ipc_handle_new(u_ipc, &cred, &ref, flags, st.st_ino, h);
}

/* Creates the channel and opens it as the O_EXCL creator does. */
static struct ipc_handle *create_and_open(int flags)
{
	struct ipc_handle *h;

	cr_assert_eq(create(S_IFREG | 0600), 0);
	cr_assert_eq(open_handle(flags | O_CREAT | O_EXCL, &h), 0);
	return h;
}

static struct ipc_handle *feed(int flags)
{
	cr_assert_eq(mkfifo(fifo, 0600), 0);
	return create_and_open(flags);
}

static int native(int flags)
{
	int fd = open(fifo, flags | O_NONBLOCK | O_CLOEXEC);

	cr_assert_geq(fd, 0);
	return fd;
}

static struct u_call call_of(enum ipc_op_type type, struct ipc_handle *h)
{
	return (struct u_call){.op = {.type = type, .handle = h}};
}

#define START(name, type_, h_, ...)                                                                                    \
	struct u_call name = {.op = {.type = (type_), .handle = (h_), __VA_ARGS__}};                                   \
	u_ask(&name)

static ssize_t run(struct u_call c)
{
	u_ask(&c);
	return u_finish(&c);
}

static ssize_t write_text(struct ipc_handle *h, const char *text)
{
	struct u_call c = call_of(IPC_WRITE, h);

	c.op.data = text;
	c.op.size = strlen(text);
	return run(c);
}

static ssize_t flush(struct ipc_handle *h)
{
	return run(call_of(IPC_FLUSH, h));
}

/* Lets the handle's open come to its end; the other side must be there. */
static void settle(struct ipc_handle *h)
{
	cr_assert_eq(run(call_of(IPC_FLUSH, h)), 0);
}

Test(pipe, an_open_that_creates_makes_a_fifo)
{
	struct stat st;

	cr_assert_eq(create(S_IFREG | 0640), 0);
	st = stat_of(&ref);
	cr_assert_eq(st.st_mode, S_IFIFO | 0640);
	cr_assert_eq(st.st_uid, getuid());
	cr_assert_eq(st.st_size, 0);
}

Test(pipe, mkfifo_makes_a_fifo)
{
	cr_assert_eq(create(S_IFIFO | 0600), 0);
	cr_assert_eq(stat_of(&ref).st_mode, S_IFIFO | 0600);
}

Test(pipe, other_types_are_refused_with_a_line)
{
	cr_assert_eq(create(S_IFSOCK | 0600), -EPERM);
	cr_assert(u_refused("pipe/p: EPERM: /pipe holds FIFOs only"));
	cr_assert_eq(stat_error(&ref), -ENOENT);
}

Test(pipe, a_name_is_made_once)
{
	cr_assert_eq(create(S_IFREG | 0600), 0);
	cr_assert_eq(create(S_IFIFO | 0600), -EEXIST);
}

Test(pipe, unlink_removes_the_name)
{
	struct ipc_cred cred = u_me();

	cr_assert_eq(create(S_IFREG | 0600), 0);
	cr_assert_eq(ipc_unlink(u_ipc, &cred, &ref), 0);
	cr_assert_eq(stat_error(&ref), -ENOENT);
	cr_assert_eq(ipc_unlink(u_ipc, &cred, &ref), -ENOENT);
}

Test(pipe, a_new_fifo_under_the_same_name_has_another_inode)
{
	struct ipc_cred cred = u_me();
	ino_t ino;

	cr_assert_eq(create(S_IFREG | 0600), 0);
	ino = stat_of(&ref).st_ino;
	cr_assert_eq(ipc_unlink(u_ipc, &cred, &ref), 0);
	cr_assert_eq(create(S_IFREG | 0600), 0);
	cr_assert_neq(stat_of(&ref).st_ino, ino);
}

Test(pipe, rename_keeps_the_inode)
{
	struct ipc_cred cred = u_me();
	struct ipc_ref to;
	ino_t ino;

	cr_assert_eq(create(S_IFREG | 0600), 0);
	ino = stat_of(&ref).st_ino;
	cr_assert_eq(ipc_resolve(u_ipc, &cred, &ipc_pipe, "q", &to), 0);
	cr_assert_eq(ipc_rename(u_ipc, &cred, &ref, &to, 0), 0);
	cr_assert_eq(stat_of(&to).st_ino, ino);
	cr_assert_eq(stat_error(&ref), -ENOENT);
}

Test(pipe, chmod_changes_the_mode_and_keeps_the_type)
{
	struct ipc_cred cred = u_me();
	struct stat st = {.st_mode = 0444};

	cr_assert_eq(create(S_IFREG | 0600), 0);
	cr_assert_eq(ipc_chattr(u_ipc, &cred, &ref, NULL, &st, IPC_SET_MODE), 0);
	cr_assert_eq(stat_of(&ref).st_mode, S_IFIFO | 0444);
}

static void count_fifo(void *arg, const char *name, mode_t type)
{
	cr_assert_str_eq(name, "p");
	cr_assert_eq(type, S_IFIFO);
	++*(int *)arg;
}

Test(pipe, the_listing_shows_each_name_once)
{
	struct ipc_cred cred = u_me();
	int names = 0;

	cr_assert_eq(create(S_IFREG | 0600), 0);
	cr_assert_eq(u_each_name(u_ipc, &cred, &ipc_pipe, NULL, count_fifo, &names), 0);
	cr_assert_eq(names, 1);
}

Test(pipe, depth_is_unknown)
{
	struct ipc_depth depth;

	cr_assert_eq(ipc_pipe.names->depth(u_ipc, &ref, &depth), 0);
	cr_assert_eq(depth.value, -1);
}

Test(pipe, without_a_mount_there_is_no_mediated_open)
{
	const char *was = u_ipc->opt.mountpoint;
	struct ipc_handle *h;

	cr_assert_eq(create(S_IFREG | 0600), 0);
	u_ipc->opt.mountpoint = NULL;
	cr_assert_eq(open_handle(O_WRONLY, &h), -EOPNOTSUPP);
	cr_assert(u_refused("through the mount"));
	u_ipc->opt.mountpoint = was;
}

Test(pipe, a_handle_for_a_replaced_fifo_is_stale_and_leaves_the_new_one)
{
	struct ipc_cred cred = u_me();
	struct ipc_handle *h;

	cr_assert_eq(create(S_IFREG | 0600), 0);
	cr_assert_eq(ipc_handle_new(u_ipc, &cred, &ref, O_WRONLY, 77, &h), -ESTALE);
	cr_assert_eq(stat_of(&ref).st_mode, S_IFIFO | 0600);
}

Test(pipe, a_write_waits_for_a_reader)
{
	struct ipc_handle *h = feed(O_WRONLY);
	char got[8];
	int fd;

	START(write, IPC_WRITE, h, .data = "hello", .size = 5);
	cr_assert_not(write.done);
	fd = native(O_RDONLY);
	cr_assert_eq(u_finish(&write), 5);
	cr_assert_eq(read(fd, got, sizeof(got)), 5);
	cr_assert_arr_eq(got, "hello", 5);
	close(fd);
	ipc_close(h);
}

Test(pipe, closing_gives_the_reader_its_end)
{
	struct ipc_handle *h = feed(O_WRONLY);
	int fd = native(O_RDONLY);
	char got[8];

	cr_assert_eq(write_text(h, "last"), 4);
	ipc_close(h);
	cr_assert_eq(read(fd, got, sizeof(got)), 4);
	cr_assert_eq(read(fd, got, sizeof(got)), 0);
	close(fd);
}

Test(pipe, closing_an_empty_copy_waits_for_the_reader)
{
	struct ipc_handle *h = feed(O_WRONLY);
	int fd;

	cr_assert(ipc_handle_wants_flush(h));
	START(closing, IPC_FLUSH, h);
	cr_assert_not(closing.done);
	fd = native(O_RDONLY);
	cr_assert_eq(u_finish(&closing), 0);
	ipc_close(h);
	close(fd);
}

Test(pipe, a_failed_open_is_reported_by_write_and_close)
{
	struct ipc_handle *h = create_and_open(O_WRONLY);

	cr_assert_eq(write_text(h, "x"), -ENOENT);
	cr_assert_eq(flush(h), -ENOENT);
	cr_assert_eq(ipc_poll(h, false), POLLERR);
	cr_assert(u_refused("pipe/p: ENOENT: the new FIFO could not be opened"));
	ipc_close(h);
}

Test(pipe, what_is_no_fifo_is_not_fed)
{
	struct ipc_handle *h;
	int fd = open(fifo, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	h = create_and_open(O_WRONLY);
	cr_assert_eq(write_text(h, "x"), -ESTALE);
	ipc_close(h);
	cr_assert_eq(lseek(fd, 0, SEEK_END), 0);
	close(fd);
}

Test(pipe, a_nonblocking_writer_without_a_reader_gets_enxio)
{
	struct ipc_handle *h = feed(O_WRONLY | O_NONBLOCK);

	cr_assert_eq(flush(h), -ENXIO);
	ipc_close(h);
}

Test(pipe, a_nonblocking_write_does_not_wait_for_the_reader)
{
	struct ipc_handle *h = feed(O_WRONLY);

	START(write, IPC_WRITE, h, .data = "x", .size = 1, .nonblock = true);
	cr_assert(write.done);
	cr_assert_eq(write.result, -EAGAIN);
	ipc_close(h);
}

/* More of them than may wait for one user: each must have given its part back. */
Test(pipe, closing_ends_an_open_that_waits)
{
	struct ipc_handle *h = feed(O_WRONLY);

	ipc_close(h);
	for (int opened = 0; opened < 200;) {
		int r = open_handle(O_WRONLY, &h);

		cr_assert(r == 0 || r == -ENFILE);
		if (r == 0) {
			ipc_close(h);
			opened++;
		} else {
			cr_assert_eq(ipc_loop_turn(u_loop, -1), 0);
		}
	}
}

Test(pipe, too_many_waiting_opens_are_refused_with_a_line)
{
	struct ipc_handle *h[1000] = {feed(O_WRONLY)};
	struct ipc_cred other = {.uid = getuid() + 1, .gid = getgid(), .pid = getpid()};
	int n = 1, r;

	while ((r = open_handle(O_WRONLY, &h[n])) == 0)
		cr_assert_lt(++n, 1000);
	cr_assert_eq(r, -ENFILE);
	cr_assert(u_refused("64 opens that wait for the other side"));
	/* Other users have their own parts, as long as there is any left. */
	while ((r = ipc_handle_new(u_ipc, &other, &ref, O_WRONLY, stat_of(&ref).st_ino, &h[n])) == 0) {
		cr_assert_lt(++n, 1000);
		other.uid++;
	}
	cr_assert_eq(r, -ENFILE);
	cr_assert_eq(n, 256);
	cr_assert(u_refused_to(&other, "256 opens of all users wait"));
	while (n)
		ipc_close(h[--n]);
}

Test(pipe, a_parked_write_can_be_interrupted_and_tried_again)
{
	struct ipc_handle *h = feed(O_WRONLY);
	int fd;

	START(write, IPC_WRITE, h, .data = "x", .size = 1);
	cr_assert_not(write.done);
	ipc_interrupt(&write.op);
	cr_assert_eq(u_finish(&write), -EINTR);
	fd = native(O_RDONLY);
	cr_assert_eq(write_text(h, "y"), 1);
	close(fd);
	ipc_close(h);
}

Test(pipe, parked_writes_arrive_in_order)
{
	struct ipc_handle *h = feed(O_WRONLY);
	char got[8];
	int fd;

	START(one, IPC_WRITE, h, .data = "1", .size = 1);
	START(two, IPC_WRITE, h, .data = "2", .size = 1);
	START(three, IPC_WRITE, h, .data = "3", .size = 1);
	fd = native(O_RDONLY);
	cr_assert_eq(u_finish(&three), 1);
	cr_assert(one.done && two.done);
	cr_assert_eq(read(fd, got, sizeof(got)), 3);
	cr_assert_arr_eq(got, "123", 3);
	close(fd);
	ipc_close(h);
}

Test(pipe, a_write_longer_than_the_pipe_goes_through_whole)
{
	enum { SIZE = 300 * 1000 };
	struct ipc_handle *h = feed(O_WRONLY);
	int fd = native(O_RDONLY);
	char *sent = malloc(SIZE), *got = malloc(SIZE);
	size_t n = 0;

	for (size_t i = 0; i < SIZE; i++)
		sent[i] = (char)(i * 7 + i / 4096);
	START(write, IPC_WRITE, h, .data = sent, .size = SIZE);
	while (n < SIZE) {
		ssize_t r = read(fd, got + n, SIZE - n);

		if (r > 0)
			n += (size_t)r;
		else
			cr_assert_eq(ipc_loop_turn(u_loop, 1), 0);
	}
	cr_assert_eq(u_finish(&write), SIZE);
	cr_assert_eq(memcmp(sent, got, SIZE), 0);
	free(sent);
	free(got);
	close(fd);
	ipc_close(h);
}

Test(pipe, an_interrupted_long_write_says_what_it_did)
{
	enum { SIZE = 300 * 1000 };
	struct ipc_handle *h = feed(O_WRONLY);
	int fd = native(O_RDONLY);
	char *sent = calloc(1, SIZE);

	settle(h);
	START(write, IPC_WRITE, h, .data = sent, .size = SIZE);
	cr_assert_not(write.done);
	ipc_interrupt(&write.op);
	cr_assert_eq(write.result, fcntl(fd, F_GETPIPE_SZ));
	free(sent);
	close(fd);
	ipc_close(h);
}

Test(pipe, a_write_after_the_reader_left_is_epipe)
{
	struct ipc_handle *h = feed(O_WRONLY);
	int fd = native(O_RDONLY);

	cr_assert_eq(write_text(h, "x"), 1);
	close(fd);
	cr_assert_eq(write_text(h, "y"), -EPIPE);
	ipc_close(h);
}

Test(pipe, a_parked_write_learns_that_the_reader_left)
{
	enum { SIZE = 300 * 1000 };
	struct ipc_handle *h = feed(O_WRONLY);
	int fd = native(O_RDONLY);
	char *sent = calloc(1, SIZE);

	settle(h);
	START(write, IPC_WRITE, h, .data = sent, .size = SIZE);
	cr_assert_not(write.done);
	close(fd);
	cr_assert_gt(u_finish(&write), 0);
	cr_assert_eq(write_text(h, "y"), -EPIPE);
	free(sent);
	ipc_close(h);
}

static void note_ready(void *arg)
{
	*(bool *)arg = true;
	ipc_loop_stop(u_loop);
}

Test(pipe, poll_tells_when_the_reader_came)
{
	struct ipc_handle *h = feed(O_WRONLY);
	bool ready = false;
	int fd;

	ipc_handle_on_ready(h, note_ready, &ready);
	cr_assert_eq(ipc_poll(h, true), 0);
	fd = native(O_RDONLY);
	while (!ready)
		cr_assert_eq(ipc_loop_run(u_loop), 0);
	cr_assert_eq(ipc_poll(h, false), POLLOUT | POLLWRNORM);
	close(fd);
	ipc_close(h);
}

Test(pipe, a_creating_reader_reads_what_a_writer_sends)
{
	struct ipc_handle *h = feed(O_RDONLY);
	int fd;

	START(read, IPC_READ, h, .size = 100);
	cr_assert_not(read.done);
	fd = open(fifo, O_WRONLY | O_CLOEXEC);
	cr_assert_eq(write(fd, "words", 5), 5);
	cr_assert_eq(u_finish(&read), 5);
	cr_assert_str_eq(read.text, "words");
	close(fd);
	START(end, IPC_READ, h, .size = 100, .offset = 5);
	cr_assert_eq(u_finish(&end), 0);
	ipc_close(h);
}

Test(pipe, a_creating_reader_may_step_back_to_what_it_read_last)
{
	struct ipc_handle *h = feed(O_RDONLY);
	int fd = open(fifo, O_WRONLY | O_CLOEXEC);

	cr_assert_eq(write(fd, "words", 5), 5);
	START(all, IPC_READ, h, .size = 100);
	cr_assert_eq(u_finish(&all), 5);
	START(again, IPC_READ, h, .size = 100, .offset = 2);
	cr_assert_eq(u_finish(&again), 3);
	cr_assert_str_eq(again.text, "rds");
	close(fd);
	ipc_close(h);
}

Test(pipe, closing_a_creating_reader_waits_for_nobody)
{
	struct ipc_handle *h = feed(O_RDONLY);

	cr_assert_not(ipc_handle_wants_flush(h));
	ipc_close(h);
}

Test(pipe, a_handle_for_both_directions_needs_no_other_side)
{
	struct ipc_handle *h = feed(O_RDWR);

	cr_assert_eq(write_text(h, "loop"), 4);
	START(read, IPC_READ, h, .size = 100);
	cr_assert_eq(u_finish(&read), 4);
	cr_assert_str_eq(read.text, "loop");
	ipc_close(h);
}

Test(pipe, unlink_does_not_break_who_has_it_open)
{
	struct ipc_handle *h = feed(O_WRONLY);
	int fd = native(O_RDONLY);
	struct ipc_cred cred = u_me();

	cr_assert_eq(write_text(h, "x"), 1);
	cr_assert_eq(ipc_unlink(u_ipc, &cred, &ref), 0);
	cr_assert_eq(write_text(h, "y"), 1);
	ipc_close(h);
	close(fd);
}

Test(pipe, the_instance_may_end_while_a_closed_open_still_waits)
{
	for (int i = 0; i < 8; i++) {
		struct ipc_handle *h = i ? NULL : feed(O_WRONLY);

		if (!h)
			cr_assert_eq(open_handle(O_WRONLY, &h), 0);
		ipc_close(h);
	}
}

/* What reads a file by other means than read(2): through the page cache, by splice and its like, or asynchronously. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue.h"
#include "ring.h"

TestSuite(splice, .timeout = 60);

/* Everything that a mount serves, with something to read in it. Each has its own way to come by that. */
static const struct face {
	const char *path, *fill, *expected;
	int flags;
} faces[] = {
	{"mq/%s", "echo 'transfer 1000 from A to B' > $M/mq/$P", "transfer 1000 from A to B\n", O_RDONLY},
	{"mq/%s", "echo 'transfer 1000 from A to B' > $M/mq/$P", "transfer 1000 from A to B\n", O_RDWR},
	{"mq/%s", "echo 'transfer 1000 from A to B' > $M/mq/$P", "transfer 1000 from A to B\n", O_RDWR | O_APPEND},
	{"mq/%s@lines,drain", "echo a > $M/mq/$P@lines", "a\n", O_RDONLY},
	{"mq/%s@lines,batch,meta", "echo a > $M/mq/$P@lines", "0\ta\n", O_RDONLY},
	{"mq/%s@ctl", "echo a > $M/mq/$P", "kind=mq", O_RDONLY},
	{"bcast/%s@last=1", "echo a > $M/bcast/$P", "a\n", O_RDONLY},
	{"bcast/%s@last=1,lines", "echo a > $M/bcast/$P@lines", "a\n", O_RDONLY},
	{"sem/%s", "echo 3 > $M/sem/$P", "2\n", O_RDONLY},
	{"sock/%s", "touch $M/sock/$P; echo a > $M/sock/$P", "a\n", O_RDONLY},
	{"status", "true", "KIND", O_RDONLY},
	{"status@json", "true", "{", O_RDONLY},
	{"errors", "cat $M/mq/no@such", "", O_RDONLY},
};
enum { FACES = sizeof(faces) / sizeof(faces[0]) };

/* How a way to read came to its end: bytes or -errno. */
static ssize_t by_sendfile(int fd, int to)
{
	ssize_t n = sendfile(to, fd, NULL, 4096);

	return n < 0 ? -errno : n;
}

static ssize_t by_splice(int fd, int to)
{
	ssize_t n = splice(fd, NULL, to, NULL, 4096, 0);

	return n < 0 ? -errno : n;
}

static ssize_t by_copy(int fd, int to)
{
	int file = t_open(t_format("%s/copy", t_scratch()), O_RDWR | O_CREAT | O_TRUNC);
	ssize_t n = copy_file_range(fd, NULL, file, NULL, 4096, 0), r = n < 0 ? -errno : n;

	(void)to;
	close(file);
	return r;
}

static int open_face(const struct face *face)
{
	char path[64];

	t_name("");
	t_bash(strstr(face->fill, "no@such") ? 1 : 0, t_format("P=${P}%zu; %s", (size_t)(face - faces), face->fill));
	snprintf(path, sizeof(path), face->path, t_format("%s%zu", t_name(""), (size_t)(face - faces)));
	return t_open(t_path(M, "%s", path), face->flags);
}

/* It fails, or gives all; and what it did not give is still there. */
static void expect_nothing_lost(ssize_t (*way)(int, int), const char *name)
{
	for (int i = 0; i < FACES; i++) {
		int fd = open_face(&faces[i]), to[2];
		char got[4096] = "";
		ssize_t n;

		cr_assert_eq(pipe(to), 0);
		n = way(fd, to[1]);
		cr_expect(n < 0, "%s of %s: %zd", name, faces[i].path, n);
		n = read(fd, got, sizeof(got) - 1);
		cr_expect(n > 0 && strncmp(got, faces[i].expected, strlen(faces[i].expected)) == 0,
			  "%s of %s, then read: %zd %s", name, faces[i].path, n, got);
		close(fd);
		close(to[0]);
		close(to[1]);
		t_bash(0, "cd $M; rm -f mq/$P* bcast/$P* sem/$P* sock/$P*");
	}
}

t_test(splice, sendfile_never_finds_emptiness_where_there_is_something)
{
	expect_nothing_lost(by_sendfile, "sendfile");
}

t_test(splice, splice_never_finds_emptiness_where_there_is_something)
{
	expect_nothing_lost(by_splice, "splice");
}

t_test(splice, copy_file_range_never_finds_emptiness_where_there_is_something)
{
	expect_nothing_lost(by_copy, "copy_file_range");
}

/* The kernel raises an inode's size with each write, and reads up to there through the page cache. */
t_test(splice, what_was_written_through_the_same_file_is_not_cut)
{
	int fd = t_open(t_path(M, "mq/%s@maxmsg=4,msgsize=64", t_name("q")), O_RDWR | O_CREAT), to[2];
	char got[64] = "";

	cr_assert_eq(write(fd, "x", 1), 1);
	cr_assert_eq(write(fd, "transfer 1000", 13), 13);
	cr_assert_eq(pipe(to), 0);
	cr_assert_eq(by_splice(fd, to[1]), -EINVAL);
	cr_assert_eq(read(fd, got, sizeof(got)), 1);
	cr_assert_eq(read(fd, got, sizeof(got)), 13);
}

t_test(splice, the_refusal_says_what_to_do)
{
	struct queue q = queue_make("q", 4, 64);
	int fd = t_open(t_path(M, "mq/%s", q.name), O_RDONLY), to[2];

	cr_assert_eq(pipe(to), 0);
	cr_assert_eq(by_splice(fd, to[1]), -EINVAL);
	cr_assert(t_refused("EINVAL") && t_refused("use read"));
}

t_test(splice, a_private_mapping_takes_no_message)
{
	struct queue q = queue_make("q", 4, 64);
	int fd = t_open(t_path(M, "mq/%s", q.name), O_RDONLY);
	void *map;

	queue_send(&q, "hello", 0);
	map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map != MAP_FAILED)
		/* write(2) reads the page for us, and reports instead of dying. */
		t_check_errno(write(t_open("/dev/shm/", O_TMPFILE | O_RDWR), map, 5), EFAULT);
	cr_assert_eq(queue_depth(&q), 1);
}

t_test(splice, busybox_reads_channels_and_texts)
{
	t_need("busybox");
	t_name("");
	t_check("cd $M; touch mq/$P@msgsize=64,maxmsg=4; echo 'transfer 1000 from A to B' > mq/$P; echo x > mq/$P\n"
		"busybox cat mq/$P@drain | cat\n"
		"echo 3 > sem/$P; busybox cat sem/$P\n"
		"echo hi > bcast/$P; busybox cat bcast/$P@last=1,n=1; touch sock/$P; echo yo > sock/$P; busybox cat sock/$P\n"
		"busybox cat README | cmp - README && busybox cat status | grep -c ^mq.*$P; rm mq/$P sem/$P bcast/$P sock/$P",
		"transfer 1000 from A to B\nx\n2\nhi\nyo\n1\n");
}

t_test(splice, copies_of_a_queue_are_whole)
{
	struct queue q = queue_make("q", 4, 64);

	t_need("python3");
	setenv("Q", t_path(M, "mq/%s@drain", q.name), 1);
	queue_send(&q, "payload", 0);
	t_check("cp $Q out; cat out", "payload");
	queue_send(&q, "payload", 0);
	t_check("python3 -c 'import shutil, sys; shutil.copyfile(*sys.argv[1:])' $Q out2; cat out2", "payload");
}

t_test(splice, readme_has_its_size_and_can_be_mapped)
{
	char *text = t_read(t_path(M, "README"));
	int fd = t_open(t_path(M, "README"), O_RDONLY);
	struct stat st;
	char *map;

	cr_assert_eq(fstat(fd, &st), 0);
	cr_assert_eq((size_t)st.st_size, strlen(text));
	cr_assert_eq(lseek(fd, 0, SEEK_END), st.st_size);
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	cr_assert_neq(map, MAP_FAILED, "%s", strerror(errno));
	cr_assert_eq(memcmp(map, text, strlen(text)), 0);
}

static void expect_size_zero(int fd, const char *path)
{
	struct stat st;

	cr_assert_eq(fstat(fd, &st), 0);
	cr_expect_eq(st.st_size, 0, "%lld", (long long)st.st_size);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_size, 0, "%lld", (long long)st.st_size);
}

t_test(splice, stat_shows_no_size_whatever_is_done)
{
	static const int flags[] = {O_RDONLY, O_RDWR, O_RDWR | O_APPEND, O_RDWR | O_TRUNC};

	for (int i = 0; i < 4; i++) {
		char *path = t_path(M, "mq/%s@maxmsg=4,msgsize=64", t_name("q"));
		int fd = t_open(path, flags[i] | O_CREAT), to[2];

		expect_size_zero(fd, path);
		cr_assert_eq(pipe(to), 0);
		by_splice(fd, to[1]);
		expect_size_zero(fd, path);
		cr_assert_eq(fchmod(fd, 0600), 0);
		expect_size_zero(fd, path);
		cr_assert_eq(ftruncate(flags[i] == O_RDONLY ? t_open(path, O_WRONLY) : fd, 0), 0);
		expect_size_zero(fd, path);
		cr_expect_eq(by_splice(fd, to[1]), -EINVAL, "%d: still no end", i);
		close(fd);
		expect_size_zero(t_open(path, O_WRONLY), path);
	}
}

t_test(splice, the_end_of_a_channel_is_nowhere)
{
	struct queue q = queue_make("q", 4, 64);
	int fd = t_open(t_path(M, "mq/%s", q.name), O_RDONLY);

	t_check_errno(lseek(fd, 0, SEEK_END), EINVAL);
	cr_assert_eq(lseek(fd, 0, SEEK_CUR), 0);
	setenv("Q", t_path(M, "mq/%s@lines,drain", q.name), 1);
	queue_send(&q, "first", 0);
	queue_send(&q, "last", 0);
	t_check("tail -n1 $Q", "last\n");
	queue_send(&q, "more", 0);
	t_check("grep -q more < $Q && echo found", "found\n");
}

/* `>>` writes where the kernel believes that the file ends, and a limit would end the writer there. */
t_test(splice, a_writer_that_appends_does_not_meet_the_size_of_readers)
{
	t_name("");
	t_check("touch $M/mq/$P@maxmsg=4,msgsize=64; echo a > $M/mq/$P; head -n1 $M/mq/$P\n"
		"(ulimit -f 1; echo b >> $M/mq/$P); head -n1 $M/mq/$P; rm $M/mq/$P",
		"a\nb\n");
}

/* --- asynchronous reads --- */

static void expect_ring_read(struct ring *r, int fd, off_t offset, const char *expected)
{
	char got[256];
	int n = ring_read(r, fd, got, sizeof(got), offset);

	cr_assert_eq(n, (int)strlen(expected), "%d", n);
	cr_assert_eq(memcmp(got, expected, strlen(expected)), 0);
}

t_test(splice, io_uring_takes_a_message_a_read)
{
	static const int flags[] = {O_RDONLY, O_RDWR};
	static const off_t offsets[] = {0, -1};
	struct ring *r = ring_start();

	for (int i = 0; i < 4; i++) {
		struct queue q = queue_make(t_format("q%d", i), 4, 64);
		int fd = t_open(t_path(M, "mq/%s", q.name), flags[i & 1]);

		queue_send(&q, "one", 0);
		queue_send(&q, "two", 0);
		expect_ring_read(r, fd, offsets[i / 2], "one");
		cr_assert_eq(queue_depth(&q), 1);
		expect_ring_read(r, fd, offsets[i / 2], "two");
	}
}

t_test(splice, io_uring_waits_for_a_message)
{
	struct queue q = queue_make("q", 4, 64);
	int fd = t_open(t_path(M, "mq/%s", q.name), O_RDONLY);
	struct ring *r = ring_start();
	char got[64];

	ring_submit_read(r, fd, got, sizeof(got), 0);
	cr_assert_eq(ring_done(r, 50), RING_NOTHING);
	queue_send(&q, "late", 0);
	cr_assert_eq(ring_done(r, T_PATIENCE), 4);
	cr_assert_eq(memcmp(got, "late", 4), 0);
}

t_test(splice, io_uring_reads_texts_once)
{
	struct ring *r = ring_start();
	char got[65536];
	int n = ring_read(r, t_open(t_path(M, "status"), O_RDONLY), got, sizeof(got), 0);

	cr_assert_gt(n, 0);
	cr_assert_eq(strncmp(got, "KIND", 4), 0);
	cr_assert_eq(memmem(got + 1, (size_t)n - 1, "KIND", 4), NULL);
}

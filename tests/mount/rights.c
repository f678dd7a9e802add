/* A handle that outlives its name must not act on what has the name then, which can be another user's. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <mqueue.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

enum { ANN = 54321, BOB = 54322 };

static void rights_mount(const char *options)
{
	if (geteuid() != 0)
		cr_skip_test("only root can be somebody else");
	M = t_mount_start("-o", t_format("allow_other%s", options), NULL);
}

/* From here on files are opened as that user; 0 again by be(0). */
static void be(uid_t uid)
{
	t_become(uid);
	umask(0);
}

static char *path_of(const char *kind)
{
	return t_path(M, "%s/%s", kind, t_name("x"));
}

static void make(const char *kind, mode_t mode)
{
	int fd = open(path_of(kind), O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC, mode);

	cr_assert(fd >= 0, "%s: %s", path_of(kind), strerror(errno));
	close(fd);
}

/* Past what the kernel has cached of the mount. */
static void make_natively(const char *kind, mode_t mode)
{
	char *name = t_format("/%s", t_name("x"));

	if (strcmp(kind, "mq") == 0)
		cr_assert(mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode, NULL) >= 0);
	else if (strcmp(kind, "sem") == 0)
		cr_assert(sem_open(name, O_CREAT | O_EXCL, mode, 0) != SEM_FAILED);
	else
		make(kind, mode);
}

/* By a native call where there is one, so that the mount does not hear of it. */
static void unmake(const char *kind)
{
	if (strcmp(kind, "mq") == 0)
		cr_assert_eq(mq_unlink(t_format("/%s", t_name("x"))), 0);
	else if (strcmp(kind, "sem") == 0)
		cr_assert_eq(sem_unlink(t_format("/%s", t_name("x"))), 0);
	else if (strcmp(kind, "shm") == 0)
		cr_assert_eq(shm_unlink(t_format("/%s", t_name("x"))), 0);
	else
		cr_assert_eq(unlink(path_of(kind)), 0);
}

static int open_ctl(const char *kind, int flags)
{
	int fd = open(t_format("%s@ctl", path_of(kind)), flags | O_CLOEXEC);

	cr_assert(fd >= 0, "%s", strerror(errno));
	return fd;
}

t_test_bare(rights, ctl_does_not_set_what_another_user_has_made)
{
	struct stat st;
	int fd;

	rights_mount("");
	be(ANN);
	make("shm", 0600);
	fd = open_ctl("shm", O_WRONLY);
	unmake("shm");
	be(BOB);
	cr_assert_eq(ftruncate(shm_open(t_format("/%s", t_name("x")), O_RDWR | O_CREAT | O_EXCL, 0600), 4096), 0);
	be(ANN);
	t_check_errno(write(fd, "size=0\n", 7), ESTALE);
	be(0);
	cr_assert_eq(stat(t_format("/dev/shm/%s", t_name("x")), &st), 0);
	cr_expect_eq(st.st_size, 4096);
}

t_test_bare(rights, ctl_does_not_set_another_users_broadcast)
{
	int fd;

	rights_mount("");
	be(ANN);
	make("bcast", 0600);
	fd = open_ctl("bcast", O_WRONLY);
	unmake("bcast");
	be(BOB);
	make("bcast", 0600);
	be(ANN);
	t_check_errno(write(fd, "buffer=4096\n", 12), ESTALE);
	be(0);
	cr_expect_gt(t_ctl(M, t_format("bcast/%s", t_name("x")), "buffer"), 4096);
}

static const char *const kinds[] = {"shm", "mq", "sock", "sem", "bcast"};

/* NOLINTNEXTLINE(bugprone-macro-parentheses): it declares its argument */
#define each_kind(kind) for (const char *const *kind = kinds; kind < kinds + sizeof(kinds) / sizeof(*kinds); kind++)

t_test_bare(rights, ctl_does_not_read_what_another_user_has_made)
{
	rights_mount("");
	each_kind(kind)
	{
		char text[256];
		int fd;

		be(ANN);
		make(*kind, 0600);
		fd = open_ctl(*kind, O_RDONLY);
		unmake(*kind);
		be(BOB);
		make(*kind, 0600);
		be(ANN);
		cr_expect(read(fd, text, sizeof(text)) < 0 && errno == ESTALE, "%s", *kind);
		close(fd);
		be(0);
	}
}

t_test_bare(rights, ctl_reads_its_own_object_after_another_look)
{
	rights_mount("");
	each_kind(kind)
	{
		char text[256];
		int fd;

		be(ANN);
		make(*kind, 0600);
		fd = open_ctl(*kind, O_RDONLY);
		cr_expect_gt(read(fd, text, sizeof(text)), 0, "%s", *kind);
		close(fd);
		be(0);
	}
}

/* Root's own object, and root's descriptor of it: nothing but the comparison keeps it from Bob's. */
t_test_bare(rights, chmod_of_a_descriptor_does_not_reach_what_has_the_name_now)
{
	static const char *const served[] = {"mq", "sock", "sem", "bcast"};

	rights_mount("");
	for (unsigned i = 0; i < sizeof(served) / sizeof(served[0]); i++) {
		const char *kind = served[i];
		struct stat st;
		int fd;

		make(kind, 0600);
		fd = open(path_of(kind), (strcmp(kind, "sock") ? O_RDONLY : O_RDWR) | O_NONBLOCK | O_CLOEXEC);
		cr_assert(fd >= 0, "%s: %s", kind, strerror(errno));
		unmake(kind);
		be(BOB);
		make_natively(kind, 0600);
		be(0);
		fchmod(fd, 0666);
		/* What the kernel has cached of the mount passes. */
		t_await(stat(path_of(kind), &st) == 0 && st.st_uid == BOB);
		cr_expect_eq(st.st_mode & 0777, 0600u, "%s: %o", kind, st.st_mode);
		close(fd);
	}
}

/* --- what reads as facets --- */

t_test_bare(rights, facets_are_not_caught_by_an_object_of_that_name)
{
	char *jobs = t_name("jobs");
	struct mq_attr attr;
	mqd_t squat, q;
	int fd;

	rights_mount("");
	be(BOB);
	squat = mq_open(t_format("/%s@lines", jobs), O_RDWR | O_CREAT | O_NONBLOCK, 0666, NULL);
	cr_assert(squat >= 0, "%s", strerror(errno));
	be(ANN);
	fd = open(t_path(M, "mq/%s@lines", jobs), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert(fd >= 0, "%s", strerror(errno));
	cr_assert_eq(write(fd, "secret\n", 7), 7);
	q = mq_open(t_format("/%s", jobs), O_RDONLY | O_NONBLOCK);
	cr_assert(q >= 0, "%s", strerror(errno));
	be(0);
	cr_assert_eq(mq_getattr(squat, &attr), 0);
	cr_expect_eq(attr.mq_curmsgs, 0);
	cr_assert_eq(mq_getattr(q, &attr), 0);
	cr_expect_eq(attr.mq_curmsgs, 1);
	mq_unlink(t_format("/%s@lines", jobs));
}

t_test(rights, doubled_at_is_a_literal_one)
{
	t_check("cd $M/sem; touch ${P}s@value=3; python3 -c 'import os,shutil,sys;"
		"shutil.copy(\"/dev/shm/sem.\"+sys.argv[1], \"/dev/shm/sem.\"+sys.argv[1]+\"@hold\")' ${P}s\n"
		"ls | grep ^$P | sed s/$P// | sort; echo 4 > ${P}s@@hold; grep ^value ${P}s@@hold@ctl ${P}s@ctl | sed s/$P//; rm ${P}s@@hold; ls | grep ^$P | sed s/$P//",
		"s\ns@@hold\ns@@hold@ctl:value=7\ns@ctl:value=3\ns\n");
}

t_test(rights, doubled_at_makes_a_pipe_with_an_at)
{
	t_check("mkfifo $M/pipe/${P}p@@ctl; echo x > $M/pipe/${P}p@@ctl & cat $M/pipe/${P}p@@ctl; ls $M/pipe | sed s/$P//",
		"x\np@@ctl\n");
}

/* --- errors --- */

t_test_bare(rights, refusals_of_one_user_do_not_push_out_anothers)
{
	rights_mount("");
	be(ANN);
	cr_expect_lt(open(t_path(M, "mq/x@nonsense"), O_RDONLY), 0);
	be(BOB);
	for (int i = 0; i < 400; i++)
		cr_expect_lt(open(t_path(M, "mq/y@nonsense%d", i), O_RDONLY), 0);
	be(ANN);
	cr_expect(strstr(t_read(t_path(M, "errors")), "nonsense"));
	be(0);
}

t_test(rights, refusal_stays_one_line)
{
	char *text;

	cr_expect_lt(open(t_path(M, "mq/x@size=\n12:00:00 pid 1: \033[31mroot\xe2\x80\xae"), O_RDONLY), 0);
	text = t_read(t_path(M, "errors"));
	cr_expect_null(strchr(text, '\033'), "%s", text);
	cr_expect_null(strstr(text, "\xe2\x80\xae"), "%s", text);
	cr_expect_eq(strchr(text, '\n'), text + strlen(text) - 1, "%s", text);
}

/* --- directories --- */

t_test(rights, kinds_of_an_own_mount_are_private)
{
	struct stat st;

	cr_assert_eq(stat(t_path(M, "sock"), &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0700u);
}

/* He keeps his number, and has every capability where he is now: over nothing of ours. */
t_test_bare(rights, root_who_enters_a_user_namespace_opens_no_more_what_he_opened_again_and_again)
{
	char *out;
	int r;

	t_need("python3");
	rights_mount("");
	be(ANN);
	make("mq", 0600);
	be(0);
	r = t_sh(M, "python3",
		 t_format("import ctypes, os, sys\n"
			  "def go(): os.close(os.open(\"%s\", os.O_WRONLY | os.O_NONBLOCK))\n"
			  "for i in range(5): go()\n"
			  "if ctypes.CDLL(None).unshare(0x10000000) != 0: sys.exit(77)\n"
			  "for what in (\"uid\", \"gid\"):\n"
			  "    if what == \"gid\": open(\"/proc/self/setgroups\", \"w\").write(\"deny\")\n"
			  "    open(f\"/proc/self/{what}_map\", \"w\").write(\"0 0 1\")\n"
			  "try: go()\n"
			  "except PermissionError: print(os.getuid(), \"refused\")\n",
			  path_of("mq")),
		 &out);
	if (r == 77)
		cr_skip_test("the kernel forbids user namespaces");
	cr_assert_eq(r, 0, "%s", out);
	cr_assert_str_eq(out, "0 refused\n");
	unmake("mq");
}

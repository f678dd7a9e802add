/*
 * Links in /dev/shm. Where the kernel follows them (fs.protected_symlinks is 0), another user's object may turn into
 * one at any moment, and nothing that is done through the mount may lead to its target. Each test of that runs with
 * FUSE passthrough and without.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

enum { BOB = 54322 };

static void need_links_followed(void)
{
	if (strcmp(t_read("/proc/sys/fs/protected_symlinks"), "0\n") != 0)
		cr_skip_test("fs.protected_symlinks protects others, and all see a link");
}

static void mount_for_all(bool passthrough)
{
	if (geteuid() != 0)
		cr_skip_test("only root can be somebody else");
	if (!passthrough)
		t_preload("no_passthrough");
	M = t_mount_start("-o", "allow_other", NULL);
	unsetenv("LD_PRELOAD");
}

/* From here on files are opened as that user; 0 again by be(0). */
static void be(uid_t uid)
{
	t_become(uid);
	umask(0);
}

static char *object(void)
{
	return t_path(M, "shm/%s", t_name("x"));
}

static char *native(const char *base)
{
	return t_format("/dev/shm/%s", t_name(base));
}

/* Bob's object, which everybody may write. */
static void make(const char *text)
{
	int fd;

	be(BOB);
	fd = open(native("x"), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	cr_assert(fd >= 0, "%s", strerror(errno));
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	be(0);
}

static void exchange(void)
{
	be(BOB);
	cr_assert_eq(renameat2(AT_FDCWD, native("l"), AT_FDCWD, native("x"), RENAME_EXCHANGE), 0);
	be(0);
}

/* Root's file, and Bob's link to it. */
static char *make_victim(void)
{
	char *victim = t_format("%s/victim", t_scratch());

	t_write(victim, "precious");
	cr_assert_eq(chmod(victim, 0600), 0);
	be(BOB);
	cr_assert_eq(symlink(victim, native("l")), 0);
	be(0);
	return victim;
}

static void check_turned_into_link(bool passthrough)
{
	char *victim = make_victim();
	struct stat st;
	int fd;

	mount_for_all(passthrough);
	make("");
	cr_assert_eq(lstat(object(), &st), 0); /* the mount's entry is cached */
	exchange();
	fd = open(object(), O_WRONLY | O_TRUNC | O_CLOEXEC);
	cr_expect_lt(fd, 0);
	cr_expect_lt(truncate(object(), 0), 0);
	cr_expect_str_eq(t_read(victim), "precious");
}

t_test_bare(shmlink, object_that_turns_into_a_link_is_not_followed)
{
	need_links_followed();
	check_turned_into_link(true);
}

t_test_bare(shmlink, object_that_turns_into_a_link_is_not_followed_without_passthrough)
{
	need_links_followed();
	check_turned_into_link(false);
}

/* Bob changes his object into a link, and back, all the time. */
static int exchange_for_ever(void *names)
{
	const char *const *name = names;

	be(BOB);
	for (;;)
		if (renameat2(AT_FDCWD, name[0], AT_FDCWD, name[1], RENAME_EXCHANGE) < 0)
			return 1;
}

static void check_race(bool passthrough)
{
	char *name[2] = {native("x"), native("l")}, *victim = make_victim();
	struct stat precious, st;
	pid_t exchanger;
	int opened = 0;

	cr_assert_eq(stat(victim, &precious), 0);
	mount_for_all(passthrough);
	make("");
	exchanger = t_fork(exchange_for_ever, name);
	for (int i = 0; i < 3000; i++) {
		int fd = open(object(), O_WRONLY | O_CLOEXEC);

		chmod(object(), 0666);
		cr_assert(truncate(object(), 1) < 0 || (stat(victim, &st) == 0 && st.st_size == precious.st_size));
		cr_assert(fd < 0 || (fstat(fd, &st) == 0 && st.st_ino != precious.st_ino));
		if (fd >= 0 && ++opened)
			close(fd);
	}
	kill(exchanger, SIGKILL);
	cr_assert_eq(t_wait_exit(exchanger, T_PATIENCE, NULL), 128 + SIGKILL);
	cr_expect_gt(opened, 0);
	cr_assert_eq(stat(victim, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
	cr_expect_str_eq(t_read(victim), "precious");
}

t_test_bare(shmlink, no_race_leads_to_a_link)
{
	check_race(true);
}

t_test_bare(shmlink, no_race_leads_to_a_link_without_passthrough)
{
	check_race(false);
}

t_test_bare(shmlink, what_an_owner_sees_as_a_link_is_a_file_to_others_at_once)
{
	struct stat st;

	need_links_followed();
	mount_for_all(true);
	make("");
	be(BOB);
	cr_assert_eq(lstat(object(), &st), 0);
	cr_assert(S_ISLNK(st.st_mode));
	be(0);
	cr_assert_eq(lstat(object(), &st), 0);
	cr_expect(S_ISREG(st.st_mode));
	be(BOB);
	cr_assert_eq(lstat(object(), &st), 0);
	cr_expect(S_ISLNK(st.st_mode));
	be(0);
}

t_test_bare(shmlink, root_in_a_mount_of_his_own_sees_others_memory_as_in_one_for_all)
{
	struct stat for_all, own;

	mount_for_all(true);
	make("");
	cr_assert_eq(lstat(object(), &for_all), 0);
	M = t_mount_start(NULL);
	cr_assert_eq(lstat(object(), &own), 0);
	cr_expect_eq(own.st_mode & S_IFMT, for_all.st_mode & S_IFMT);
}

t_test_bare(shmlink, a_listing_says_nothing_else_than_stat)
{
	DIR *dir;
	const struct dirent *entry;
	struct stat st;
	bool found = false;

	mount_for_all(true);
	make("");
	dir = opendir(t_path(M, "shm"));
	cr_assert(dir);
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, t_name("x")) != 0)
			continue;
		found = true;
		cr_assert_eq(lstat(object(), &st), 0);
		cr_expect(entry->d_type == DT_UNKNOWN || entry->d_type == (int)IFTODT(st.st_mode));
	}
	closedir(dir);
	cr_expect(found);
}

/* --- without passthrough --- */

t_test_bare(shmlink, anothers_memory_is_read_and_written_without_passthrough)
{
	need_links_followed();
	mount_for_all(false);
	make("one\n");
	t_check("cd $M/shm; cat ${P}x; echo two > ${P}x; cat /dev/shm/${P}x; echo three >> ${P}x; echo native >> /dev/shm/${P}x\n"
		"echo four >> ${P}x; cat ${P}x; stat -c %s ${P}x; truncate -s 3 ${P}x; cat /dev/shm/${P}x; echo; head -c2 ${P}x; echo\n"
		"printf X | dd of=${P}x bs=1 seek=1 conv=notrunc 2>/dev/null; tail -c 2 ${P}x",
		"one\ntwo\ntwo\nthree\nnative\nfour\n22\ntwo\ntw\nXo");
}

t_test_bare(shmlink, anothers_memory_is_open_as_often_as_one_likes_without_passthrough)
{
	need_links_followed();
	mount_for_all(false);
	make("one\n");
	t_check("cd $M/shm; exec 3<>${P}x 4<>${P}x 5<${P}x; echo TWO >&3; cat <&4; cat <&5; rm ${P}x; echo three >&3; cat <&4",
		"TWO\nTWO\nthree\n");
}

t_test_bare(shmlink, mode_of_anothers_memory_holds_without_passthrough)
{
	need_links_followed();
	mount_for_all(false);
	make("secret\n");
	t_check("chmod 600 $M/shm/${P}x; setpriv --reuid=54323 --regid=54323 --clear-groups cat $M/shm/${P}x 2>&1 | "
		"grep -o 'Permission denied'",
		"Permission denied\n");
}

t_test_bare(shmlink, mapping_anothers_memory_without_passthrough_is_refused_with_the_reason)
{
	int fd;

	need_links_followed();
	mount_for_all(false);
	make("one\n");
	fd = t_open(object(), O_RDWR);
	cr_assert_eq(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	cr_expect_eq(errno, ENODEV);
	t_check("grep -o 'shm/.*x: ENODEV: it can be read and written here, but not mapped' $M/errors | sed s/$P//",
		"shm/x: ENODEV: it can be read and written here, but not mapped\n");
}

t_test_bare(shmlink, ones_own_memory_is_a_link_and_mapped_without_passthrough)
{
	int fd;

	mount_for_all(false);
	make("one\n");
	be(BOB);
	fd = t_open(object(), O_RDWR);
	cr_expect_neq(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	be(0);
}

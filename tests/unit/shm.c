#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fixture.h"
#include "names.h"

static void setup(void)
{
	u_setup(&ipc_shm);
}

TestSuite(shm, .init = setup, .fini = u_teardown, .timeout = 20);

/* The object's path; `lead` before the prefix. In a static buffer. */
static const char *path_of(const char *lead, const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "/dev/shm/%s%s%s", lead, u_prefix, name);
	return path;
}

static struct stat object(const char *name)
{
	struct stat st;

	cr_assert_eq(lstat(path_of("", name), &st), 0);
	return st;
}

static int follow(const char *name, char *buf, size_t size)
{
	struct ipc_cred cred = u_me();
	struct ipc_ref ref = u_named(name);

	return ipc_readlink(u_ipc, &cred, &ref, buf, size);
}

static ssize_t write_at(struct ipc_handle *h, off_t offset, const char *text)
{
	struct ipc_op op = {
		.type = IPC_WRITE, .handle = h, .cred = u_me(), .data = text, .size = strlen(text), .offset = offset};

	return ipc_submit(&op);
}

/* Reads up to size bytes; the text read, in a static buffer. */
static const char *read_at(struct ipc_handle *h, off_t offset, size_t size)
{
	static char text[256];
	struct ipc_op op = {.type = IPC_READ, .handle = h, .cred = u_me(), .size = size, .offset = offset};
	ssize_t n = ipc_submit(&op);

	cr_assert_geq(n, 0);
	cr_assert_lt(n, (ssize_t)sizeof(text));
	if (n)
		memcpy(text, op.data, (size_t)n);
	text[n] = '\0';
	return text;
}

Test(shm, what_is_made_here_is_there_for_shm_open)
{
	char name[64];
	int fd;

	u_create("a");
	snprintf(name, sizeof(name), "/%sa", u_prefix);
	fd = shm_open(name, O_RDWR, 0);
	cr_assert_geq(fd, 0);
	close(fd);
}

Test(shm, what_shm_open_makes_is_here)
{
	char name[64];
	struct stat st;

	snprintf(name, sizeof(name), "/%sa", u_prefix);
	close(shm_open(name, O_RDWR | O_CREAT, 0600));
	cr_assert_eq(u_stat("a", &st), 0);
}

Test(shm, a_name_is_a_link_to_its_object)
{
	char target[128];
	struct stat st;

	u_create("a");
	cr_assert_eq(follow("a", target, sizeof(target)), 0);
	cr_assert_str_eq(target, path_of("", "a"));
	cr_assert_eq(u_stat("a", &st), 0);
	cr_assert_eq(st.st_mode, S_IFLNK | 0777);
	cr_assert_eq(st.st_size, (off_t)strlen(target));
	cr_assert_eq(st.st_mtim.tv_nsec, object("a").st_mtim.tv_nsec);
	cr_assert_eq(ipc_kind_ino(st.st_ino), object("a").st_ino);
}

Test(shm, a_link_that_does_not_fit_is_an_error)
{
	char target[8];

	u_create("a");
	cr_assert_eq(follow("a", target, sizeof(target)), -ENAMETOOLONG);
}

Test(shm, size_is_given_at_creation)
{
	u_create("a@size=12K");
	cr_assert_eq(object("a").st_size, 12 * 1024);
}

Test(shm, a_size_that_contradicts_the_object_is_eexist)
{
	char target[128];

	u_create("a@size=4096");
	cr_assert_eq(follow("a@size=4096", target, sizeof(target)), 0);
	cr_assert_eq(follow("a@size=8192", target, sizeof(target)), -EEXIST);
	cr_assert(u_refused("a@size=8192: EEXIST: the object exists and has 4096 bytes"));
}

Test(shm, an_object_that_cannot_have_its_size_is_not_made)
{
	struct rlimit limit = {4096, 4096};
	struct stat st;

	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_assert_eq(u_create_type("a@size=1M", S_IFREG | 0600), -EFBIG);
	cr_assert(u_refused("1048576 bytes cannot be made"));
	cr_assert_eq(u_stat("a", &st), -ENOENT);
}

Test(shm, a_name_is_made_once)
{
	u_create("a");
	cr_assert_eq(u_create_type("a", S_IFREG | 0600), -EEXIST);
}

Test(shm, other_types_are_refused_with_a_line)
{
	cr_assert_eq(u_create_type("a", S_IFIFO | 0600), -EPERM);
	cr_assert(u_refused("shm/a: EPERM: /shm holds shared memory only"));
}

Test(shm, our_own_umask_takes_nothing_from_the_mode)
{
	umask(077);
	cr_assert_eq(u_create_type("a", S_IFREG | 0664), 0);
	cr_assert_eq(object("a").st_mode, S_IFREG | 0664);
}

Test(shm, an_object_belongs_to_its_creator)
{
	struct ipc_cred cred = {.uid = 1234, .gid = 1235};
	struct ipc_ref ref = u_named("a");

	if (geteuid() != 0)
		cr_skip("only root can give files away");
	cr_assert_eq(ipc_create(u_ipc, &cred, &ref, S_IFREG | 0640), 0);
	cr_assert_eq(object("a").st_uid, 1234);
	cr_assert_eq(object("a").st_gid, 1235);
	cr_assert_eq(object("a").st_mode, S_IFREG | 0640);
}

Test(shm, what_is_no_shared_memory_is_not_here)
{
	struct stat st;

	cr_assert_eq(mkdir(path_of("", "dir"), 0700), 0);
	cr_assert_eq(symlink("/etc/passwd", path_of("", "link")), 0);
	cr_assert_eq(u_stat("dir", &st), -ENOENT);
	cr_assert_eq(u_stat("link", &st), -ENOENT);
	cr_assert_eq(u_remove("link"), -ENOENT);
	cr_assert_eq(u_create_type("link", S_IFREG | 0600), -EEXIST);
	cr_assert_eq(u_change("link", NULL, &(struct stat){.st_mode = 0666}, IPC_SET_MODE), -ENOENT);
	cr_assert_eq(lstat(path_of("", "link"), &st), 0);
}

/* What a listing named, each name with a space behind it. */
struct names {
	size_t len;
	char text[65536];
};

static void collect(void *arg, const char *name, mode_t type)
{
	struct names *names = arg;

	cr_assert_eq(type, S_IFLNK);
	names->len += (size_t)snprintf(names->text + names->len, sizeof(names->text) - names->len, "%s ", name);
	cr_assert_lt(names->len, sizeof(names->text));
}

Test(shm, the_listing_shows_objects_without_the_prefix)
{
	struct ipc_cred cred = u_me();
	struct names names = {0};

	u_create("a");
	cr_assert_eq(mkdir(path_of("", "dir"), 0700), 0);
	cr_assert_eq(symlink("/etc/passwd", path_of("", "link")), 0);
	cr_assert_eq(u_each_name(u_ipc, &cred, &ipc_shm, NULL, collect, &names), 0);
	cr_assert_str_eq(names.text, "a ");
}

Test(shm, without_a_prefix_semaphores_are_found_but_not_listed)
{
	struct ipc_cred cred = u_me();
	struct names names = {.len = 1, .text = " "};
	char own[64];
	struct stat st;

	u_create("a");
	snprintf(own, sizeof(own), " %sa ", u_prefix);
	close(open(path_of("sem.", "s"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	free((char *)u_ipc->opt.prefix);
	u_ipc->opt.prefix = NULL;
	cr_assert_eq(u_each_name(u_ipc, &cred, &ipc_shm, NULL, collect, &names), 0);
	cr_assert(strstr(names.text, own));
	cr_assert_null(strstr(names.text, " sem."));
	cr_assert_eq(u_stat(path_of("sem.", "s") + strlen("/dev/shm/"), &st), 0);
}

Test(shm, unlink_removes_the_object)
{
	u_create("a");
	cr_assert_eq(u_remove("a"), 0);
	cr_assert_eq(access(path_of("", "a"), F_OK), -1);
	cr_assert_eq(u_remove("a"), -ENOENT);
}

Test(shm, unlink_of_another_users_object_is_not_done_for_the_caller)
{
	struct ipc_cred cred = {.uid = 1234};
	struct ipc_ref ref = u_named("a");

	u_create("a");
	cr_assert_eq(ipc_unlink(u_ipc, &cred, &ref), -EPERM);
	cr_assert_eq(access(path_of("", "a"), F_OK), 0);
}

Test(shm, rename_of_another_users_object_is_not_done_for_the_caller)
{
	struct ipc_cred cred = {.uid = 1234};
	struct ipc_ref from = u_named("a"), to = u_named("b");

	u_create("a");
	cr_assert_eq(ipc_rename(u_ipc, &cred, &from, &to, 0), -EPERM);
	cr_assert_eq(access(path_of("", "a"), F_OK), 0);
}

Test(shm, another_user_does_what_he_may_with_his_own_object)
{
	struct ipc_cred cred = {.uid = 1234, .gid = 1235};
	struct ipc_ref ref = u_named("a"), to = u_named("b");
	struct stat st = {.st_mode = 0440};
	struct ipc_handle *h;

	if (geteuid() != 0)
		cr_skip("only root can act for others");
	cr_assert_eq(ipc_create(u_ipc, &cred, &ref, S_IFREG | 0400), 0);
	cr_assert_eq(ipc_handle_new(u_ipc, &cred, &ref, O_WRONLY, object("a").st_ino, &h), 0);
	cr_assert_eq(write_at(h, 0, "x"), 1);
	cr_assert_eq(ipc_chattr(u_ipc, &cred, &ref, NULL, &st, IPC_SET_MODE), 0);
	cr_assert_eq(object("a").st_mode, S_IFREG | 0440);
	cr_assert_eq(ipc_rename(u_ipc, &cred, &ref, &to, 0), 0);
	cr_assert_eq(ipc_unlink(u_ipc, &cred, &to), 0);
	ipc_close(h);
}

Test(shm, rename_moves_the_object)
{
	ino_t ino;

	u_create("a");
	ino = object("a").st_ino;
	cr_assert_eq(u_rename("a", "b", 0), 0);
	cr_assert_eq(object("b").st_ino, ino);
	cr_assert_eq(access(path_of("", "a"), F_OK), -1);
}

Test(shm, rename_replaces_unless_told_not_to)
{
	ino_t ino;

	u_create("a");
	u_create("b");
	ino = object("a").st_ino;
	cr_assert_eq(u_rename("a", "b", RENAME_NOREPLACE), -EEXIST);
	cr_assert_eq(u_rename("a", "b", 0), 0);
	cr_assert_eq(object("b").st_ino, ino);
}

Test(shm, rename_can_exchange)
{
	ino_t ino;

	u_create("a");
	u_create("b");
	ino = object("a").st_ino;
	cr_assert_eq(u_rename("a", "b", RENAME_EXCHANGE), 0);
	cr_assert_eq(object("b").st_ino, ino);
	cr_assert_eq(u_rename("a", "c", RENAME_EXCHANGE), -ENOENT);
}

Test(shm, rename_does_not_replace_what_is_not_shown)
{
	struct stat st;

	u_create("a");
	cr_assert_eq(symlink("/etc/passwd", path_of("", "link")), 0);
	cr_assert_eq(u_rename("a", "link", 0), -EEXIST);
	cr_assert_eq(lstat(path_of("", "link"), &st), 0);
	cr_assert(S_ISLNK(st.st_mode));
}

Test(shm, renaming_an_open_object_leaves_its_handle_working)
{
	struct ipc_handle *h;

	u_create("a");
	h = u_open("a", O_RDWR);
	u_create("b");
	cr_assert_eq(u_rename("b", "a", 0), 0);
	cr_assert_eq(write_at(h, 0, "old"), 3);
	cr_assert_eq(object("a").st_size, 0);
	ipc_close(h);
}

Test(shm, attributes_go_to_the_object)
{
	struct stat want = {.st_mode = 0444, .st_size = 100, .st_uid = (uid_t)-1, .st_gid = (gid_t)-1};

	want.st_atim.tv_nsec = UTIME_OMIT;
	want.st_mtim.tv_sec = 1000;
	u_create("a");
	cr_assert_eq(u_change("a", NULL, &want, IPC_SET_SIZE | IPC_SET_MODE | IPC_SET_OWNER | IPC_SET_TIMES), 0);
	cr_assert_eq(object("a").st_mode, S_IFREG | 0444);
	cr_assert_eq(object("a").st_size, 100);
	cr_assert_eq(object("a").st_uid, getuid());
	cr_assert_eq(object("a").st_mtim.tv_sec, 1000);
	cr_assert_neq(object("a").st_atim.tv_sec, 0);
}

Test(shm, attributes_set_through_a_handle_reach_it_without_its_name)
{
	struct stat want = {.st_size = 5000}, st;
	struct ipc_handle *h;

	u_create("a");
	h = u_open("a", O_RDWR);
	cr_assert_eq(u_remove("a"), 0);
	cr_assert_eq(u_change("a", h, &want, IPC_SET_SIZE), 0);
	want.st_mode = 0640;
	cr_assert_eq(u_change("a", h, &want, IPC_SET_MODE), 0);
	cr_assert_eq(ipc_handle_stat(h, &st), 0);
	cr_assert_eq(st.st_size, 5000);
	cr_assert_eq(st.st_mode, S_IFREG | 0640);
	ipc_close(h);
}

Test(shm, depth_is_the_size)
{
	struct ipc_ref ref = u_named("a");
	struct ipc_depth depth;

	cr_assert_eq(ipc_shm.names->depth(u_ipc, &ref, &depth), 0);
	cr_assert_eq(depth.value, -1);
	u_create("a@size=100");
	cr_assert_eq(ipc_shm.names->depth(u_ipc, &ref, &depth), 0);
	cr_assert_eq(depth.value, 100);
	cr_assert_str_eq(depth.unit, "bytes");
}

Test(shm, ctl_shows_the_size)
{
	struct ipc_handle *h;

	u_create("a@size=100");
	h = u_open("a@ctl", O_RDONLY);
	cr_assert(strstr(read_at(h, 0, 255), "size=100\n"));
	ipc_close(h);
}

Test(shm, ctl_sets_the_size)
{
	struct ipc_handle *h;

	u_create("a");
	h = u_open("a@ctl", O_WRONLY);
	cr_assert_eq(write_at(h, 0, "size=8K\n"), 8);
	cr_assert_eq(object("a").st_size, 8192);
	ipc_close(h);
}

Test(shm, ctl_refuses_what_it_does_not_know_with_a_line)
{
	struct ipc_handle *h;

	u_create("a");
	h = u_open("a@ctl", O_WRONLY);
	cr_assert_eq(write_at(h, 0, "mode=7\n"), -EINVAL);
	cr_assert(u_refused("one key to set, size"));
	cr_assert_eq(write_at(h, 0, "size=-1\n"), -EINVAL);
	cr_assert(u_refused("size is a number of bytes"));
	ipc_close(h);
}

Test(shm, a_handle_reads_and_writes_by_offset)
{
	struct ipc_handle *h;

	u_create("a");
	h = u_open("a", O_RDWR);
	cr_assert_eq(write_at(h, 0, "0123456789"), 10);
	cr_assert_str_eq(read_at(h, 4, 3), "456");
	cr_assert_eq(write_at(h, 4, "xyz"), 3);
	cr_assert_str_eq(read_at(h, 4, 3), "xyz");
	cr_assert_str_eq(read_at(h, 0, 100), "0123xyz789");
	cr_assert_str_eq(read_at(h, 100, 100), "");
	cr_assert_str_eq(read_at(h, 2, 2), "23");
	cr_assert_str_eq(read_at(h, 2, 2), "23");
	ipc_close(h);
}

Test(shm, a_handle_has_one_position_for_both_directions)
{
	struct ipc_handle *h;

	u_create("a");
	h = u_open("a", O_RDWR);
	cr_assert_not(ipc_handle_is_duplex(h));
	ipc_close(h);
}

Test(shm, an_appending_handle_writes_at_the_end)
{
	struct ipc_handle *h;

	u_create("a");
	h = u_open("a", O_RDWR | O_APPEND);
	cr_assert_eq(write_at(h, 0, "one"), 3);
	cr_assert_eq(write_at(h, 0, "two"), 3);
	cr_assert_str_eq(read_at(h, 0, 100), "onetwo");
	ipc_close(h);
}

Test(shm, a_handle_shares_its_bytes_with_a_mapping)
{
	struct ipc_handle *h;
	char *map;
	int fd;

	u_create("a@size=4096");
	fd = open(path_of("", "a"), O_RDWR | O_CLOEXEC);
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	cr_assert_neq(map, MAP_FAILED);
	h = u_open("a", O_RDWR);
	cr_assert_eq(write_at(h, 10, "here"), 4);
	cr_assert_arr_eq(map + 10, "here", 4);
	memcpy(map + 20, "back", 4);
	cr_assert_str_eq(read_at(h, 20, 4), "back");
	ipc_close(h);
	munmap(map, 4096);
}

Test(shm, a_handle_knows_its_size)
{
	struct ipc_handle *h;
	struct stat st;

	u_create("a");
	h = u_open("a", O_WRONLY);
	cr_assert_eq(write_at(h, 0, "1234567"), 7);
	cr_assert_eq(ipc_handle_stat(h, &st), 0);
	cr_assert_eq(st.st_size, 7);
	ipc_close(h);
}

Test(shm, a_handle_is_always_ready)
{
	struct ipc_handle *h;

	u_create("a");
	h = u_open("a", O_RDWR);
	cr_assert_eq(ipc_poll(h, true), POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM);
	cr_assert_not(ipc_handle_wants_flush(h));
	ipc_close(h);
}

Test(shm, a_handle_for_a_replaced_object_is_stale)
{
	struct ipc_cred cred = u_me();
	struct ipc_ref ref = u_named("a");
	struct ipc_handle *h;
	struct stat st;

	u_create("a");
	cr_assert_eq(u_stat("a", &st), 0);
	cr_assert_eq(u_remove("a"), 0);
	cr_assert_eq(ipc_handle_new(u_ipc, &cred, &ref, O_RDWR, st.st_ino, &h), -ESTALE);
	u_create("a");
	cr_assert_eq(ipc_handle_new(u_ipc, &cred, &ref, O_RDWR, st.st_ino, &h), -ESTALE);
}

Test(shm, a_creator_may_write_what_its_mode_forbids)
{
	struct ipc_handle *h;

	/* Root may write anyway. Giving it up hides our own /proc, unless we say otherwise. */
	if (geteuid() == 0)
		cr_assert(setgid(65534) == 0 && setuid(65534) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0);
	cr_assert_eq(u_create_type("a", S_IFREG | 0400), 0);
	h = u_open("a", O_WRONLY);
	cr_assert_eq(write_at(h, 0, "x"), 1);
	cr_assert_eq(object("a").st_mode, S_IFREG | 0400);
	ipc_close(h);
}

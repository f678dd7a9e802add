/* Semaphores as names: what is made, listed, moved, shown, and what is none. */
#include "sem.h"
#include "names.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

/* cppcheck-suppress unknownMacro */
TestSuite(sem, .init = setup, .fini = u_teardown, .timeout = 20);

static void damage(const char *name, const void *bytes, size_t n)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, bytes, n), (ssize_t)n);
	close(fd);
}

/* --- objects --- */

Test(sem, what_is_made_here_is_there_for_sem_open)
{
	u_create("a");
	cr_assert_eq(value_of("a"), 0);
}

Test(sem, value_is_the_value_of_a_new_one)
{
	u_create("a@value=7");
	cr_assert_eq(value_of("a"), 7);
	u_create("b@value=2147483647");
	cr_assert_eq(value_of("b"), 2147483647);
}

Test(sem, value_means_nothing_on_one_that_exists)
{
	u_create("a");
	ipc_close(u_open("a@value=9", O_RDONLY));
	cr_assert_eq(value_of("a"), 0);
	cr_assert_eq(u_create_type("a@value=9", S_IFREG | 0600), -EEXIST);
}

Test(sem, what_sem_open_makes_is_here)
{
	char name[64];
	struct stat st;
	sem_t *sem;

	snprintf(name, sizeof(name), "/%sa", u_prefix);
	sem = sem_open(name, O_CREAT, 0600, 3);
	cr_assert_neq(sem, SEM_FAILED);
	sem_close(sem);
	cr_assert_eq(u_stat("a", &st), 0);
	cr_assert_str_eq(cat("a"), "2\n");
	cr_assert_eq(sem_unlink(name), 0);
	cr_assert_eq(u_stat("a", &st), -ENOENT);
}

Test(sem, the_mode_is_the_callers_whatever_our_umask)
{
	struct stat st;

	umask(077);
	cr_assert_eq(u_create_type("a", S_IFREG | 0664), 0);
	cr_assert_eq(u_stat("a", &st), 0);
	cr_assert_eq(st.st_mode, S_IFREG | 0664);
	cr_assert_eq(st.st_size, 0);
}

Test(sem, it_belongs_to_its_creator)
{
	struct ipc_cred cred = {.uid = 1234, .gid = 1235};
	struct ipc_ref ref = u_named("a");
	struct stat st;

	if (geteuid() != 0)
		cr_skip("only root can give files away");
	cr_assert_eq(ipc_create(u_ipc, &cred, &ref, S_IFREG | 0640), 0);
	cr_assert_eq(u_stat("a", &st), 0);
	cr_assert_eq(st.st_uid, 1234);
	cr_assert_eq(st.st_gid, 1235);
}

Test(sem, other_types_are_refused_with_a_line)
{
	cr_assert_eq(u_create_type("a", S_IFIFO | 0600), -EPERM);
	cr_assert(u_refused("sem/a: EPERM: /sem holds semaphores only"));
}

Test(sem, a_name_too_long_for_the_kernel_is_refused)
{
	char name[IPC_NAME_MAX + 1];

	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	cr_assert_eq(u_create_type(name, S_IFREG | 0600), -ENAMETOOLONG);
}

Test(sem, what_is_no_regular_file_is_not_here)
{
	struct stat st;

	cr_assert_eq(mkdir(path_of("dir"), 0700), 0);
	cr_assert_eq(symlink("/etc/passwd", path_of("link")), 0);
	cr_assert_eq(u_stat("dir", &st), -ENOENT);
	cr_assert_eq(u_stat("link", &st), -ENOENT);
	cr_assert_eq(u_remove("link"), -ENOENT);
	cr_assert_eq(u_create_type("link", S_IFREG | 0600), -EEXIST);
	cr_assert_eq(u_change("link", NULL, &(struct stat){.st_mode = 0666}, IPC_SET_MODE), -ENOENT);
}

static void collect(void *arg, const char *name, mode_t type)
{
	char *names = arg;

	cr_assert_eq(type, S_IFREG);
	strcat(strcat(names, name), " ");
	cr_assert_lt(strlen(names), 200);
}

Test(sem, the_listing_shows_semaphores_without_prefix)
{
	struct ipc_cred cred = u_me();
	char names[256] = "";

	u_create("a");
	cr_assert_eq(symlink("/etc/passwd", path_of("link")), 0);
	cr_assert_eq(u_each_name(u_ipc, &cred, &ipc_sem, NULL, collect, names), 0);
	cr_assert_str_eq(names, "a ");
}

Test(sem, rename_moves_it_with_who_has_it_open)
{
	struct ipc_handle *h;
	struct stat st;
	struct u_call job;

	u_create("a");
	u_create("b@value=5");
	h = u_open("a", O_RDONLY);
	u_begin(&job, h, IPC_READ, NULL);
	cr_assert_eq(u_rename("a", "b", RENAME_NOREPLACE), -EEXIST);
	cr_assert_eq(u_rename("a", "b", 0), 0);
	cr_assert_eq(u_stat("a", &st), -ENOENT);
	cr_assert(strstr(u_ctl("b"), "waiters=1"));
	cr_assert_eq(echo("b", "\n"), 1);
	cr_assert_eq(u_finish(&job), 2);
	ipc_close(h);
}

Test(sem, unlink_breaks_nobody_who_has_it_open)
{
	struct ipc_handle *w, *r;
	struct u_call job;

	u_create("a");
	w = u_open("a", O_WRONLY);
	r = u_open("a", O_RDONLY);
	u_begin(&job, r, IPC_READ, NULL);
	cr_assert_eq(u_remove("a"), 0);
	cr_assert_eq(u_remove("a"), -ENOENT);
	u_create("a");
	cr_assert_eq(echo("a", "\n"), 1);
	cr_assert_not(job.done);
	cr_assert_eq(u_put(w, "\n"), 1);
	cr_assert_eq(u_finish(&job), 2);
	cr_assert_eq(value_of("a"), 1);
	ipc_close(w);
	ipc_close(r);
}

Test(sem, another_one_under_the_name_is_estale)
{
	struct ipc_cred cred = u_me();
	struct ipc_ref ref = u_named("a");
	struct ipc_handle *h;
	struct stat st;

	u_create("a");
	cr_assert_eq(u_stat("a", &st), 0);
	cr_assert_eq(unlink(path_of("a")), 0);
	cr_assert_eq(ipc_handle_new(u_ipc, &cred, &ref, O_RDONLY, st.st_ino, &h), -ESTALE);
	u_create("a");
	cr_assert_eq(ipc_handle_new(u_ipc, &cred, &ref, O_RDONLY, st.st_ino, &h), -ESTALE);
}

Test(sem, chmod_goes_to_the_file_and_truncation_means_nothing)
{
	struct stat st;

	u_create("a@value=2");
	cr_assert_eq(u_change("a", NULL, &(struct stat){.st_mode = 0640}, IPC_SET_MODE), 0);
	cr_assert_eq(u_stat("a", &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0640);
	cr_assert_eq(u_change("a", NULL, &(struct stat){.st_size = 0}, IPC_SET_SIZE), 0);
	cr_assert_eq(u_change("a", NULL, &(struct stat){.st_size = 1}, IPC_SET_SIZE), -EINVAL);
	cr_assert_eq(value_of("a"), 2);
}

/* --- ctl and damage --- */

Test(sem, ctl_names_holders_and_waiters)
{
	struct ipc_handle *h, *r;
	struct u_call job;
	char line[64];

	u_create("a@value=1");
	h = u_open("a@hold", O_RDONLY);
	r = u_open("a", O_RDONLY);
	u_begin(&job, r, IPC_READ, NULL);
	cr_assert(strstr(u_ctl("a"), "kind=sem\nvalue=0\nmax=2147483647\n"));
	snprintf(line, sizeof(line), "holder=pid:%d command:", (int)getpid());
	cr_assert(strstr(u_ctl("a"), line));
	snprintf(line, sizeof(line), "waiter=pid:%d command:", (int)getpid());
	cr_assert(strstr(u_ctl("a"), line));
	cr_assert(strstr(u_ctl("a"), "waiters=1"));
	ipc_close(r);
	ipc_close(h);
}

Test(sem, status_shows_the_value)
{
	struct ipc_cred cred = u_me();
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	u_create("a@value=42");
	u_text_status(u_ipc, &cred, IPC_STATUS_LINES, out);
	fclose(out);
	cr_assert(strstr(text, "sem          42        0        0  a\n"), "%s", text);
	free(text);
}

Test(sem, a_file_of_the_wrong_size_is_einval_and_can_be_removed)
{
	struct ipc_handle *h;
	struct stat st;

	damage("a", "short", 5);
	cr_assert_eq(u_stat("a", &st), 0);
	cr_assert_eq(u_handle("a", O_WRONLY, &h), -EINVAL);
	cr_assert(u_refused("sem/a: EINVAL: its file in /dev/shm has 5 bytes, a semaphore has 32"));
	cr_assert(strstr(u_ctl("a"), "damaged=yes"));
	cr_assert_eq(u_remove("a"), 0);
}

Test(sem, a_file_that_holds_something_else_is_einval)
{
	struct ipc_handle *h;
	char bytes[sizeof(sem_t)];

	memset(bytes, 0xff, sizeof(bytes));
	damage("a", bytes, sizeof(bytes));
	cr_assert_eq(u_handle("a", O_RDONLY, &h), -EINVAL);
	memset(bytes, 0, sizeof(bytes));
	damage("a", bytes, sizeof(bytes));
	cr_assert_eq(u_handle("a", O_RDONLY, &h), -EINVAL);
	cr_assert(strstr(u_ctl("a"), "damaged=yes"));
	cr_assert(u_refused("is damaged: what is in it is not what sem_open(3) writes"));
}

Test(sem, a_file_cut_off_under_us_is_an_error_and_no_crash)
{
	struct ipc_handle *w, *r, *hold, *parked;
	struct u_call job;

	u_create("a@value=1");
	hold = u_open("a@hold", O_RDONLY);
	w = u_open("a", O_WRONLY);
	r = u_open("a", O_RDONLY);
	parked = u_open("a", O_RDONLY);
	u_begin(&job, parked, IPC_READ, NULL);
	cr_assert_not(job.done);
	cr_assert_eq(truncate(path_of("a"), 0), 0);
	cr_assert_eq(u_put(w, "\n"), -EINVAL);
	cr_assert_eq(u_put(w, "3\n"), -EINVAL);
	cr_assert(u_refused("sem/a: EINVAL: its file in /dev/shm is damaged"));
	cr_assert(ipc_poll(r, false) & POLLERR);
	cr_assert(ipc_poll(r, true) & POLLERR);
	ipc_interrupt(&job.op);
	u_begin(&job, r, IPC_READ, NULL);
	cr_assert_eq(u_finish(&job), -EINVAL);
	ipc_close(hold);
	cr_assert(u_refused("the permit could not be given back"));
	ipc_close(w);
	ipc_close(r);
	ipc_close(parked);
}

Test(sem, a_file_wiped_under_us_is_an_error)
{
	struct ipc_handle *r, *parked;
	struct u_call job;

	u_create("a");
	r = u_open("a", O_RDONLY);
	parked = u_open("a", O_RDONLY);
	u_begin(&job, parked, IPC_READ, NULL);
	cr_assert_eq(truncate(path_of("a"), 0), 0);
	cr_assert_eq(truncate(path_of("a"), sizeof(sem_t)), 0);
	ipc_interrupt(&job.op);
	u_begin(&job, r, IPC_READ, NULL);
	cr_assert_eq(u_finish(&job), -EINVAL);
	ipc_close(r);
	ipc_close(parked);
}

Test(sem, another_user_needs_both_rights_as_for_sem_open)
{
	struct ipc_cred other = {.uid = 1234, .gid = 1234, .pid = 0};
	struct ipc_ref ref;
	struct ipc_handle *h;
	struct stat st;

	if (geteuid() != 0)
		cr_skip("only root serves other users");
	cr_assert_eq(u_create_type("a", S_IFREG | 0644), 0);
	ref = u_named("a");
	cr_assert_eq(u_stat("a", &st), 0);
	cr_assert_eq(ipc_handle_new(u_ipc, &other, &ref, O_RDONLY, st.st_ino, &h), -EACCES);
	cr_assert_eq(u_change("a", NULL, &(struct stat){.st_mode = 0646}, IPC_SET_MODE), 0);
	cr_assert_eq(ipc_handle_new(u_ipc, &other, &ref, O_RDONLY, st.st_ino, &h), 0);
	ipc_close(h);
}

Test(sem, a_stat_that_fails_leaves_its_answer_alone)
{
	struct stat st = {.st_mode = S_IFLNK};

	cr_assert_eq(u_stat("nothing@ctl", &st), -ENOENT);
	cr_assert_eq(st.st_mode, S_IFLNK);
}

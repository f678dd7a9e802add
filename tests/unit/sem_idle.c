/* What was closed a moment ago is mapped still, for who opens it again. */
#include <sys/stat.h>
#include <unistd.h>

#include "sem.h"

TestSuite(sem_idle, .init = setup, .fini = u_teardown, .timeout = 20);

/* How often files of this test are mapped, those that were removed too. */
static int mapped(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	int n = 0;

	cr_assert_not_null(maps);
	while (fgets(line, sizeof(line), maps))
		n += strstr(line, path_of("")) != NULL;
	fclose(maps);
	return n;
}

static void use(const char *name)
{
	cr_assert_eq(echo(name, "\n"), 1);
	cr_assert_str_eq(cat(name), "0\n");
}

Test(sem_idle, it_stays_mapped_for_the_next_open_and_not_for_long)
{
	int64_t end = ipc_now() + INT64_C(10000000000);

	u_create("a");
	use("a");
	use("a");
	cr_assert_eq(mapped(), 1);
	while (mapped() && ipc_now() < end)
		ipc_loop_turn(u_loop, 100);
	cr_assert_eq(mapped(), 0);
	use("a");
}

Test(sem_idle, a_few_stay)
{
	char name[8];

	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		u_create(name);
		use(name);
	}
	cr_assert_leq(mapped(), 8);
}

Test(sem_idle, another_one_under_the_name_is_another_one)
{
	u_create("a");
	use("a");
	cr_assert_eq(u_remove("a"), 0);
	u_create("a");
	cr_assert_eq(echo("a", "3\n"), 2);
	cr_assert_eq(value_of("a"), 3);
	cr_assert_str_eq(cat("a"), "2\n");
}

Test(sem_idle, it_goes_with_its_file_to_another_name)
{
	u_create("a");
	use("a");
	cr_assert_eq(u_rename("a", "b", 0), 0);
	use("b");
	cr_assert_eq(mapped(), 1);
}

Test(sem_idle, what_was_damaged_meanwhile_is_refused)
{
	char bytes[sizeof(sem_t)];
	struct ipc_handle *h;
	int fd;

	u_create("a");
	use("a");
	memset(bytes, 0xff, sizeof(bytes));
	fd = open(path_of("a"), O_WRONLY | O_CLOEXEC);
	cr_assert_eq(pwrite(fd, bytes, sizeof(bytes), 0), (ssize_t)sizeof(bytes));
	close(fd);
	cr_assert_eq(u_handle("a", O_RDONLY, &h), -EINVAL);
	cr_assert_eq(truncate(path_of("a"), 0), 0);
	cr_assert_eq(u_handle("a", O_RDONLY, &h), -EINVAL);
}

/* Rights are the file's at each open, not those of the first. */
Test(sem_idle, who_lost_the_right_to_it_cannot_open_it_again)
{
	struct ipc_ref ref = u_named("a");
	struct ipc_cred other = {.uid = 65534, .gid = 65534};
	struct ipc_handle *h;
	struct stat st;

	if (geteuid() != 0)
		cr_skip_test("only root can act as another user");
	u_create("a");
	cr_assert_eq(chmod(path_of("a"), 0666), 0);
	use("a");
	cr_assert_eq(u_stat("a", &st), 0);
	cr_assert_eq(ipc_handle_new(u_ipc, &other, &ref, O_RDONLY, st.st_ino, &h), 0);
	ipc_close(h);
	cr_assert_eq(chmod(path_of("a"), 0600), 0);
	cr_assert_eq(ipc_handle_new(u_ipc, &other, &ref, O_RDONLY, st.st_ino, &h), -EACCES);
}

Test(sem_idle, what_is_removed_gives_its_memory_back_at_once)
{
	u_create("a");
	use("a");
	cr_assert_eq(u_remove("a"), 0);
	cr_assert_eq(mapped(), 0);
}

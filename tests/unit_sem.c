#include "ipc.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core.h"

static struct ipc_loop *loop;
static struct ipc *ipc;
static char prefix[32];

static struct ipc_cred me(void)
{
	return (struct ipc_cred){.uid = getuid(), .gid = getgid(), .pid = getpid()};
}

static bool start(void)
{
	struct ipc_options options = {.prefix = prefix};

	loop = ipc_loop_new();
	ipc = loop ? ipc_new(loop, &options) : NULL;
	return ipc;
}

static void clean(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf /dev/shm/%s* /dev/shm/sem.%s*", prefix, prefix);
	cr_assert_eq(system(command), 0);
}

/* What a test leaves in /dev/shm bears its prefix, and goes with teardown; or, if it was killed, before its pid is used again. */
static void setup(void)
{
	snprintf(prefix, sizeof(prefix), "unit_sem_%d_", (int)getpid());
	clean();
	cr_assert(start());
}

static void teardown(void)
{
	ipc_free(ipc);
	ipc_loop_free(loop);
	clean();
}

/* cppcheck-suppress unknownMacro */
TestSuite(sem, .init = setup, .fini = teardown, .timeout = 20);

/* --- names --------------------------------------------------------------------------------------------------------- */

static struct ipc_ref named(const char *name)
{
	struct ipc_cred cred = me();
	struct ipc_ref ref;

	cr_assert_eq(ipc_resolve(ipc, &cred, &ipc_sem, name, &ref), 0);
	return ref;
}

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "/dev/shm/sem.%s%s", prefix, name);
	return path;
}

static int create_type(const char *name, mode_t mode)
{
	struct ipc_cred cred = me();
	struct ipc_ref ref = named(name);

	return ipc_create(ipc, &cred, &ref, mode);
}

static void create(const char *name)
{
	cr_assert_eq(create_type(name, S_IFREG | 0600), 0);
}

static int stat_name(const char *name, struct stat *st)
{
	struct ipc_cred cred = me();
	struct ipc_ref ref = named(name);

	return ipc_stat(ipc, &cred, &ref, st);
}

static int remove_name(const char *name)
{
	struct ipc_cred cred = me();
	struct ipc_ref ref = named(name);

	return ipc_unlink(ipc, &cred, &ref);
}

static int rename_to(const char *from, const char *to, unsigned flags)
{
	struct ipc_cred cred = me();
	struct ipc_ref a = named(from), b = named(to);

	return ipc_rename(ipc, &cred, &a, &b, flags);
}

static int change(const char *name, struct ipc_handle *h, const struct stat *st, unsigned set)
{
	struct ipc_cred cred = me();
	struct ipc_ref ref = named(name);

	return ipc_chattr(ipc, &cred, &ref, h, st, set);
}

static bool refused_with(const char *part)
{
	struct ipc_cred cred = me();
	char text[8192] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	ipc_text_errors(ipc, &cred, out);
	fclose(out);
	return strstr(text, part) != NULL;
}

/* --- the native side ------------------------------------------------------------------------------------------------ */

static sem_t *native(const char *name)
{
	char full[64];
	sem_t *sem;

	snprintf(full, sizeof(full), "/%s%s", prefix, name);
	sem = sem_open(full, 0);
	cr_assert_neq(sem, SEM_FAILED);
	return sem;
}

static int value_of(const char *name)
{
	sem_t *sem = native(name);
	int value;

	sem_getvalue(sem, &value);
	sem_close(sem);
	return value;
}

static void damage(const char *name, const void *bytes, size_t n)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, bytes, n), (ssize_t)n);
	close(fd);
}

/* --- handles and operations ----------------------------------------------------------------------------------------- */

static int open_flags(const char *name, int flags, struct ipc_handle **out)
{
	struct ipc_cred cred = me();
	struct ipc_ref ref = named(name);
	struct stat st;
	int r = stat_name(name, &st);

	return r < 0 ? r : ipc_handle_new(ipc, &cred, &ref, flags, st.st_ino, out);
}

/* An operation that may park; `result` is valid once it is over. */
struct job {
	struct ipc_op op;
	bool over;
	ssize_t result;
	char text[64];
};

static int job_complete(struct ipc_op *op, ssize_t result)
{
	struct job *job = ipc_container(op, struct job, op);

	job->over = true;
	job->result = result;
	if (op->type == IPC_READ && result > 0)
		memcpy(job->text, op->data, (size_t)result);
	return 0;
}

static void job_start(struct job *job, struct ipc_handle *h, enum ipc_op_type type, const char *text)
{
	ssize_t r;

	memset(job, 0, sizeof(*job));
	job->op = (struct ipc_op){.type = type, .handle = h, .cred = me(), .data = text, .complete = job_complete};
	job->op.size = text ? strlen(text) : sizeof(job->text) - 1;
	ipc_list_init(&job->op.link);
	r = ipc_submit(&job->op);
	if (r == IPC_WOULD_PARK)
		ipc_park(&job->op);
	else
		job_complete(&job->op, r);
}

/* Short turns: what a task did in the beginning of one does not end its sleep. */
static ssize_t job_finish(struct job *job)
{
	while (!job->over)
		cr_assert_eq(ipc_loop_turn(loop, 20), 0);
	return job->result;
}

static struct ipc_handle *open_name(const char *name, int flags)
{
	struct ipc_handle *h;
	struct job job;

	cr_assert_eq(open_flags(name, flags, &h), 0);
	job_start(&job, h, IPC_OPEN, NULL);
	cr_assert(job.over);
	cr_assert_eq(job.result, 0);
	return h;
}

static ssize_t put(struct ipc_handle *h, const char *text)
{
	struct job job;

	job_start(&job, h, IPC_WRITE, text);
	cr_assert(job.over);
	return job.result;
}

static ssize_t flush(struct ipc_handle *h)
{
	struct job job;

	job_start(&job, h, IPC_FLUSH, NULL);
	cr_assert(job.over);
	return job.result;
}

/* What a read gives without waiting; NULL when it would wait. In a static buffer. */
static const char *get_at(struct ipc_handle *h, off_t offset)
{
	static char text[64];
	struct ipc_op op = {.type = IPC_READ,
			    .handle = h,
			    .cred = me(),
			    .size = sizeof(text) - 1,
			    .nonblock = true,
			    .offset = offset};
	ssize_t n = ipc_submit(&op);

	if (n == -EAGAIN)
		return NULL;
	cr_assert_geq(n, 0);
	if (n)
		memcpy(text, op.data, (size_t)n);
	text[n] = '\0';
	return text;
}

/* A whole `cat`, which must not wait. */
static const char *cat(const char *name)
{
	struct ipc_handle *h = open_name(name, O_RDONLY);
	const char *text = get_at(h, 0);

	ipc_close(h);
	return text;
}

static ssize_t echo(const char *name, const char *text)
{
	struct ipc_handle *h = open_name(name, O_WRONLY);
	ssize_t n = put(h, text);

	ipc_close(h);
	return n;
}

static const char *ctl_of(const char *name)
{
	static char text[2048];
	char ctl[64];
	struct ipc_handle *h;
	struct ipc_op op = {.type = IPC_READ, .cred = me(), .size = sizeof(text) - 1};
	ssize_t n;

	snprintf(ctl, sizeof(ctl), "%s@ctl", name);
	h = open_name(ctl, O_RDONLY);
	op.handle = h;
	n = ipc_submit(&op);
	cr_assert_gt(n, 0);
	memcpy(text, op.data, (size_t)n);
	text[n] = '\0';
	ipc_close(h);
	return text;
}

/* --- objects -------------------------------------------------------------------------------------------------------- */

Test(sem, what_is_made_here_is_there_for_sem_open)
{
	create("a");
	cr_assert_eq(value_of("a"), 0);
}

Test(sem, value_is_the_value_of_a_new_one)
{
	create("a@value=7");
	cr_assert_eq(value_of("a"), 7);
	create("b@value=2147483647");
	cr_assert_eq(value_of("b"), 2147483647);
}

Test(sem, value_means_nothing_on_one_that_exists)
{
	create("a");
	ipc_close(open_name("a@value=9", O_RDONLY));
	cr_assert_eq(value_of("a"), 0);
	cr_assert_eq(create_type("a@value=9", S_IFREG | 0600), -EEXIST);
}

Test(sem, what_sem_open_makes_is_here)
{
	char name[64];
	struct stat st;
	sem_t *sem;

	snprintf(name, sizeof(name), "/%sa", prefix);
	sem = sem_open(name, O_CREAT, 0600, 3);
	cr_assert_neq(sem, SEM_FAILED);
	sem_close(sem);
	cr_assert_eq(stat_name("a", &st), 0);
	cr_assert_str_eq(cat("a"), "2\n");
	cr_assert_eq(sem_unlink(name), 0);
	cr_assert_eq(stat_name("a", &st), -ENOENT);
}

Test(sem, the_mode_is_the_callers_whatever_our_umask)
{
	struct stat st;

	umask(077);
	cr_assert_eq(create_type("a", S_IFREG | 0664), 0);
	cr_assert_eq(stat_name("a", &st), 0);
	cr_assert_eq(st.st_mode, S_IFREG | 0664);
	cr_assert_eq(st.st_size, 0);
}

Test(sem, it_belongs_to_its_creator)
{
	struct ipc_cred cred = {.uid = 1234, .gid = 1235};
	struct ipc_ref ref = named("a");
	struct stat st;

	if (geteuid() != 0)
		cr_skip("only root can give files away");
	cr_assert_eq(ipc_create(ipc, &cred, &ref, S_IFREG | 0640), 0);
	cr_assert_eq(stat_name("a", &st), 0);
	cr_assert_eq(st.st_uid, 1234);
	cr_assert_eq(st.st_gid, 1235);
}

Test(sem, other_types_are_refused_with_a_line)
{
	cr_assert_eq(create_type("a", S_IFIFO | 0600), -EPERM);
	cr_assert(refused_with("sem/a: EPERM: /sem holds semaphores only"));
}

Test(sem, a_name_too_long_for_the_kernel_is_refused)
{
	char name[IPC_NAME_MAX + 1];

	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	cr_assert_eq(create_type(name, S_IFREG | 0600), -ENAMETOOLONG);
}

Test(sem, what_is_no_regular_file_is_not_here)
{
	struct stat st;

	cr_assert_eq(mkdir(path_of("dir"), 0700), 0);
	cr_assert_eq(symlink("/etc/passwd", path_of("link")), 0);
	cr_assert_eq(stat_name("dir", &st), -ENOENT);
	cr_assert_eq(stat_name("link", &st), -ENOENT);
	cr_assert_eq(remove_name("link"), -ENOENT);
	cr_assert_eq(create_type("link", S_IFREG | 0600), -EEXIST);
	cr_assert_eq(change("link", NULL, &(struct stat){.st_mode = 0666}, IPC_SET_MODE), -ENOENT);
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
	struct ipc_cred cred = me();
	char names[256] = "";

	create("a");
	cr_assert_eq(symlink("/etc/passwd", path_of("link")), 0);
	cr_assert_eq(ipc_list(ipc, &cred, &ipc_sem, collect, names), 0);
	cr_assert_str_eq(names, "a ");
}

Test(sem, rename_moves_it_with_who_has_it_open)
{
	struct ipc_handle *h;
	struct stat st;
	struct job job;

	create("a");
	create("b@value=5");
	h = open_name("a", O_RDONLY);
	job_start(&job, h, IPC_READ, NULL);
	cr_assert_eq(rename_to("a", "b", RENAME_NOREPLACE), -EEXIST);
	cr_assert_eq(rename_to("a", "b", 0), 0);
	cr_assert_eq(stat_name("a", &st), -ENOENT);
	cr_assert(strstr(ctl_of("b"), "waiters=1"));
	cr_assert_eq(echo("b", "\n"), 1);
	cr_assert_eq(job_finish(&job), 2);
	ipc_close(h);
}

Test(sem, unlink_breaks_nobody_who_has_it_open)
{
	struct ipc_handle *w, *r;
	struct job job;

	create("a");
	w = open_name("a", O_WRONLY);
	r = open_name("a", O_RDONLY);
	job_start(&job, r, IPC_READ, NULL);
	cr_assert_eq(remove_name("a"), 0);
	cr_assert_eq(remove_name("a"), -ENOENT);
	create("a");
	cr_assert_eq(echo("a", "\n"), 1);
	cr_assert_not(job.over);
	cr_assert_eq(put(w, "\n"), 1);
	cr_assert_eq(job_finish(&job), 2);
	cr_assert_eq(value_of("a"), 1);
	ipc_close(w);
	ipc_close(r);
}

Test(sem, another_one_under_the_name_is_estale)
{
	struct ipc_cred cred = me();
	struct ipc_ref ref = named("a");
	struct ipc_handle *h;
	struct stat st;

	create("a");
	cr_assert_eq(stat_name("a", &st), 0);
	cr_assert_eq(unlink(path_of("a")), 0);
	cr_assert_eq(ipc_handle_new(ipc, &cred, &ref, O_RDONLY, st.st_ino, &h), -ESTALE);
	create("a");
	cr_assert_eq(ipc_handle_new(ipc, &cred, &ref, O_RDONLY, st.st_ino, &h), -ESTALE);
}

Test(sem, chmod_goes_to_the_file_and_truncation_means_nothing)
{
	struct stat st;

	create("a@value=2");
	cr_assert_eq(change("a", NULL, &(struct stat){.st_mode = 0640}, IPC_SET_MODE), 0);
	cr_assert_eq(stat_name("a", &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0640);
	cr_assert_eq(change("a", NULL, &(struct stat){.st_size = 0}, IPC_SET_SIZE), 0);
	cr_assert_eq(change("a", NULL, &(struct stat){.st_size = 1}, IPC_SET_SIZE), -EINVAL);
	cr_assert_eq(value_of("a"), 2);
}

/* --- posting -------------------------------------------------------------------------------------------------------- */

Test(sem, an_empty_line_posts_one_and_a_number_so_many)
{
	create("a");
	cr_assert_eq(echo("a", "\n"), 1);
	cr_assert_eq(value_of("a"), 1);
	cr_assert_eq(echo("a", "3\n"), 2);
	cr_assert_eq(value_of("a"), 4);
	cr_assert_eq(echo("a", "1\n\n 010 \n"), 9);
	cr_assert_eq(value_of("a"), 16);
}

Test(sem, a_number_may_be_split_over_writes)
{
	struct ipc_handle *h;

	create("a");
	h = open_name("a", O_WRONLY);
	cr_assert_eq(put(h, "1"), 1);
	cr_assert_eq(value_of("a"), 0);
	cr_assert_eq(put(h, "2\n"), 2);
	cr_assert_eq(value_of("a"), 12);
	ipc_close(h);
}

Test(sem, a_last_line_without_newline_is_posted_at_close)
{
	struct ipc_handle *h;

	create("a");
	h = open_name("a", O_WRONLY);
	cr_assert(ipc_handle_wants_flush(h));
	cr_assert_eq(put(h, "3"), 1);
	cr_assert_eq(flush(h), 0);
	cr_assert_eq(value_of("a"), 3);
	cr_assert_eq(flush(h), 0);
	cr_assert_eq(put(h, "4"), 1);
	ipc_close(h);
	cr_assert_eq(value_of("a"), 7);
}

Test(sem, what_is_no_count_is_refused_at_once_and_posts_nothing)
{
	static const char *const bad[] = {"abc\n", "abc", "-1\n", "-", "1.5\n", "1 2\n", "0x3\n", "0\n", "+2\n", "3a"};
	struct ipc_handle *h;

	create("a");
	h = open_name("a", O_WRONLY);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(put(h, bad[i]), -EINVAL, "%s", bad[i]);
	cr_assert_eq(flush(h), 0);
	cr_assert_eq(value_of("a"), 0);
	cr_assert(refused_with("sem/a: EINVAL: '-1' is no count: each line posts so many permits"));
	ipc_close(h);
	cr_assert_eq(value_of("a"), 0);
}

Test(sem, a_zero_without_newline_is_refused_at_close)
{
	struct ipc_handle *h;

	create("a");
	h = open_name("a", O_WRONLY);
	cr_assert_eq(put(h, "0"), 1);
	cr_assert_eq(flush(h), -EINVAL);
	cr_assert_eq(flush(h), 0);
	ipc_close(h);
}

Test(sem, lines_before_a_bad_one_are_posted_and_reported)
{
	struct ipc_handle *h;

	create("a");
	h = open_name("a", O_WRONLY);
	cr_assert_eq(put(h, "2\n3\nx\n"), 4);
	cr_assert_eq(value_of("a"), 5);
	cr_assert_eq(put(h, "x\n"), -EINVAL);
	cr_assert_eq(put(h, "1\ny"), 2);
	cr_assert_eq(put(h, "y"), -EINVAL);
	cr_assert_eq(value_of("a"), 6);
	ipc_close(h);
}

Test(sem, a_line_that_turns_out_bad_takes_its_beginning_with_it)
{
	struct ipc_handle *h;

	create("a");
	h = open_name("a", O_WRONLY);
	cr_assert_eq(put(h, "12"), 2);
	cr_assert_eq(put(h, "x\n"), -EINVAL);
	cr_assert_eq(put(h, "12"), 2);
	cr_assert_eq(put(h, "x"), -EINVAL);
	ipc_close(h);
	cr_assert_eq(value_of("a"), 0);
}

Test(sem, overflow_posts_nothing_of_the_line)
{
	create("a@value=2147483640");
	cr_assert_eq(echo("a", "8\n"), -EOVERFLOW);
	cr_assert_eq(value_of("a"), 2147483640);
	cr_assert_eq(echo("a", "7\n"), 2);
	cr_assert_eq(echo("a", "\n"), -EOVERFLOW);
	cr_assert_eq(echo("a", "99999999999999999999999\n"), -EOVERFLOW);
	cr_assert_eq(value_of("a"), 2147483647);
	cr_assert(
		refused_with("sem/a: EOVERFLOW: 8 more would be above the most that a semaphore can have, 2147483647"));
}

/* --- waiting -------------------------------------------------------------------------------------------------------- */

Test(sem, a_read_takes_one_and_tells_what_is_left)
{
	struct ipc_handle *h;

	create("a@value=3");
	h = open_name("a", O_RDONLY);
	cr_assert_str_eq(get_at(h, 0), "2\n");
	cr_assert_str_eq(get_at(h, 2), "");
	cr_assert_str_eq(get_at(h, 0), "2\n");
	cr_assert_eq(value_of("a"), 2);
	ipc_close(h);
}

Test(sem, an_open_handle_is_one_wait_also_if_it_writes)
{
	struct ipc_handle *h;

	create("a@value=3");
	h = open_name("a", O_RDWR);
	cr_assert_str_eq(get_at(h, 0), "2\n");
	cr_assert_str_eq(get_at(h, 0), "");
	cr_assert_eq(put(h, "\n"), 1);
	cr_assert_str_eq(get_at(h, 0), "");
	cr_assert_eq(value_of("a"), 3);
	ipc_close(h);
}

Test(sem, without_a_permit_a_nonblocking_read_is_eagain)
{
	create("a");
	cr_assert_null(cat("a"));
}

Test(sem, a_reader_is_woken_by_a_file)
{
	struct ipc_handle *r;
	struct job job;

	create("a");
	r = open_name("a", O_RDONLY);
	job_start(&job, r, IPC_READ, NULL);
	cr_assert_not(job.over);
	cr_assert_eq(echo("a", "2\n"), 2);
	cr_assert_eq(job_finish(&job), 2);
	cr_assert_str_eq(job.text, "1\n");
	ipc_close(r);
}

Test(sem, a_reader_is_woken_by_sem_post)
{
	sem_t *sem;
	struct ipc_handle *r;
	struct job job;

	create("a");
	sem = native("a");
	r = open_name("a", O_RDONLY);
	for (int i = 0; i < 50; i++) {
		struct ipc_handle *h = open_name("a", O_RDONLY);

		job_start(&job, h, IPC_READ, NULL);
		if (i % 2)
			ipc_loop_turn(loop, 1);
		sem_post(sem);
		cr_assert_eq(job_finish(&job), 2);
		ipc_close(h);
	}
	ipc_close(r);
	sem_close(sem);
}

Test(sem, readers_are_served_in_their_order)
{
	struct ipc_handle *h[3];
	struct job job[3];

	create("a");
	for (int i = 0; i < 3; i++) {
		h[i] = open_name("a", O_RDONLY);
		job_start(&job[i], h[i], IPC_READ, NULL);
	}
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(echo("a", "\n"), 1);
		cr_assert_eq(job_finish(&job[i]), 2);
		cr_assert(i == 2 || !job[2].over);
		ipc_close(h[i]);
	}
}

static void *native_wait(void *arg)
{
	sem_wait(arg);
	return NULL;
}

static bool native_waits(const sem_t *sem)
{
	return __atomic_load_n((const uint64_t *)(const void *)sem, __ATOMIC_RELAXED) >> 32;
}

Test(sem, posting_here_wakes_who_waits_natively)
{
	sem_t *sem;
	pthread_t waiter[3];

	create("a");
	sem = native("a");
	for (int i = 0; i < 3; i++)
		cr_assert_eq(pthread_create(&waiter[i], NULL, native_wait, sem), 0);
	while (!native_waits(sem))
		usleep(1000);
	cr_assert_eq(echo("a", "3\n"), 2);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(pthread_join(waiter[i], NULL), 0);
	sem_close(sem);
}

/* The kernel woke us because we came first; but our reader has gone, and the other one must not sleep on. */
Test(sem, a_wake_up_that_we_have_no_use_for_is_handed_on)
{
	struct timespec until;
	sem_t *sem;
	pthread_t waiter;
	struct ipc_handle *r;
	struct job job;

	create("a");
	sem = native("a");
	r = open_name("a", O_RDONLY);
	job_start(&job, r, IPC_READ, NULL);
	usleep(50000);
	cr_assert_eq(pthread_create(&waiter, NULL, native_wait, sem), 0);
	usleep(50000);
	ipc_interrupt(&job.op);
	cr_assert_eq(job.result, -EINTR);
	sem_post(sem);
	do {
		ipc_loop_turn(loop, 10);
		clock_gettime(CLOCK_REALTIME, &until);
	} while (pthread_timedjoin_np(waiter, NULL, &until) != 0);
	ipc_close(r);
	sem_close(sem);
}

Test(sem, who_only_polls_hands_the_wake_up_on)
{
	struct timespec until;
	sem_t *sem;
	pthread_t waiter;
	struct ipc_handle *r;

	create("a");
	sem = native("a");
	r = open_name("a", O_RDONLY);
	cr_assert_eq(ipc_poll(r, true), 0);
	usleep(50000);
	cr_assert_eq(pthread_create(&waiter, NULL, native_wait, sem), 0);
	usleep(50000);
	sem_post(sem);
	do {
		ipc_loop_turn(loop, 10);
		clock_gettime(CLOCK_REALTIME, &until);
	} while (pthread_timedjoin_np(waiter, NULL, &until) != 0);
	ipc_close(r);
	sem_close(sem);
}

Test(sem, a_semaphore_that_nobody_waits_for_is_left_as_it_was)
{
	sem_t *sem;
	struct ipc_handle *r;
	struct job job;

	create("a");
	sem = native("a");
	r = open_name("a", O_RDONLY);
	job_start(&job, r, IPC_READ, NULL);
	cr_assert(native_waits(sem));
	ipc_interrupt(&job.op);
	ipc_close(r);
	while (native_waits(sem))
		cr_assert_eq(ipc_loop_turn(loop, 20), 0);
	sem_close(sem);
}

Test(sem, a_timeout_ends_a_read)
{
	struct ipc_handle *r;
	struct job job;

	create("a");
	r = open_name("a@timeout=20ms", O_RDONLY);
	job_start(&job, r, IPC_READ, NULL);
	cr_assert_eq(job_finish(&job), -ETIMEDOUT);
	ipc_close(r);
}

Test(sem, a_read_that_could_not_be_delivered_gives_its_permit_back)
{
	struct ipc_handle *r;
	struct ipc_op op;

	create("a@value=2");
	r = open_name("a", O_RDONLY);
	op = (struct ipc_op){.type = IPC_READ, .handle = r, .cred = me(), .size = 64};
	cr_assert_eq(ipc_submit(&op), 2);
	ipc_undeliver(&op, 2);
	cr_assert_eq(value_of("a"), 2);
	ipc_undeliver(&op, 2);
	cr_assert_eq(value_of("a"), 2);
	cr_assert_str_eq(get_at(r, 0), "1\n");
	ipc_close(r);
}

static void ready(void *arg)
{
	*(bool *)arg = true;
}

Test(sem, poll_tells_what_is_there_and_what_comes)
{
	struct ipc_handle *h;
	sem_t *sem;
	bool told = false;

	create("a");
	sem = native("a");
	h = open_name("a", O_RDWR);
	ipc_handle_on_ready(h, ready, &told);
	cr_assert_eq(ipc_poll(h, true), POLLOUT | POLLWRNORM);
	sem_post(sem);
	while (!told)
		cr_assert_eq(ipc_loop_turn(loop, 20), 0);
	cr_assert(ipc_poll(h, false) & POLLIN);
	cr_assert_str_eq(get_at(h, 0), "0\n");
	cr_assert(ipc_poll(h, false) & POLLIN);
	ipc_close(h);
	sem_close(sem);
}

/* A writer's open must go through while others wait: it is what they wait for. */
Test(sem, open_does_not_wait_behind_readers)
{
	struct ipc_handle *r;
	struct job job;

	create("a");
	r = open_name("a", O_RDONLY);
	job_start(&job, r, IPC_READ, NULL);
	ipc_close(open_name("a", O_WRONLY));
	ipc_close(open_name("a", O_RDONLY));
	ipc_close(open_name("a", O_RDWR));
	cr_assert_not(job.over);
	ipc_close(r);
	cr_assert_eq(job.result, -EBADF);
}

enum { MANY = 1000 };

static void *post_many(void *arg)
{
	sem_t **sems = arg;

	for (int i = 0; i < MANY; i++)
		sem_post(sems[i]);
	return NULL;
}

static int threads(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	char line[256];
	int n = 0;

	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "Threads: %d", &n) == 1)
			break;
	fclose(status);
	return n;
}

Test(sem, a_thousand_semaphores_are_waited_for_by_few_threads_and_no_cpu)
{
	static struct ipc_handle *h[MANY];
	static struct job jobs[MANY];
	static sem_t *sems[MANY];
	struct rusage before, after;
	pthread_t poster;
	char name[16];
	int64_t used;

	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "%d", i);
		create(name);
		sems[i] = native(name);
		h[i] = open_name(name, O_RDONLY);
		job_start(&jobs[i], h[i], IPC_READ, NULL);
		cr_assert_not(jobs[i].over);
	}
	cr_assert_leq(threads(), 12);
	usleep(100000);
	getrusage(RUSAGE_SELF, &before);
	ipc_loop_turn(loop, 300);
	getrusage(RUSAGE_SELF, &after);
	used = (after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) *
		       1000000 +
	       after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec;
	cr_assert_lt(used, 20000);
	cr_assert_eq(pthread_create(&poster, NULL, post_many, sems), 0);
	for (int i = 0; i < MANY; i++)
		cr_assert_eq(job_finish(&jobs[i]), 2);
	pthread_join(poster, NULL);
	for (int i = 0; i < MANY; i++) {
		ipc_close(h[i]);
		sem_close(sems[i]);
	}
}

struct rival {
	sem_t *sem;
	int rounds;
};

static void *post_rounds(void *arg)
{
	struct rival *rival = arg;

	for (int i = 0; i < rival->rounds; i++)
		sem_post(rival->sem);
	return NULL;
}

static void *wait_rounds(void *arg)
{
	struct rival *rival = arg;

	for (int i = 0; i < rival->rounds; i++)
		sem_wait(rival->sem);
	return NULL;
}

Test(sem, with_native_rivals_each_permit_is_taken_exactly_once)
{
	struct rival poster, waiter;
	pthread_t posts, waits;
	int taken = 0;

	create("a");
	poster = (struct rival){native("a"), 4000};
	waiter = (struct rival){native("a"), 2000};
	cr_assert_eq(pthread_create(&waits, NULL, wait_rounds, &waiter), 0);
	cr_assert_eq(pthread_create(&posts, NULL, post_rounds, &poster), 0);
	while (taken < 2000) {
		struct ipc_handle *h = open_name("a", O_RDONLY);
		struct job job;

		job_start(&job, h, IPC_READ, NULL);
		cr_assert_gt(job_finish(&job), 0);
		ipc_close(h);
		taken++;
	}
	pthread_join(posts, NULL);
	pthread_join(waits, NULL);
	cr_assert_eq(value_of("a"), 0);
	sem_close(poster.sem);
	sem_close(waiter.sem);
}

/* --- holding -------------------------------------------------------------------------------------------------------- */

Test(sem, hold_has_a_permit_until_close)
{
	struct ipc_handle *h;

	create("a@value=2");
	h = open_name("a@hold", O_RDONLY);
	cr_assert_eq(value_of("a"), 1);
	cr_assert_str_eq(get_at(h, 0), "1\n");
	cr_assert_str_eq(get_at(h, 2), "");
	cr_assert_eq(value_of("a"), 1);
	ipc_close(h);
	cr_assert_eq(value_of("a"), 2);
}

Test(sem, hold_waits_for_a_permit_and_gets_the_one_that_is_given_back)
{
	struct ipc_handle *first, *second;
	struct job job;

	create("a@value=1");
	first = open_name("a@hold", O_WRONLY);
	cr_assert_eq(open_flags("a@hold", O_RDONLY, &second), 0);
	job_start(&job, second, IPC_OPEN, NULL);
	cr_assert_not(job.over);
	ipc_close(first);
	cr_assert_eq(job_finish(&job), 0);
	cr_assert_eq(value_of("a"), 0);
	ipc_close(second);
	cr_assert_eq(value_of("a"), 1);
}

Test(sem, hold_can_time_out_and_then_holds_nothing)
{
	struct ipc_handle *h;
	struct job job;

	create("a");
	cr_assert_eq(open_flags("a@hold,timeout=20ms", O_RDONLY, &h), 0);
	job_start(&job, h, IPC_OPEN, NULL);
	cr_assert_eq(job_finish(&job), -ETIMEDOUT);
	ipc_close(h);
	cr_assert_eq(value_of("a"), 0);
}

Test(sem, hold_without_waiting_is_eagain)
{
	struct ipc_handle *h;
	struct ipc_op op;

	create("a");
	cr_assert_eq(open_flags("a@hold", O_RDONLY | O_NONBLOCK, &h), 0);
	op = (struct ipc_op){.type = IPC_OPEN, .handle = h, .cred = me(), .nonblock = true};
	cr_assert_eq(ipc_submit(&op), -EAGAIN);
	ipc_close(h);
	cr_assert_eq(value_of("a"), 0);
}

Test(sem, an_undelivered_read_gives_no_held_permit_back)
{
	struct ipc_handle *h;
	struct ipc_op op;

	create("a@value=1");
	h = open_name("a@hold", O_RDONLY);
	op = (struct ipc_op){.type = IPC_READ, .handle = h, .cred = me(), .size = 64};
	cr_assert_eq(ipc_submit(&op), 2);
	ipc_undeliver(&op, 2);
	cr_assert_eq(value_of("a"), 0);
	ipc_close(h);
	cr_assert_eq(value_of("a"), 1);
}

Test(sem, many_permits_are_held_and_all_come_back)
{
	enum { HOLDERS = 500 };
	struct ipc_handle *h[HOLDERS];

	create("a@value=500");
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < HOLDERS; i++)
			h[i] = open_name("a@hold", O_RDONLY);
		cr_assert_eq(value_of("a"), 0);
		for (int i = 0; i < HOLDERS; i++)
			ipc_close(h[(i + 100) % HOLDERS]);
		cr_assert_eq(value_of("a"), HOLDERS);
	}
}

/* Holds two permits of a and one of b, and dies without a word. */
static void hold_and_die(void)
{
	start();
	open_name("a@hold", O_RDONLY);
	ipc_close(open_name("a@hold", O_RDONLY));
	open_name("a@hold", O_RDONLY);
	open_name("b@hold", O_RDONLY);
	kill(getpid(), SIGKILL);
}

static void crash_holding(void)
{
	pid_t pid = fork();
	int status;

	cr_assert_geq(pid, 0);
	if (pid == 0)
		hold_and_die();
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* Any start on this machine finds what a crash left, so another test may have been faster, or be just at it. */
static void restart_until(const char *name, int value)
{
	do {
		ipc_free(ipc);
		ipc_loop_free(loop);
		cr_assert(start());
	} while (value_of(name) != value);
}

Test(sem, what_a_crash_held_comes_back_with_the_next_start)
{
	create("a@value=5");
	create("b@value=1");
	crash_holding();
	restart_until("a", 5);
	restart_until("b", 1);
	restart_until("a", 5);
}

Test(sem, what_a_crash_held_comes_back_to_the_same_semaphore_only)
{
	create("a@value=2");
	create("b@value=1");
	crash_holding();
	cr_assert_eq(rename_to("a", "c", 0), 0);
	create("a");
	cr_assert_eq(remove_name("b"), 0);
	create("b");
	restart_until("c", 2);
	cr_assert_eq(value_of("a"), 0);
	cr_assert_eq(value_of("b"), 0);
}

Test(sem, what_another_instance_holds_is_left_alone)
{
	struct ipc_handle *h;
	struct ipc *other = ipc;
	struct ipc_loop *others = loop;

	create("a@value=1");
	h = open_name("a@hold", O_RDONLY);
	cr_assert(start());
	cr_assert_eq(value_of("a"), 0);
	ipc_free(ipc);
	ipc_loop_free(loop);
	ipc = other;
	loop = others;
	ipc_close(h);
	cr_assert_eq(value_of("a"), 1);
}

/* --- ctl and damage ------------------------------------------------------------------------------------------------- */

Test(sem, ctl_names_holders_and_waiters)
{
	struct ipc_handle *h, *r;
	struct job job;
	char line[64];

	create("a@value=1");
	h = open_name("a@hold", O_RDONLY);
	r = open_name("a", O_RDONLY);
	job_start(&job, r, IPC_READ, NULL);
	cr_assert(strstr(ctl_of("a"), "kind=sem\nvalue=0\nmax=2147483647\n"));
	snprintf(line, sizeof(line), "holder=pid:%d command:", (int)getpid());
	cr_assert(strstr(ctl_of("a"), line));
	snprintf(line, sizeof(line), "waiter=pid:%d command:", (int)getpid());
	cr_assert(strstr(ctl_of("a"), line));
	cr_assert(strstr(ctl_of("a"), "waiters=1"));
	ipc_close(r);
	ipc_close(h);
}

Test(sem, status_shows_the_value)
{
	struct ipc_cred cred = me();
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	create("a@value=42");
	ipc_text_status(ipc, &cred, out);
	fclose(out);
	cr_assert(strstr(text, "sem          42        0        0  a\n"), "%s", text);
	free(text);
}

Test(sem, a_file_of_the_wrong_size_is_einval_and_can_be_removed)
{
	struct ipc_handle *h;
	struct stat st;

	damage("a", "short", 5);
	cr_assert_eq(stat_name("a", &st), 0);
	cr_assert_eq(open_flags("a", O_WRONLY, &h), -EINVAL);
	cr_assert(refused_with("sem/a: EINVAL: its file in /dev/shm has 5 bytes, a semaphore has 32"));
	cr_assert(strstr(ctl_of("a"), "damaged=yes"));
	cr_assert_eq(remove_name("a"), 0);
}

Test(sem, a_file_that_holds_something_else_is_einval)
{
	struct ipc_handle *h;
	char bytes[sizeof(sem_t)];

	memset(bytes, 0xff, sizeof(bytes));
	damage("a", bytes, sizeof(bytes));
	cr_assert_eq(open_flags("a", O_RDONLY, &h), -EINVAL);
	memset(bytes, 0, sizeof(bytes));
	damage("a", bytes, sizeof(bytes));
	cr_assert_eq(open_flags("a", O_RDONLY, &h), -EINVAL);
	cr_assert(refused_with("is damaged: what is in it is not what sem_open(3) writes"));
}

Test(sem, a_file_cut_off_under_us_is_an_error_and_no_crash)
{
	struct ipc_handle *w, *r, *hold, *parked;
	struct job job;

	create("a@value=1");
	hold = open_name("a@hold", O_RDONLY);
	w = open_name("a", O_WRONLY);
	r = open_name("a", O_RDONLY);
	parked = open_name("a", O_RDONLY);
	job_start(&job, parked, IPC_READ, NULL);
	cr_assert_not(job.over);
	cr_assert_eq(truncate(path_of("a"), 0), 0);
	cr_assert_eq(put(w, "\n"), -EINVAL);
	cr_assert_eq(put(w, "3\n"), -EINVAL);
	cr_assert(refused_with("sem/a: EINVAL: its file in /dev/shm is damaged"));
	cr_assert(ipc_poll(r, false) & POLLERR);
	cr_assert(ipc_poll(r, true) & POLLERR);
	ipc_interrupt(&job.op);
	job_start(&job, r, IPC_READ, NULL);
	cr_assert_eq(job_finish(&job), -EINVAL);
	ipc_close(hold);
	cr_assert(refused_with("the permit could not be given back"));
	ipc_close(w);
	ipc_close(r);
	ipc_close(parked);
}

Test(sem, a_file_wiped_under_us_is_an_error)
{
	struct ipc_handle *r, *parked;
	struct job job;

	create("a");
	r = open_name("a", O_RDONLY);
	parked = open_name("a", O_RDONLY);
	job_start(&job, parked, IPC_READ, NULL);
	cr_assert_eq(truncate(path_of("a"), 0), 0);
	cr_assert_eq(truncate(path_of("a"), sizeof(sem_t)), 0);
	ipc_interrupt(&job.op);
	job_start(&job, r, IPC_READ, NULL);
	cr_assert_eq(job_finish(&job), -EINVAL);
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
	cr_assert_eq(create_type("a", S_IFREG | 0644), 0);
	ref = named("a");
	cr_assert_eq(stat_name("a", &st), 0);
	cr_assert_eq(ipc_handle_new(ipc, &other, &ref, O_RDONLY, st.st_ino, &h), -EACCES);
	cr_assert_eq(change("a", NULL, &(struct stat){.st_mode = 0646}, IPC_SET_MODE), 0);
	cr_assert_eq(ipc_handle_new(ipc, &other, &ref, O_RDONLY, st.st_ino, &h), 0);
	ipc_close(h);
}

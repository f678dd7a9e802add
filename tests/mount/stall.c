/*
 * What one user has, or does, must not hold up another: children that act as somebody else, who may stop them, and long
 * texts.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

/* Whose processes are all stopped: he has none but those of this test, which may run beside others of this file. */
static uid_t stopper_uid;
/* A child that is stopped is waited for 20 ms. */
enum { STOPPED_MS = 15, TRIES = 40, ENOUGH = 20, ROUNDS = 3 };

static int stop_all(void *arg)
{
	(void)arg;
	if (setresgid(stopper_uid, stopper_uid, stopper_uid) < 0 ||
	    setresuid(stopper_uid, stopper_uid, stopper_uid) < 0)
		return 1;
	for (;;)
		kill(-1, SIGSTOP);
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int open_as(uid_t uid, const char *path, int flags)
{
	int fd;

	t_become(uid);
	fd = open(path, flags | O_CLOEXEC, 0600);
	cr_assert(fd >= 0, "%s: %s", path, strerror(errno));
	t_become(0);
	return fd;
}

static atomic_int over;

struct writer {
	pthread_t thread;
	int fd;
	atomic_int delayed; /* writes that took as long as a stopped child is waited for */
};

static void *write_meanwhile(void *arg)
{
	struct writer *w = arg;

	while (!atomic_load(&over)) {
		double from = now_ms();

		if (write(w->fd, "x", 1) != 1)
			break;
		w->delayed += now_ms() - from > STOPPED_MS;
		usleep(500); /* often enough to see each delay, and no load */
	}
	return NULL;
}

static void writer_start(struct writer *w, const struct t_mount *m)
{
	w->fd = open_as(0, t_path(m, "bcast/b"), O_WRONLY | O_CREAT);
	cr_assert_eq(pthread_create(&w->thread, NULL, write_meanwhile, w), 0);
}

/* Repeats what acts as the stopper while his children are stopped. Returns how often that was hit. */
static unsigned repeat(void (*act)(int fd), int fd)
{
	unsigned hits = 0;

	for (int i = 0; i < TRIES * 10 && hits < ENOUGH; i++) {
		double from = now_ms();

		act(fd);
		hits += now_ms() - from > STOPPED_MS;
	}
	return hits;
}

static void send_nothing(int fd)
{
	if (write(fd, "0\n", 2) < 0)
		cr_expect(errno == EINTR, "%s", strerror(errno));
}

static const char *queue;

static void make_queue(int fd)
{
	int q;

	(void)fd;
	t_become(stopper_uid);
	q = open(queue, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_expect(q >= 0 || errno == EINTR, "%s", strerror(errno));
	close(q);
	unlink(queue);
	t_become(0);
}

static void check_delay(void (*act)(int fd))
{
	/* Another's writes meanwhile, and some to a daemon that nobody stops: how busy the machine is. */
	struct writer other = {0}, elsewhere = {0};
	struct t_mount *calm;
	int hits, more, fd;
	struct stat st;
	pid_t stopper;

	if (geteuid() != 0)
		cr_skip_test("only root can be somebody else");
	stopper_uid = 56000 + (uid_t)getpid() % 4000;
	M = t_mount_start("-o", "allow_other", NULL);
	calm = t_mount_start("-o", "allow_other", NULL);
	queue = t_path(M, "mq/%s", t_name("q"));
	stopper = t_fork(stop_all, NULL);
	/* Until it has become him he may not signal it. */
	t_await(stat(t_format("/proc/%d", (int)stopper), &st) == 0 && st.st_uid == stopper_uid);
	fd = open_as(stopper_uid, t_path(M, "sig/%d", (int)stopper), O_WRONLY);
	writer_start(&other, M);
	writer_start(&elsewhere, calm);
	/* Load that comes and goes may look like a delay once, and not each time. */
	for (int round = 0; round < ROUNDS; round++) {
		more = elsewhere.delayed - other.delayed;
		hits = (int)repeat(act, fd);
		more += other.delayed - elsewhere.delayed;
		if (hits < ENOUGH || 3 * more < 2 * hits)
			break;
	}
	atomic_store(&over, 1);
	pthread_join(other.thread, NULL);
	pthread_join(elsewhere.thread, NULL);
	close(other.fd);
	close(elsewhere.fd);
	kill(stopper, SIGKILL);
	t_wait_exit(stopper, T_PATIENCE, NULL);
	if (hits < ENOUGH)
		cr_skip_test("the children were too fast to be stopped");
#ifdef __SANITIZE_ADDRESS__
	return; /* to fork so large a process stops all of it for as long as that */
#endif
	/* Some are late by chance. */
	cr_expect_lt(3 * more, 2 * hits, "%d more writes of another than elsewhere waited for %d stopped children",
		     more, hits);
}

t_test_bare(stall, stopped_child_of_a_sender_delays_nobody_else)
{
	check_delay(send_nothing);
}

t_test_bare(stall, stopped_child_of_a_maker_delays_nobody_else)
{
	check_delay(make_queue);
}

static void list_processes(int fd)
{
	DIR *dir;

	(void)fd;
	t_become(stopper_uid);
	dir = opendir(t_path(M, "sig"));
	cr_expect(dir || errno == EINTR, "%s", strerror(errno));
	if (dir)
		closedir(dir);
	t_become(0);
}

t_test_bare(stall, stopped_child_of_a_lister_delays_nobody_else)
{
	check_delay(list_processes);
}

/* --- texts --- */

enum { OBJECTS = 10000, OPENS = 10 };

static atomic_uint writes;

static const char *object(int i)
{
	return t_format("/dev/shm/%s-%0100d", t_name("o"), i);
}

static void make_objects(void)
{
	for (int i = 0; i < OBJECTS; i++)
		close(open(object(i), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static void remove_objects(void)
{
	for (int i = 0; i < OBJECTS; i++)
		unlink(object(i));
}

static void *write_and_count(void *arg)
{
	int fd = *(int *)arg;

	while (!atomic_load(&over) && write(fd, "x", 1) == 1)
		atomic_fetch_add(&writes, 1);
	return NULL;
}

t_test(stall, long_status_is_made_bit_by_bit)
{
	int other = open(t_path(M, "bcast/b"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	unsigned before;
	pthread_t writer;

	make_objects();
	cr_assert_eq(pthread_create(&writer, NULL, write_and_count, &other), 0);
	t_await(atomic_load(&writes));
	before = atomic_load(&writes);
	for (int i = 0; i < OPENS; i++)
		close(open(t_path(M, "status@json"), O_RDONLY | O_CLOEXEC));
	before = atomic_load(&writes) - before;
	atomic_store(&over, 1);
	pthread_join(writer, NULL);
	remove_objects();
	/* Made at one go, each would let one or two come in between. */
	cr_expect_gt(before, OPENS * 10u, "%u writes of another, while a long status was read %d times", before, OPENS);
}

t_test_bare(stall, texts_are_counted_among_a_users_bytes)
{
	M = t_mount_start("-o", t_format("max_bytes=64K,prefix=%s", t_name("p")), NULL);
	for (int i = 0; i < 500; i++)
		cr_assert_eq(mkfifo(t_path(M, "pipe/%0200d", i), 0600), 0);
	t_check_errno(open(t_path(M, "status"), O_RDONLY | O_CLOEXEC), EDQUOT);
	cr_expect(t_refused("max_bytes"));
	for (int i = 0; i < 500; i++)
		cr_assert_eq(unlink(t_path(M, "pipe/%0200d", i)), 0);
	/* Nothing of it is held any more. */
	for (int i = 0; i < 10; i++)
		t_read(t_path(M, "status"));
}

t_test_bare(stall, listings_that_are_kept_open_are_charged)
{
	DIR *dir[64], *again;
	int opened = 0;

	M = t_mount_start("-o", "max_bytes=64K", NULL);
	t_check("cd $M/bcast; touch $(seq -f pad-pad-pad-pad-pad-pad-pad-pad-pad-pad-%g 60)", "");
	while (opened < 64 && (dir[opened] = opendir(t_path(M, "bcast"))))
		opened++;
	cr_expect(opened > 1 && opened < 20, "%d", opened);
	cr_expect(t_refused("max_bytes"));
	if (opened)
		closedir(dir[--opened]);
	again = opendir(t_path(M, "bcast"));
	cr_assert_not_null(again);
	closedir(again);
	while (opened)
		closedir(dir[--opened]);
}

static int list_names(const char *path)
{
	DIR *dir = opendir(path);
	int n = 0;

	cr_assert_not_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* A helper reads it; and what it shows is what a short one does. */
t_test(stall, a_long_directory_of_memory_is_listed_whole)
{
	const char *odd = t_format("/dev/shm/%s@ctl", t_name("o"));

	make_objects();
	close(open(odd, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	cr_expect_geq(list_names(t_path(M, "shm")), OBJECTS + 3);
	t_check("ls $M/shm | grep -c \"^${P}o-\"; ls $M/shm | grep @ | sed s/$P//", t_format("%d\no@@ctl\n", OBJECTS));
	/* It says of what others remove meanwhile that it has gone. */
	t_check("find $M/shm -type l -name \"${P}o*\" 2>/dev/null | wc -l", t_format("%d\n", OBJECTS + 1));
	unlink(odd);
	remove_objects();
}

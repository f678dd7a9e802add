/*
 * The daemon's end, by SIGKILL and in good order, in the middle of traffic of every kind. $ROUNDS changes how often it
 * dies in one test.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "queue.h"

enum { ROUNDS = 5, MESSAGES = 1 << 20, WARM = 20, MEDIATED_MAX = 24, NATIVE_MAX = 8 };
enum { TRIED = 1, DONE = 2 };

/* Shared with the clients. */
static struct tally {
	atomic_uchar sent[MESSAGES], got[MESSAGES];
	atomic_long reads, posts_tried, posts, takes, packets, heard, signals, holds;
	atomic_long pipe, shm, socket; /* what needs no daemon */
	atomic_bool holding, stop, unmounting;
} * t;

static struct queue q, empty, full;
static char *post_name, *lock_name, *shm_name;
static pid_t mediated[MEDIATED_MAX], native[NATIVE_MAX];
static unsigned mediated_count, native_count;

static void tally_make(void)
{
	if (!t)
		t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(t, MAP_FAILED);
	memset(t, 0, sizeof(*t));
}

/* --- clients of the daemon: each goes on until an error, and exits with 0 if it is one of an end --- */

static int ended(const char *what)
{
	/* Behind an unmount the path leads to the empty directory below. */
	if (errno == ENOTCONN || errno == ECONNABORTED || (errno == ENOENT && t->unmounting))
		return 0;
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	return 1;
}

static int open_here(const char *path, int flags)
{
	return open(t_format("%s/%s", M->dir, path), flags | O_CLOEXEC);
}

static int mq_writer(void *unused)
{
	int fd = open_here(t_format("mq/%s", q.name), O_WRONLY);
	char text[16];

	(void)unused;
	for (int i = 0; fd >= 0 && i < MESSAGES; i++) {
		t->sent[i] = TRIED;
		if (write(fd, text, (size_t)snprintf(text, sizeof(text), "%d", i)) < 0)
			break;
		t->sent[i] = DONE;
	}
	return ended("mq writer");
}

static void mq_count(const char *text)
{
	t->got[strtol(text, NULL, 10) % MESSAGES]++;
	t->reads++;
}

static int mq_reader(void *unused)
{
	int fd = open_here(t_format("mq/%s", q.name), O_RDONLY);
	char text[17] = "";
	ssize_t n;

	(void)unused;
	while (fd >= 0 && (n = read(fd, text, 16)) >= 0) {
		text[n] = '\0';
		mq_count(text);
	}
	return ended("mq reader");
}

/* Each waits in one call for ever. */
static int waiting_reader(void *path)
{
	int fd = open_here(path, O_RDONLY);
	char c;

	if (fd >= 0 && read(fd, &c, 1) >= 0) {
		fprintf(stderr, "%s: was not expected to be read\n", (char *)path);
		return 1;
	}
	return ended(path);
}

static int waiting_writer(void *path)
{
	int fd = open_here(path, O_WRONLY);

	if (fd >= 0 && write(fd, "x", 1) >= 0)
		return 1;
	return ended(path);
}

static int waiting_poller(void *path)
{
	struct pollfd p = {.fd = open_here(path, O_RDONLY), .events = POLLIN};

	if (p.fd < 0)
		return ended(path);
	return poll(&p, 1, -1) == 1 && (p.revents & POLLERR) ? 0 : 1;
}

static int sem_poster(void *unused)
{
	int fd = open_here(t_format("sem/%s", post_name), O_WRONLY);

	(void)unused;
	while (fd >= 0 && ++t->posts_tried && write(fd, "1\n", 2) >= 0)
		t->posts++;
	return ended("sem poster");
}

static int sem_taker(void *unused)
{
	char line[16];
	ssize_t n;

	(void)unused;
	do {
		int fd = open_here(t_format("sem/%s", post_name), O_RDONLY);

		n = fd < 0 ? -1 : read(fd, line, sizeof(line));
		if (n < 0)
			break;
		t->takes++;
		close(fd);
	} while (n >= 0);
	return ended("sem taker");
}

static int sem_looper(void *unused)
{
	int fd;

	(void)unused;
	while ((fd = open_here(t_format("sem/%s@hold", lock_name), O_RDONLY)) >= 0) {
		t->holds++;
		close(fd);
	}
	return ended("sem looper");
}

/* Has a permit when the daemon dies, and lives on. */
static int sem_holder(void *unused)
{
	int fd = open_here(t_format("sem/%s@hold", lock_name), O_RDONLY);

	(void)unused;
	t->holding = fd >= 0;
	if (fd >= 0)
		sigsuspend(&(sigset_t){0});
	return ended("sem holder");
}

static int sock_writer(void *unused)
{
	int fd = open_here("sock/x", O_WRONLY);

	(void)unused;
	for (uint32_t i = 0; fd >= 0 && write(fd, &i, sizeof(i)) == sizeof(i); i++)
		;
	return ended("sock writer");
}

static int sock_reader(void *unused)
{
	int fd = open_here("sock/x", O_RDONLY);
	uint32_t number;

	(void)unused;
	for (uint32_t i = 0; fd >= 0; i++, t->packets++) {
		ssize_t n = read(fd, &number, sizeof(number));

		if (n == 0) /* the daemon closes one end after the other */
			return 0;
		if (n < 0)
			break;
		if (n == sizeof(number) && number != i)
			return 2;
	}
	return ended("sock reader");
}

static int bcast_writer(void *unused)
{
	int fd = open_here("bcast/b", O_WRONLY);

	(void)unused;
	for (uint32_t i = 0; fd >= 0 && write(fd, &i, sizeof(i)) == sizeof(i); i++)
		;
	return ended("bcast writer");
}

static int bcast_reader(void *unused)
{
	int fd = open_here("bcast/b", O_RDONLY);
	uint32_t last = 0, number;
	bool first = true;

	(void)unused;
	while (fd >= 0) {
		ssize_t n = read(fd, &number, sizeof(number));

		if (n < 0 && errno == ENOBUFS) {
			first = true;
			continue;
		}
		if (n < 0)
			break;
		if (n != sizeof(number) || (!first && number != last + 1))
			return 2;
		last = number;
		first = false;
		t->heard++;
	}
	return ended("bcast reader");
}

static int sig_sender(void *unused)
{
	int fd = open_here(t_format("sig/%d", getpid()), O_WRONLY);

	(void)unused;
	while (fd >= 0 && write(fd, "CONT\n", 5) == 5)
		t->signals++;
	return ended("sig sender");
}

/* --- what the kernel does alone --- */

static int pipe_writer(void *fds)
{
	int fd = ((int *)fds)[1];

	close(((int *)fds)[0]);
	for (uint32_t i = 0; !t->stop; i++)
		if (write(fd, &i, sizeof(i)) != sizeof(i))
			return 1;
	return 0;
}

static int pipe_reader(void *fds)
{
	uint32_t number, i = 0;
	int fd = ((int *)fds)[0];

	close(((int *)fds)[1]);
	while (!t->stop && read(fd, &number, sizeof(number)) == sizeof(number)) {
		if (number != i++)
			return 2;
		t->pipe++;
	}
	return 0;
}

static int shm_counter(void *map)
{
	while (!t->stop) {
		++*(atomic_long *)map;
		t->shm++;
		usleep(100); /* a client that is no busy loop */
	}
	return 0;
}

static int socket_server(void *fd)
{
	int to = accept4(*(int *)fd, NULL, NULL, SOCK_CLOEXEC);
	char c;

	while (read(to, &c, 1) == 1)
		if (write(to, &c, 1) != 1)
			return 1;
	return 0;
}

static int socket_client(void *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char c = 'x';

	if (connect(fd, address, sizeof(struct sockaddr_un)) < 0)
		return 1;
	while (!t->stop && write(fd, &c, 1) == 1 && read(fd, &c, 1) == 1)
		t->socket++;
	return t->stop ? 0 : 1;
}

/* --- the traffic --- */

static void start(int (*client)(void *), void *arg)
{
	mediated[mediated_count++] = t_fork(client, arg);
}

static void start_native(int (*client)(void *), void *arg)
{
	native[native_count++] = t_fork(client, arg);
}

static void start_kernel_traffic(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fifo[2], shm, listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	void *map;

	cr_assert_eq(mkfifo(t_path(M, "pipe/p"), 0600), 0);
	fifo[0] = open_here("pipe/p", O_RDONLY | O_NONBLOCK);
	fifo[1] = open_here("pipe/p", O_WRONLY);
	fcntl(fifo[0], F_SETFL, 0);
	shm = open(t_path(M, "shm/%s", shm_name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	cr_assert(fifo[0] >= 0 && fifo[1] >= 0 && shm >= 0);
	cr_assert_eq(ftruncate(shm, 4096), 0);
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, shm, 0);
	cr_assert_neq(map, MAP_FAILED);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", t_path(M, "sock/native"));
	cr_assert_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0, "%s", strerror(errno));
	cr_assert_eq(listen(listener, 1), 0);
	start_native(pipe_reader, fifo);
	start_native(pipe_writer, fifo);
	start_native(shm_counter, map);
	start_native(socket_server, &listener);
	start_native(socket_client, &address);
	close(fifo[0]);
	close(fifo[1]);
	close(shm);
	close(listener);
}

static void start_traffic(void)
{
	mediated_count = native_count = 0;
	t_write(t_path(M, "sem/%s@value=2", lock_name), "");
	start(sem_holder, NULL);
	t_await(t->holding);
	start_kernel_traffic();
	t_write(t_path(M, "sem/%s", post_name), "");
	close(open(t_path(M, "sock/x"), O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0600));
	close(open(t_path(M, "bcast/b"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	start(mq_writer, NULL);
	start(mq_reader, NULL);
	start(waiting_reader, t_format("mq/%s", empty.name));
	start(waiting_poller, t_format("mq/%s", empty.name));
	start(waiting_writer, t_format("mq/%s", full.name));
	start(waiting_reader, t_format("net/udp/127.0.0.1/%d@listen", 20000 + getpid() % 20000));
	start(waiting_reader, t_format("sig/%d", getpid()));
	start(sem_poster, NULL);
	start(sem_taker, NULL);
	start(sem_looper, NULL);
	start(sem_looper, NULL);
	start(sock_reader, NULL);
	start(sock_writer, NULL);
	start(bcast_reader, NULL);
	start(bcast_writer, NULL);
	start(sig_sender, NULL);
	t_await(t->reads > WARM && t->takes > WARM && t->packets > WARM && t->heard > WARM && t->signals > WARM &&
		t->holds > WARM && t->pipe > WARM && t->shm > WARM && t->socket > WARM);
	queue_await_waiters(M, &full, 1);
}

static void names_make(void)
{
	q = queue_make("q", 8, 16);
	empty = queue_make("empty", 8, 16);
	full = queue_make("full", 8, 16);
	queue_fill(&full);
	post_name = t_name("post");
	lock_name = t_name("lock");
	shm_name = t_name("state");
}

/* --- behind the end --- */

static void check_clients_end(void)
{
	for (unsigned i = 1; i < mediated_count; i++)
		cr_expect_eq(t_wait_exit(mediated[i], T_PATIENCE, NULL), 0, "client %u", i);
}

static void check_kernel_traffic_goes_on(void)
{
	long was_pipe = t->pipe, was_shm = t->shm, was_socket = t->socket;

	t_await(t->pipe > was_pipe + WARM && t->shm > was_shm + WARM && t->socket > was_socket + WARM);
	t->stop = true;
	for (unsigned i = 0; i < native_count; i++) {
		int status = t_wait_exit(native[i], T_PATIENCE, NULL);

		cr_expect(status == 0 || status == 128 + SIGPIPE, "native %u: %d", i, status);
	}
}

/*
 * A message that was taken for a read which then got no answer is lost with the daemon: one at most, as there is one
 * reader.
 */
static void check_queues(long may_be_lost)
{
	long lost = 0, doubled = 0, invented = 0;
	char *text;

	while ((text = queue_take(&q, NULL)))
		mq_count(text);
	for (int i = 0; i < MESSAGES; i++) {
		lost += t->sent[i] == DONE && !t->got[i];
		doubled += t->got[i] > 1;
		invented += t->got[i] && !t->sent[i];
	}
	cr_expect_eq(doubled, 0);
	cr_expect_eq(invented, 0);
	cr_expect_leq(lost, may_be_lost);
	cr_expect_eq(queue_depth(&full), 8);
	cr_expect_eq(queue_depth(&empty), 0);
}

static int sem_value(const char *name)
{
	sem_t *sem = sem_open(t_format("/%s", name), 0);
	int value = -1;

	if (sem == SEM_FAILED || sem_getvalue(sem, &value) < 0)
		t_fail("%s: %s", name, strerror(errno));
	sem_close(sem);
	return value;
}

static void check_posts(void)
{
	long value = sem_value(post_name);

	cr_expect(value >= t->posts - t->takes - 1 && value <= t->posts_tried - t->takes,
		  "value %ld, posted %ld of %ld, taken %ld", value, t->posts, t->posts_tried, t->takes);
}

static void check_shm(void)
{
	int fd = open(t_path(M, "shm/%s", shm_name), O_RDONLY | O_CLOEXEC);
	long counted;

	cr_assert_eq(read(fd, &counted, sizeof(counted)), sizeof(counted));
	cr_expect_eq(counted, t->shm);
	close(fd);
}

/* --- SIGKILL --- */

/* Attributes of a dead mount can still be cached, data cannot. */
static int answers(void *readme)
{
	int fd = open(readme, O_RDONLY | O_CLOEXEC);
	char c;

	return fd >= 0 && read(fd, &c, 1) == 1 ? 0 : 1;
}

/* Over the dead mount, without any umount. */
static void mount_again(void)
{
	long deadline = t_deadline(T_PATIENCE);

	M->daemon = t_spawn(M, "sh", "exec \"$IPCFS\" -f \"$M\"");
	while (t_wait_exit(t_fork(answers, t_path(M, "README")), T_PATIENCE, NULL)) {
		cr_assert(t_left(deadline) > 0, "no new mount over the dead one");
		t_nap();
	}
}

static void names_forget(void)
{
	shm_unlink(t_format("/%s", shm_name));
	sem_unlink(t_format("/%s", post_name));
	sem_unlink(t_format("/%s", lock_name));
	for (char *text = ""; text;)
		text = queue_take(&q, NULL);
}

static void crash_once(void)
{
	tally_make();
	start_traffic();
	cr_assert_eq(access(t_path(M, "sock/x@addr"), F_OK), 0);
	usleep((useconds_t)(rand() % 20000)); /* at any moment of the traffic */
	t_mount_crash(M);
	check_clients_end();
	check_kernel_traffic_goes_on();
	check_queues(1);
	check_posts();
	mount_again();
	/* Another daemon that starts at the same time can be the one who tidies up. */
	t_await(sem_value(lock_name) == 2);
	check_shm();
	kill(mediated[0], SIGKILL);
	t_wait_exit(mediated[0], T_PATIENCE, NULL);
	cr_expect_eq(sem_value(lock_name), 2, "a permit is given back once");
	names_forget();
}

t_test(crash, kill_under_traffic_of_every_kind, .timeout = 600)
{
	const char *rounds = getenv("ROUNDS");
	long n = rounds ? strtol(rounds, NULL, 10) : ROUNDS;

	srand((unsigned)getpid());
	names_make();
	for (long i = 0; i < n; i++)
		crash_once();
}

t_test(crash, background_daemon_mounts_over_a_dead_mount)
{
	char *out;

	cr_assert_eq(stat(M->dir, &(struct stat){0}), 0); /* and have it cached */
	t_mount_crash(M);
	cr_assert_eq(t_sh(M, "sh", "\"$IPCFS\" \"$M\" </dev/null >/dev/null && cat \"$M/README\" >/dev/null", &out), 0,
		     "%s", out);
}

t_test(crash, working_directory_in_a_dead_mount_is_no_obstacle)
{
	char *out;

	pid_t inside = t_spawn(M, "sh", "cd \"$M/mq\" && exec sleep 1000");
	t_wait_blocked(inside);
	t_mount_crash(M);
	mount_again();
	kill(inside, SIGKILL);
	t_wait_exit(inside, T_PATIENCE, NULL);
	cr_assert_eq(t_sh(M, "sh", "ls \"$M/mq\" >/dev/null", &out), 0, "%s", out);
}

t_test(crash, second_daemon_on_a_living_mount_is_refused)
{
	char *out;

	cr_assert_eq(t_sh(M, "sh", "\"$IPCFS\" \"$M\"", &out), 1);
	cr_assert(strstr(out, "already"), "%s", out);
}

/* --- in good order --- */

/* Nothing is lost: whatever was taken for somebody is delivered or goes back. */
t_test(crash, sigterm_under_traffic_ends_in_order)
{
	char *dir = t_format("%s", M->dir);

	names_make();
	tally_make();
	start_traffic();
	t->unmounting = true;
	t_mount_stop(M); /* fails unless the exit status is 0 */
	snprintf(M->dir, sizeof(M->dir), "%s", dir);
	check_clients_end();
	check_kernel_traffic_goes_on();
	check_queues(0);
	check_posts();
	cr_expect_eq(sem_value(lock_name), 2, "permits held at the end: %d", sem_value(lock_name));
	kill(mediated[0], SIGKILL);
	t_wait_exit(mediated[0], T_PATIENCE, NULL);
	M->dir[0] = '\0';
}

t_test(crash, unmount_of_a_busy_mount_is_refused_and_changes_nothing)
{
	char *out;

	q = queue_make("q", 8, 16);
	int fd = open_here(t_format("mq/%s", q.name), O_RDONLY | O_NONBLOCK);
	cr_assert_neq(t_sh(M, "sh", "fusermount3 -u \"$M\"", &out), 0);
	cr_assert(strcasestr(out, "busy"), "%s", out);
	queue_send(&q, "hello", 0);
	cr_assert_eq(read(fd, (char[8]){0}, 8), 5);
	close(fd);
	t_await(t_sh(M, "sh", "fusermount3 -u \"$M\"", &out) == 0);
	cr_assert_not(t_is_mounted(M->dir));
}

/* The name goes at once; who has something open goes on until he closes it, and then the daemon ends. */
t_test(crash, lazy_unmount_lets_the_parked_finish)
{
	char *out;

	q = queue_make("q", 8, 16);
	int fd = open_here(t_format("mq/%s", q.name), O_RDONLY | O_NONBLOCK);
	pid_t parked = t_spawn(M, "sh", t_format("exec cat \"$M/mq/%s@one\"", q.name));
	queue_await_waiters(M, &q, 1);
	cr_assert_eq(t_sh(M, "sh", "fusermount3 -uz \"$M\"", &out), 0, "%s", out);
	cr_assert_not(t_is_mounted(M->dir));
	queue_send(&q, "hello", 0);
	cr_assert_eq(t_wait_exit(parked, T_PATIENCE, &out), 0);
	cr_assert_str_eq(out, "hello");
	queue_send(&q, "more", 0);
	cr_assert_eq(read(fd, (char[8]){0}, 8), 4);
	close(fd);
	int status;
	cr_assert_eq(waitpid(M->daemon, &status, 0), M->daemon);
	cr_assert_eq(status, 0);
	rmdir(M->dir);
	M->dir[0] = '\0';
}

t_test(crash, sigterm_answers_the_parked_of_a_lazy_unmount)
{
	pid_t parked;

	tally_make();
	q = queue_make("q", 8, 16);
	parked = t_fork(waiting_reader, t_format("mq/%s", q.name));
	queue_await_waiters(M, &q, 1);
	cr_assert_eq(t_sh(M, "sh", "fusermount3 -uz \"$M\"", NULL), 0);
	t_mount_stop(M);
	cr_assert_eq(t_wait_exit(parked, T_PATIENCE, NULL), 0);
}

/*
 * Unix sockets by path, from both sides by the native calls: nanoseconds.
 *
 * usage: connection bind PATH COUNT     socket, bind, unlink, close
 *        connection connect PATH COUNT  a client's socket, connect, close; the server's accept and 8 bytes
 *        connection ask PATH COUNT      64 bytes to and fro on one connection
 *        connection collect PATH COUNT  binds PATH, prints a line, and takes COUNT connections, each of which must say
 * "x\n"
 */
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "bench.h"

static struct sockaddr_un address = {.sun_family = AF_UNIX};
static uint64_t count;

static int make(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		bench_die("socket");
	return fd;
}

static int listener(void)
{
	int fd = make();

	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 128) < 0)
		bench_die("%s", address.sun_path);
	return fd;
}

static int dial(void)
{
	int fd = make();

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		bench_die("%s", address.sun_path);
	return fd;
}

static void bind_all(void)
{
	for (uint64_t i = 0; i < count; i++) {
		int fd = make();

		if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || unlink(address.sun_path) < 0)
			bench_die("%s", address.sun_path);
		close(fd);
	}
}

static void *accept_all(void *arg)
{
	int fd = *(int *)arg;

	for (uint64_t i = 0; i < count; i++) {
		int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		if (client < 0 || write(client, &i, sizeof(i)) != sizeof(i))
			bench_die("accept");
		close(client);
	}
	return NULL;
}

static void connect_all(void)
{
	for (uint64_t i = 0, got; i < count; i++) {
		int fd = dial();

		if (read(fd, &got, sizeof(got)) != sizeof(got) || got != i)
			bench_wrong("connection %llu", (unsigned long long)i);
		close(fd);
	}
}

static void *answer_all(void *arg)
{
	int fd = accept4(*(int *)arg, NULL, NULL, SOCK_CLOEXEC);
	char data[64];

	while (read(fd, data, sizeof(data)) == sizeof(data))
		if (write(fd, data, sizeof(data)) != sizeof(data))
			bench_die("write");
	close(fd);
	return NULL;
}

static void ask_all(void)
{
	uint64_t data[8] = {0};
	int fd = dial();

	for (uint64_t i = 0; i < count; i++) {
		data[0] = i;
		if (write(fd, data, sizeof(data)) != sizeof(data) || read(fd, data, sizeof(data)) != sizeof(data) ||
		    data[0] != i)
			bench_wrong("answer %llu", (unsigned long long)i);
	}
	close(fd);
}

static void collect(int fd)
{
	for (uint64_t i = 0; i < count; i++) {
		char data[3];
		int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		if (client < 0 || read(client, data, sizeof(data)) != 2 || memcmp(data, "x\n", 2) != 0 ||
		    read(client, data, sizeof(data)) != 0)
			bench_wrong("connection %llu", (unsigned long long)i);
		close(client);
	}
}

/* The server is a thread; its socket is there before it starts. */
static int64_t timed(void *(*serve)(void *), void (*use)(void))
{
	int fd = listener();
	pthread_t server;
	int64_t begin;

	errno = pthread_create(&server, NULL, serve, &fd);
	if (errno)
		bench_die("pthread_create");
	begin = bench_now();
	use();
	begin = bench_now() - begin;
	pthread_join(server, NULL);
	close(fd);
	return begin;
}

int main(int argc, char **argv)
{
	const char *mode = argc == 4 ? argv[1] : "";
	int64_t ns;

	count = argc == 4 ? (uint64_t)bench_number(argv[3]) : 0;
	if (!count || strlen(argv[2]) >= sizeof(address.sun_path)) {
		fputs("usage: connection bind|connect|ask|collect PATH COUNT\n", stderr);
		return 2;
	}
	strcpy(address.sun_path, argv[2]);
	unlink(address.sun_path);
	ns = bench_now();
	if (strcmp(mode, "bind") == 0) {
		bind_all();
		ns = bench_now() - ns;
	} else if (strcmp(mode, "connect") == 0) {
		ns = timed(accept_all, connect_all);
	} else if (strcmp(mode, "ask") == 0) {
		ns = timed(answer_all, ask_all);
	} else {
		int fd = listener();

		puts("listening");
		fflush(stdout);
		collect(fd);
		ns = bench_now() - ns;
	}
	unlink(address.sun_path);
	printf("%.1f\n", (double)ns / (double)count);
	return 0;
}

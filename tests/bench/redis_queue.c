/*
 * What a C program with hiredis makes of a queue in a Redis.
 *
 * usage: redis_queue lines COUNT SOCKET
 *
 * Lines a second, from one process to another; a thousand LPUSH, or RPOP, are under way.
 *
 * usage: redis_queue trip COUNT SOCKET
 *
 * Nanoseconds for a message of 64 bytes to another process and back: LPUSH and BRPOP.
 *
 * usage: redis_queue relayed COUNT SOCKET
 *
 * The same where each of the two processes has its LPUSH and BRPOP done by a third, as behind a daemon of its machine.
 */
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

enum { AHEAD = 1000, SIZE = 64 };

static redisContext *meet(const char *path)
{
	redisContext *c = redisConnectUnix(path);

	if (!c || c->err)
		bench_die("%s", path);
	return c;
}

static redisReply *answer(redisContext *c)
{
	void *reply;

	if (redisGetReply(c, &reply) != REDIS_OK || ((redisReply *)reply)->type == REDIS_REPLY_ERROR)
		bench_die("the Redis");
	return reply;
}

static void send_lines(const char *path, long count)
{
	redisContext *c = meet(path);

	for (long sent = 0; sent < count;) {
		long n = count - sent < AHEAD ? count - sent : AHEAD;

		for (long i = 0; i < n; i++)
			redisAppendCommand(c, "LPUSH bench-lines %ld", sent + i + 1);
		for (long i = 0; i < n; i++)
			freeReplyObject(answer(c));
		sent += n;
	}
}

static void take_lines(const char *path, long count)
{
	redisContext *c = meet(path);

	for (long got = 0; got < count;) {
		for (long i = 0; i < AHEAD; i++)
			redisAppendCommand(c, "RPOP bench-lines");
		for (long i = 0; i < AHEAD; i++) {
			redisReply *r = answer(c);

			if (r->type == REDIS_REPLY_STRING && strtol(r->str, NULL, 10) != ++got)
				bench_wrong("line %ld", got);
			freeReplyObject(r);
		}
	}
}

/* Both sides of what the others call a message's way: the Redis itself, or the socket of a relay. */
struct side {
	redisContext *redis;
	int relay;
};

static const char to_send = 's', to_take = 't';

static void take_all(int fd, char *data, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = read(fd, data + done, size - done);

		if (n < 0)
			bench_die("read");
		if (n == 0)
			_exit(0);
		done += (size_t)n;
	}
}

static void give(int fd, const void *data, size_t size)
{
	if (write(fd, data, size) != (ssize_t)size)
		bench_die("write");
}

static void side_send(struct side side, const char *to, const char message[static SIZE])
{
	char request[1 + SIZE] = {to_send}, done;

	if (side.redis) {
		freeReplyObject(redisCommand(side.redis, "LPUSH %s %b", to, message, (size_t)SIZE));
		return;
	}
	memcpy(request + 1, message, SIZE);
	give(side.relay, request, sizeof(request));
	take_all(side.relay, &done, 1);
}

static void side_take(struct side side, const char *from, char message[static SIZE])
{
	redisReply *r;

	if (!side.redis) {
		give(side.relay, &to_take, 1);
		take_all(side.relay, message, SIZE);
		return;
	}
	r = redisCommand(side.redis, "BRPOP %s 0", from);
	if (!r || r->type != REDIS_REPLY_ARRAY || r->element[1]->len != SIZE)
		bench_wrong("a message of %d bytes", SIZE);
	memcpy(message, r->element[1]->str, SIZE);
	freeReplyObject(r);
}

static void relay(int client, const char *path, const char *from, const char *to)
{
	struct side redis = {.redis = meet(path)};
	char request, message[SIZE];

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* it may be waiting for a message */
	for (;;) {
		take_all(client, &request, 1);
		if (request == to_send) {
			take_all(client, message, SIZE);
			side_send(redis, to, message);
			give(client, &to_send, 1);
		} else {
			side_take(redis, from, message);
			give(client, message, SIZE);
		}
	}
}

static struct side side_open(const char *path, bool relayed, const char *from, const char *to)
{
	int pair[2];
	pid_t pid;

	if (!relayed)
		return (struct side){.redis = meet(path)};
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || (pid = fork()) < 0)
		bench_die("a relay");
	if (pid == 0) {
		close(pair[0]);
		relay(pair[1], path, from, to);
	}
	close(pair[1]);
	return (struct side){.relay = pair[0]};
}

static void echo(const char *path, bool relayed)
{
	struct side side = side_open(path, relayed, "bench-there", "bench-back");
	char message[SIZE];

	for (;;) {
		side_take(side, "bench-there", message);
		side_send(side, "bench-back", message);
	}
}

static void trip(struct side side)
{
	char message[SIZE] = "";

	side_send(side, "bench-there", message);
	side_take(side, "bench-back", message);
}

static void time_trips(const char *path, bool relayed, long count)
{
	struct side side = side_open(path, relayed, "bench-back", "bench-there");
	int64_t begin;

	for (int i = 0; i < 10; i++)
		trip(side);
	begin = bench_now();
	for (long i = 0; i < count; i++)
		trip(side);
	printf("%.1f\n", (double)(bench_now() - begin) / (double)count);
	fflush(stdout);
}

static void time_lines(const char *path, long count)
{
	int64_t begin = bench_now();

	take_lines(path, count);
	printf("%.0f\n", (double)count * 1e9 / (double)(bench_now() - begin));
}

int main(int argc, char **argv)
{
	long count = argc == 4 ? bench_number(argv[2]) : 0;
	bool lines = count && strcmp(argv[1], "lines") == 0;
	bool relayed = count && strcmp(argv[1], "relayed") == 0;
	pid_t pid;

	if (!count) {
		fputs("usage: redis_queue lines|trip|relayed COUNT SOCKET\n", stderr);
		return 2;
	}
	pid = fork();
	if (pid < 0)
		bench_die("fork");
	if (pid == 0) {
		if (lines)
			send_lines(argv[3], count);
		else
			echo(argv[3], relayed);
		_exit(0);
	}
	if (lines) {
		time_lines(argv[3], count);
	} else {
		time_trips(argv[3], relayed, count);
		kill(pid, SIGKILL);
	}
	waitpid(pid, NULL, 0);
	return 0;
}

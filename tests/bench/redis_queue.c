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
 */
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>

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

static void pass(redisContext *c, const char *from, const char *to)
{
	static const char message[SIZE];

	if (to)
		freeReplyObject(redisCommand(c, "LPUSH %s %b", to, message, (size_t)SIZE));
	if (from) {
		redisReply *r = redisCommand(c, "BRPOP %s 0", from);

		if (!r || r->type != REDIS_REPLY_ARRAY || r->element[1]->len != SIZE)
			bench_wrong("a message of %d bytes", SIZE);
		freeReplyObject(r);
	}
}

static void echo(const char *path)
{
	redisContext *c = meet(path);

	for (;;) {
		pass(c, "bench-there", NULL);
		pass(c, NULL, "bench-back");
	}
}

int main(int argc, char **argv)
{
	long count = argc == 4 ? bench_number(argv[2]) : 0;
	bool lines = count && strcmp(argv[1], "lines") == 0;
	redisContext *c;
	int64_t begin;
	pid_t pid;

	if (!count) {
		fputs("usage: redis_queue lines|trip COUNT SOCKET\n", stderr);
		return 2;
	}
	begin = bench_now();
	pid = fork();
	if (pid < 0)
		bench_die("fork");
	if (pid == 0) {
		if (lines)
			send_lines(argv[3], count);
		else
			echo(argv[3]);
		_exit(0);
	}
	if (lines) {
		take_lines(argv[3], count);
		printf("%.0f\n", (double)count * 1e9 / (double)(bench_now() - begin));
	} else {
		c = meet(argv[3]);
		for (int i = 0; i < 10; i++)
			pass(c, "bench-back", "bench-there");
		begin = bench_now();
		for (long i = 0; i < count; i++)
			pass(c, "bench-back", "bench-there");
		printf("%.1f\n", (double)(bench_now() - begin) / (double)count);
		fflush(stdout);
		kill(pid, SIGKILL);
	}
	waitpid(pid, NULL, 0);
	return 0;
}

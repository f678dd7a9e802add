/*
 * What the benchmark programs share. Each of them takes one sample and prints one number; run.py repeats them in turn
 * and compares. A program that finds wrong data says so and fails: a fast path that loses bytes is no result.
 */
#ifndef BENCH_H
#define BENCH_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static inline int64_t bench_now(void) /* nanoseconds, CLOCK_MONOTONIC */
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

__attribute__((noreturn, format(printf, 1, 2))) static inline void bench_die(const char *format, ...)
{
	int err = errno;
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(err));
	_exit(1);
}

/* Data that is not what was sent. Status 3 is this and nothing else: run.py fails on it. */
__attribute__((noreturn, format(printf, 1, 2))) static inline void bench_wrong(const char *format, ...)
{
	va_list args;

	fputs("wrong data: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	_exit(3);
}

static inline int bench_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		bench_die("%s", path);
	return fd;
}

static inline long bench_number(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end == text || *end || n < 0) {
		errno = EINVAL;
		bench_die("%s", text);
	}
	return n;
}

#endif

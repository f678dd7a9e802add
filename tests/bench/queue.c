/*
 * A message queue by the native calls: what the mount is compared with, and housekeeping.
 *
 * usage: queue make QUEUE MAXMSG MSGSIZE   prints the MAXMSG that it got: as many as the limits allow
 *        queue remove QUEUE...             those that exist
 *        queue drain QUEUE                 prints how many messages there were
 *        queue send QUEUE < FILE           each line a message
 *        queue receive QUEUE COUNT > FILE  each message a line
 */
#include <mqueue.h>

#include "bench.h"

static int queue_make(const char *name, long maxmsg, long msgsize)
{
	struct mq_attr attr = {.mq_maxmsg = maxmsg, .mq_msgsize = msgsize};

	while (mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr) < 0) {
		if (attr.mq_maxmsg <= 10)
			bench_die("%s", name);
		attr.mq_maxmsg = attr.mq_maxmsg / 2 < 10 ? 10 : attr.mq_maxmsg / 2;
	}
	printf("%ld\n", attr.mq_maxmsg);
	return 0;
}

static int queue_remove(char **names)
{
	for (; *names; names++)
		if (mq_unlink(*names) < 0 && errno != ENOENT)
			bench_die("%s", *names);
	return 0;
}

static mqd_t queue_open(const char *name, int flags, struct mq_attr *attr)
{
	mqd_t mq = mq_open(name, flags);

	if (mq < 0 || mq_getattr(mq, attr) < 0)
		bench_die("%s", name);
	return mq;
}

static int queue_drain(const char *name)
{
	struct mq_attr attr;
	mqd_t mq = queue_open(name, O_RDONLY | O_NONBLOCK, &attr);
	char *buf = malloc((size_t)attr.mq_msgsize);
	long n = 0;

	while (buf && mq_receive(mq, buf, (size_t)attr.mq_msgsize, NULL) >= 0)
		n++;
	free(buf);
	printf("%ld\n", n);
	return 0;
}

static int queue_send(const char *name)
{
	struct mq_attr attr;
	mqd_t mq = queue_open(name, O_WRONLY, &attr);
	char *line = NULL;
	size_t size = 0;
	ssize_t n;

	while ((n = getline(&line, &size, stdin)) > 0)
		if (mq_send(mq, line, (size_t)n - (line[n - 1] == '\n'), 0) < 0)
			bench_die("%s: mq_send", name);
	free(line);
	return 0;
}

static int queue_receive(const char *name, long count)
{
	struct mq_attr attr;
	mqd_t mq = queue_open(name, O_RDONLY, &attr);
	char *buf = malloc((size_t)attr.mq_msgsize + 1);

	while (buf && count-- > 0) {
		ssize_t n = mq_receive(mq, buf, (size_t)attr.mq_msgsize, NULL);

		if (n < 0)
			bench_die("%s: mq_receive", name);
		buf[n++] = '\n';
		fwrite(buf, 1, (size_t)n, stdout);
	}
	free(buf);
	return fflush(stdout) != 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";

	if (strcmp(verb, "make") == 0 && argc == 5)
		return queue_make(argv[2], bench_number(argv[3]), bench_number(argv[4]));
	if (strcmp(verb, "remove") == 0)
		return queue_remove(argv + 2);
	if (strcmp(verb, "drain") == 0)
		return queue_drain(argv[2]);
	if (strcmp(verb, "send") == 0)
		return queue_send(argv[2]);
	if (strcmp(verb, "receive") == 0 && argc == 4)
		return queue_receive(argv[2], bench_number(argv[3]));
	fputs("usage: queue make|remove|drain|send|receive QUEUE ...\n", stderr);
	return 2;
}

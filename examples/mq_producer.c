/*
 * A producer of jobs: sends the numbers from 1 to COUNT to an existing queue by mq_send(3), and waits where it is full.
 * Run: build/examples/mq_producer NAME COUNT; native_producer.sh runs it with workers that are shell scripts.
 * It knows nothing of the mount.
 */
#include <err.h>
#include <fcntl.h>
#include <limits.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	char name[NAME_MAX], job[32], *end;
	mqd_t queue;
	long count;

	if (argc != 3)
		errx(2, "usage: mq_producer NAME COUNT");
	count = strtol(argv[2], &end, 10);
	if (*end || count < 1)
		errx(2, "%s: not a number of jobs", argv[2]);
	if (snprintf(name, sizeof(name), "/%s", argv[1]) >= NAME_MAX)
		errx(1, "the name is too long");
	queue = mq_open(name, O_WRONLY);
	if (queue == (mqd_t)-1)
		err(1, "mq_open %s", name);
	for (long i = 1; i <= count; i++)
		if (mq_send(queue, job, (size_t)snprintf(job, sizeof(job), "%ld", i), 0) < 0)
			err(1, "mq_send %s", job);
	if (mq_close(queue) < 0)
		err(1, "mq_close %s", name);
	return 0;
}

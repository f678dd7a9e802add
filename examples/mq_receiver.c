/*
 * Message queues, the file side: prints COUNT messages, each of which is one read of M/mq/NAME, and removes the queue.
 * Run: build/examples/mq_receiver M COUNT [NAME], before or after mq_sender NAME TEXT...
 * It makes no call that a regular file would not take; poll(2) tells it when a message is there.
 */
#include <err.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void receive(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char message[8192];
	ssize_t n;

	if (poll(&p, 1, -1) < 0)
		err(1, "poll");
	n = read(fd, message, sizeof(message));
	if (n < 0)
		err(1, "read");
	printf("%.*s\n", (int)n, message);
}

int main(int argc, char **argv)
{
	char path[PATH_MAX], *end;
	long count;
	int fd;

	if (argc < 3)
		errx(2, "usage: mq_receiver MOUNT COUNT [NAME]");
	count = strtol(argv[2], &end, 10);
	if (*end || count < 1)
		errx(2, "%s: not a number of messages", argv[2]);
	if (snprintf(path, sizeof(path), "%s/mq/%s", argv[1], argc > 3 ? argv[3] : "demo-mq") >= PATH_MAX)
		errx(1, "%s: path too long", argv[1]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	fd = open(path, O_RDONLY | O_CREAT, 0600);
	if (fd < 0)
		err(1, "%s", path);
	while (count-- > 0)
		receive(fd);
	if (close(fd) < 0 || unlink(path) < 0)
		err(1, "%s", path);
	return 0;
}

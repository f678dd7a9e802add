/*
 * Message queues, the native side: sends each TEXT as one message by mq_send(3), with the priority in front of it or 0.
 * Run: build/examples/mq_sender NAME [PRIORITY:]TEXT..., before or while mq_receiver M COUNT NAME runs.
 * It knows nothing of the mount.
 */
#include <err.h>
#include <fcntl.h>
#include <limits.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void send_text(mqd_t queue, const char *text)
{
	char *end;
	unsigned long prio = strtoul(text, &end, 10);

	if (end == text || *end != ':')
		prio = 0;
	else
		text = end + 1;
	if (mq_send(queue, text, strlen(text), (unsigned)prio) < 0)
		err(1, "mq_send %s", text);
}

int main(int argc, char **argv)
{
	char name[NAME_MAX];
	mqd_t queue;

	if (argc < 3)
		errx(2, "usage: mq_sender NAME [PRIORITY:]TEXT...");
	if (snprintf(name, sizeof(name), "/%s", argv[1]) >= NAME_MAX)
		errx(1, "the name is too long");
	queue = mq_open(name, O_WRONLY | O_CREAT, 0600, NULL);
	if (queue == (mqd_t)-1)
		err(1, "mq_open %s", name);
	for (int i = 2; i < argc; i++)
		send_text(queue, argv[i]);
	if (mq_close(queue) < 0)
		err(1, "mq_close %s", name);
	return 0;
}

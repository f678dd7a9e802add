#include "queue.h"

#include <errno.h>
#include <string.h>

#include "core/instance.h"
#include "core/option.h"

static int number_check(const struct ipc_options *options, const char *value, char *why, size_t size)
{
	(void)options;
	return ipc_option_check_number(value, 1, INT32_MAX, why, size);
}

static int framing_check(const struct ipc_options *options, const char *value, char *why, size_t size)
{
	(void)options;
	if (strcmp(value, "lines") == 0 || strcmp(value, "message") == 0)
		return 0;
	snprintf(why, size, "it is message or lines");
	return -EINVAL;
}

const struct ipc_option ipc_queue_maxmsg = {
	.name = "mq_maxmsg",
	.value = "N",
	.help = "messages that a new queue holds, unless @maxmsg says otherwise",
	.words = "10",
	.check = number_check,
};
const struct ipc_option ipc_queue_msgsize = {
	.name = "mq_msgsize",
	.value = "BYTES",
	.help = "longest message of a new queue, unless @msgsize says otherwise",
	.words = "8K",
	.check = number_check,
};
const struct ipc_option ipc_queue_framing = {
	.name = "mq_framing",
	.value = "message",
	.help = "a write is a message (the default); lines: a line is one",
	.words = "message lines",
	.check = framing_check,
};

const struct ipc_option *const ipc_queue_options[] = {&ipc_queue_maxmsg, &ipc_queue_msgsize, &ipc_queue_framing, NULL};

bool ipc_queue_framed(const struct ipc *ipc)
{
	const char *framing = ipc_option_text(&ipc->opt, &ipc_queue_framing);

	return framing && strcmp(framing, "lines") == 0;
}

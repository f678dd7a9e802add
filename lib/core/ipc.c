/* The instance: what all channels of one mount share. */
#include "ipc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/place.h"
#include "chan.h"
#include "handle.h"
#include "instance.h"
#include "kind.h"
#include "quota.h"
#include "refusal.h"

enum { HELPERS_MAX = 64, SCRATCH_MIN = 1 << 20 };

static const struct ipc_kind *const kinds[] = {&ipc_pipe,  &ipc_shm, &ipc_mq,  &ipc_sock, &ipc_sem,
					       &ipc_bcast, &ipc_sig, &ipc_net, NULL};

const struct ipc_kind *ipc_kind_at(unsigned i)
{
	return i < sizeof(kinds) / sizeof(kinds[0]) ? kinds[i] : NULL;
}

unsigned ipc_kind_index(const struct ipc_kind *kind)
{
	unsigned i = 0;

	while (kinds[i] && kinds[i] != kind)
		i++;
	return i;
}

const char *ipc_kind_name(const struct ipc_kind *kind)
{
	return kind->name;
}

bool ipc_kind_shown(const struct ipc *ipc, const struct ipc_kind *kind)
{
	return !kind->hidden || !kind->hidden(ipc);
}

const char *ipc_kinds_text(const struct ipc *ipc, char text[static IPC_KINDS_TEXT])
{
	size_t len = 0;

	text[0] = '\0';
	for (unsigned i = 0; kinds[i]; i++)
		if ((!ipc || ipc_kind_shown(ipc, kinds[i])) && len < IPC_KINDS_TEXT)
			len += (size_t)snprintf(text + len, IPC_KINDS_TEXT - len, "%s%s", len ? ", " : "",
						kinds[i]->name);
	return text;
}

static bool copy_string(const char **to)
{
	if (!*to)
		return true;
	*to = strdup(*to);
	return *to != NULL;
}

struct ipc *ipc_new(struct ipc_loop *loop, const struct ipc_options *options)
{
	struct ipc *ipc = calloc(1, sizeof(*ipc));
	bool copied;

	if (!ipc)
		return NULL;
	ipc_place_learn();
	ipc->loop = loop;
	ipc->uid = getuid();
	ipc_list_init(&ipc->handles);
	ipc->opt = *options;
	copied = copy_string(&ipc->opt.prefix);
	copied = copy_string(&ipc->opt.mountpoint) && copied;
	ipc->refusals = ipc_refusals_new();
	ipc->pool = ipc_pool_new(loop, HELPERS_MAX);
	if (!copied || !ipc->refusals || !ipc->pool)
		goto fail;
	for (unsigned i = 0; kinds[i]; i++) {
		int r = kinds[i]->start ? kinds[i]->start(ipc) : 0;

		if (r < 0) {
			errno = -r;
			goto fail;
		}
	}
	return ipc;
fail:
	ipc_free(ipc);
	return NULL;
}

void ipc_shut_down(struct ipc *ipc)
{
	struct ipc_list *pos, *next;

	ipc->down = true;
	ipc_list_each(pos, next, &ipc->handles)
		ipc_handle_cancel(ipc_container(pos, struct ipc_handle, all_link), -ENOTCONN);
}

void ipc_free(struct ipc *ipc)
{
	int err = errno;

	if (!ipc)
		return;
	ipc_shut_down(ipc);
	ipc_pool_free(ipc->pool);
	while (ipc->chans)
		ipc_chan_forget(*(struct ipc_chan **)ipc->chans);
	for (unsigned i = 0; kinds[i]; i++)
		if (kinds[i]->stop)
			kinds[i]->stop(ipc);
	ipc_refusals_free(ipc->refusals);
	ipc_quota_fini(ipc);
	free((char *)ipc->opt.prefix);
	free((char *)ipc->opt.mountpoint);
	free(ipc->scratch);
	free(ipc);
	errno = err;
}

char *ipc_scratch(struct ipc *ipc, size_t n)
{
	if (n < SCRATCH_MIN)
		n = SCRATCH_MIN;
	if (n > ipc->scratch_size) {
		free(ipc->scratch);
		ipc->scratch = malloc(n);
		ipc->scratch_size = ipc->scratch ? n : 0;
	}
	return ipc->scratch;
}

/* The instance: what all channels of one mount share. */
#include "ipc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/place.h"
#include "chan.h"
#include "counts.h"
#include "handle.h"
#include "instance.h"
#include "kind.h"
#include "op.h"
#include "option.h"
#include "quota.h"
#include "refusal.h"
#include "rundir.h"
#include "status_again.h"

enum { HELPERS_MAX = 64 };

static bool copy_string(const char **to)
{
	if (!*to)
		return true;
	*to = strdup(*to);
	return *to != NULL;
}

/* The options that are strings. */
enum { STRINGS = 3 };

static const char **option_string(struct ipc_options *opt, unsigned i)
{
	const char **const strings[STRINGS] = {&opt->prefix, &opt->mountpoint, &opt->redis};

	return strings[i];
}

/* What a crash left in that runtime directory goes back to where it came from. False: somebody must come again. */
static bool recover(void *arg, int dir)
{
	struct ipc *ipc = arg;
	bool done = true;

	for (unsigned i = 0; ipc->kinds[i]; i++)
		done &= !ipc->kinds[i]->recover || ipc->kinds[i]->recover(ipc, dir);
	return done;
}

static int instance_start(struct ipc *ipc, const struct ipc_options *options)
{
	bool copied = true;

	ipc->opt = *options;
	for (unsigned i = 0; i < STRINGS; i++)
		copied = copy_string(option_string(&ipc->opt, i)) && copied;
	ipc->opt.of_kinds = ipc_options_copy(options->of_kinds);
	ipc->refusals = ipc_refusals_new();
	if (!copied || !ipc->opt.of_kinds || !ipc->refusals)
		return -ENOMEM;
	ipc->pool = ipc_pool_new(ipc->loop, HELPERS_MAX);
	if (!ipc->pool)
		return -errno;
	ipc->walkers = ipc_pool_new_apart(ipc->loop, HELPERS_MAX, -1);
	if (!ipc->walkers)
		return -errno;
	ipc->lookers = ipc_pool_new_apart(ipc->loop, HELPERS_MAX, -1);
	if (!ipc->lookers)
		return -errno;
	ipc->rundir = ipc_rundir_new(ipc->opt.mountpoint, ipc->opt.shared);
	if (!ipc->rundir)
		return -ENOMEM;
	ipc->book = ipc_book_new(ipc);
	if (!ipc->book)
		return -ENOMEM;
	for (unsigned i = 0; ipc->kinds[i]; i++) {
		int r = i < IPC_KINDS_MAX ? 0 : -E2BIG;

		if (r == 0 && ipc->kinds[i]->start)
			r = ipc->kinds[i]->start(ipc);
		if (r < 0)
			return r;
	}
	ipc_book_recover(ipc);
	ipc_rundir_recover(ipc->rundir, recover, ipc);
	return 0;
}

struct ipc *ipc_new(struct ipc_loop *loop, const struct ipc_options *options, const struct ipc_kind *const *kinds)
{
	struct ipc *ipc = calloc(1, sizeof(*ipc));
	uint64_t secret;
	int r;

	if (!ipc)
		return NULL;
	if (getrandom(&secret, sizeof(secret), 0) != sizeof(secret))
		secret = (uint64_t)ipc_now();
	snprintf(ipc->hidden, sizeof(ipc->hidden), ".addr-%016llx", (unsigned long long)secret);
	ipc_place_learn();
	ipc->loop = loop;
	ipc->kinds = kinds;
	ipc->run = ipc_waitq_run;
	ipc->finish = ipc_op_finish;
	ipc->uid = getuid();
	ipc_list_init(&ipc->handles);
	ipc_list_init(&ipc->unopened);
	ipc_list_init(&ipc->bindings);
	ipc_list_init(&ipc->walking);
	ipc_list_init(&ipc->looking);
	for (unsigned i = 0; i <= IPC_KINDS_MAX; i++)
		ipc_tree_init(&ipc->chans[i]);
	r = instance_start(ipc, options);
	if (r == 0)
		return ipc;
	ipc_free(ipc);
	errno = -r;
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
	ipc_pool_free(ipc->lookers);
	ipc_pool_free(ipc->walkers);
	ipc_pool_free(ipc->pool);
	for (unsigned i = 0; i <= IPC_KINDS_MAX; i++)
		while (ipc->chans[i].root)
			ipc_chan_forget(ipc_chan_name_of(ipc->chans[i].root)->chan);
	ipc_book_sweep(ipc);
	for (unsigned i = 0; i < IPC_KINDS_MAX && ipc->kinds[i]; i++)
		if (ipc->kinds[i]->stop)
			ipc->kinds[i]->stop(ipc);
	ipc_again_free(ipc);
	ipc_book_free(ipc->book);
	ipc_rundir_free(ipc->rundir);
	ipc_refusals_free(ipc->refusals);
	ipc_quota_fini(ipc);
	for (unsigned i = 0; i < STRINGS; i++)
		free((char *)*option_string(&ipc->opt, i));
	ipc_options_copy_free(ipc->opt.of_kinds);
	free(ipc->scratch);
	free(ipc);
	errno = err;
}

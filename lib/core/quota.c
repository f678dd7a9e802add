/* What each user has: quota.h. */
#include "quota.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "handle.h"
#include "instance.h"

struct user {
	uid_t uid;
	size_t used[IPC_QUOTA_COUNT];
};

static const struct {
	const char *name, *option;
	int err;
} resources[IPC_QUOTA_COUNT] = {
	[IPC_QUOTA_HANDLES] = {"open channels", "max_handles", EMFILE},
	[IPC_QUOTA_PARKED] = {"waiting operations", "max_parked", EDQUOT},
	[IPC_QUOTA_CHANNELS] = {"channels", "max_channels", EDQUOT},
	[IPC_QUOTA_BYTES] = {"buffered bytes", "max_bytes", EDQUOT},
};

static int user_compare(const void *a, const void *b)
{
	const struct user *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

/* The last one asked for is most often the next one, too. */
static struct user *user_find(struct ipc *ipc, uid_t uid)
{
	struct user key = {.uid = uid}, **found;

	if (ipc->last_user && ((struct user *)ipc->last_user)->uid == uid)
		return ipc->last_user;
	found = tfind(&key, &ipc->users, user_compare);
	if (found)
		ipc->last_user = *found;
	return found ? *found : NULL;
}

static struct user *user_new(struct ipc *ipc, uid_t uid)
{
	struct user *user = calloc(1, sizeof(*user));

	if (!user)
		return NULL;
	user->uid = uid;
	if (!tsearch(user, &ipc->users, user_compare)) {
		free(user);
		return NULL;
	}
	ipc->last_user = user;
	return user;
}

static bool user_has_room(const struct ipc *ipc, const struct user *user, enum ipc_quota what, size_t n)
{
	size_t limit = ipc->opt.quota[what], used = user ? user->used[what] : 0;

	return !limit || (n <= limit && used <= limit - n);
}

bool ipc_quota_has_room(struct ipc *ipc, uid_t uid, enum ipc_quota what, size_t n)
{
	return user_has_room(ipc, user_find(ipc, uid), what, n);
}

int ipc_quota_charge(struct ipc *ipc, uid_t uid, enum ipc_quota what, size_t n)
{
	struct user *user = user_find(ipc, uid);

	if (!user)
		user = user_new(ipc, uid);
	if (!user)
		return -ENOMEM;
	if (!user_has_room(ipc, user, what, n))
		return -resources[what].err;
	user->used[what] += n;
	return 0;
}

int ipc_quota_refuse(struct ipc *ipc, const struct ipc_cred *cred, enum ipc_quota what, size_t n, const char *path)
{
	const struct user *user = user_find(ipc, cred->uid);

	if (!user)
		return -ENOMEM; /* there was no room even for the account */
	return ipc_refuse(ipc, cred, resources[what].err, path,
			  "user %u has %zu %s, and %zu more would exceed the limit of %zu (mount option %s=N)",
			  (unsigned)cred->uid, user->used[what], resources[what].name, n, ipc->opt.quota[what],
			  resources[what].option);
}

const char *ipc_quota_name(enum ipc_quota what)
{
	return resources[what].option + strlen("max_");
}

size_t ipc_quota_used(struct ipc *ipc, uid_t uid, enum ipc_quota what)
{
	const struct user *user = user_find(ipc, uid);

	return user ? user->used[what] : 0;
}

void ipc_quota_give(struct ipc *ipc, uid_t uid, enum ipc_quota what, size_t n)
{
	struct user *user = user_find(ipc, uid);

	if (!user)
		return;
	user->used[what] -= n;
	/* Our own user stays: he is the one who comes again and again. */
	if (uid == ipc->uid)
		return;
	for (unsigned i = 0; i < IPC_QUOTA_COUNT; i++)
		if (user->used[i])
			return;
	tdelete(user, &ipc->users, user_compare);
	ipc->last_user = NULL;
	free(user);
}

int ipc_charge(struct ipc *ipc, const struct ipc_cred *cred, size_t n, const char *path)
{
	return ipc_quota_take(ipc, cred, IPC_QUOTA_BYTES, n, path);
}

void ipc_uncharge(struct ipc *ipc, uid_t uid, size_t n)
{
	ipc_quota_give(ipc, uid, IPC_QUOTA_BYTES, n);
}

void ipc_quota_fini(struct ipc *ipc)
{
	tdestroy(ipc->users, free);
}

int ipc_quota_grow(struct ipc_handle *h, char **buf, size_t *size, size_t need)
{
	size_t grown = *size ? *size : 128;
	char *moved;
	int r;

	if (need <= *size)
		return 0;
	while (grown < need)
		grown *= 2;
	r = ipc_quota_take(h->ipc, &h->cred, IPC_QUOTA_BYTES, grown - *size, ipc_handle_path(h).text);
	if (r < 0)
		return r;
	moved = realloc(*buf, grown);
	if (!moved) {
		ipc_quota_give(h->ipc, h->cred.uid, IPC_QUOTA_BYTES, grown - *size);
		return -ENOMEM;
	}
	*buf = moved;
	*size = grown;
	return 0;
}

/* ls: the names of a kind, also where they are found out by a helper's thread. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "chan.h"
#include "cred.h"
#include "instance.h"
#include "kind.h"
#include "ref.h"

bool ipc_kind_name_of(struct ipc *ipc, const struct ipc_kind *kind, const char *file, char *name, size_t size)
{
	const char *base = kind->names->name_of ? kind->names->name_of(file) : file;
	struct stat st;

	base = base ? ipc_unprefixed(ipc, base) : NULL;
	/* What has gone again was an object for all we know. */
	if (!base || (fstatat(ipc_kind_dir(ipc, kind), file, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode)))
		return false;
	ipc_name_show(ipc, kind, base, name, size);
	return true;
}

int ipc_each_name(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_kind *kind,
		  void (*emit)(void *arg, const char *name, mode_t type), void *arg)
{
	return kind->names->each_name ? kind->names->each_name(ipc, cred, emit, arg)
				      : ipc_named_each_name(ipc, kind, emit, arg);
}

/* In bytes; tmpfs counts 20 for each name. */
enum { LONG_DIRECTORY = 10000 };

struct dir_lister {
	struct ipc *ipc;
	const struct ipc_kind *kind;
	const char *dir;
	size_t dir_len;
	void (*emit)(void *, const char *, mode_t);
	void *arg;
	char last[IPC_NAME_MAX + 1];
};

/* The next part of a name below the directory; once, as the names that share it come one after another. */
static void dir_emit(void *arg, const char *name, mode_t type)
{
	struct dir_lister *lister = arg;
	char shown[2 * IPC_NAME_MAX + 1];
	size_t len;

	if (lister->dir_len) {
		if (strncmp(name, lister->dir, lister->dir_len) != 0 || name[lister->dir_len] != '/')
			return;
		name += lister->dir_len + 1;
	}
	len = strcspn(name, "/");
	if (!len || (strncmp(lister->last, name, len) == 0 && !lister->last[len]))
		return;
	snprintf(lister->last, sizeof(lister->last), "%.*s", (int)len, name);
	if (name[len] || lister->dir_len || !strchr(name, '@')) {
		lister->emit(lister->arg, lister->last, name[len] ? S_IFDIR : type);
		return;
	}
	ipc_name_show(lister->ipc, lister->kind, name, shown, sizeof(shown));
	lister->emit(lister->arg, shown, type);
}

int ipc_each_name_in(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_kind *kind, const char *dir,
		     void (*emit)(void *arg, const char *name, mode_t type), void *arg)
{
	struct dir_lister lister = {
		.ipc = ipc, .kind = kind, .dir = dir, .dir_len = strlen(dir), .emit = emit, .arg = arg};

	return ipc_each_name(ipc, cred, kind, dir_emit, &lister);
}

bool ipc_listing_waits(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_kind *kind)
{
	struct stat st;

	if (!kind->names->find)
		return false;
	/* A directory that others fill at will; a short one is read sooner than a helper wakes up. */
	if (kind->names->dir)
		return fstat(kind->names->dir(ipc), &st) == 0 && st.st_size > LONG_DIRECTORY;
	return ipc->uid == 0 && !ipc_cred_is_us(cred);
}

static void listing_work(struct ipc_job *job)
{
	struct ipc_listing *l = ipc_container(job, struct ipc_listing, job);

	l->result = l->kind->names->find(l);
}

static void listing_done(struct ipc_job *job)
{
	struct ipc_listing *l = ipc_container(job, struct ipc_listing, job);

	l->done(l);
}

int ipc_listing_begin(struct ipc *ipc, struct ipc_listing *l)
{
	l->ipc = ipc;
	l->names = NULL;
	l->result = -EINTR; /* should it be cancelled before it begins */
	return ipc_pool_submit(ipc->pool, &l->job, listing_work, listing_done);
}

int ipc_listing_emit(struct ipc_listing *l, void (*emit)(void *arg, const char *name, mode_t type), void *arg)
{
	struct dir_lister lister = {.ipc = l->ipc, .kind = l->kind, .dir = "", .emit = emit, .arg = arg};

	l->kind->names->give(l, l->result == 0 && emit ? dir_emit : NULL, &lister);
	return l->result;
}

/* ls: the names of a kind, a few at a time. */
#include "listing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/directory.h"
#include "base/place.h"
#include "cred.h"
#include "instance.h"
#include "kind.h"
#include "path.h"

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

/* Names that one step looks at; and listings that have a directory open at the same time. */
enum { STEP = 64, STEP_LIVE = 16, DIRECTORIES_MAX = 64 };
/* How long a listing waits for helpers that are all busy, before it asks for one again. */
#define HELPERS_BUSY INT64_C(10000000)

/* The next part of a name below the directory; once, as the names that share it come one after another. */
void ipc_listing_tell(struct ipc_listing *l, const char *name, mode_t type)
{
	char shown[2 * IPC_NAME_MAX + 1];
	size_t len;

	if (l->whole) {
		l->emit(l->emit_arg, name, type);
		return;
	}
	if (strncmp(name, l->dir, l->dir_len) != 0)
		return;
	name += l->dir_len;
	len = strcspn(name, "/");
	if (!len || (strncmp(l->told, name, len) == 0 && !l->told[len]))
		return;
	snprintf(l->told, sizeof(l->told), "%.*s", (int)len, name);
	if (name[len] || l->dir_len || !strchr(name, '@')) {
		l->emit(l->emit_arg, l->told, name[len] ? S_IFDIR : type);
		return;
	}
	ipc_name_show(l->ipc, l->kind, name, shown, sizeof(shown));
	l->emit(l->emit_arg, shown, type);
}

struct table_step {
	struct ipc_listing *l;
	bool (*shown)(const struct ipc_chan *);
	unsigned left;
	bool past; /* behind the last name of the directory */
};

static bool table_one(void *arg, struct ipc_tree_node *node)
{
	const struct ipc_chan *chan = ipc_chan_name_of(node)->chan;
	struct table_step *step = arg;
	struct ipc_listing *l = step->l;

	step->past = strncmp(node->name, l->dir, l->dir_len) != 0;
	if (step->past)
		return false;
	snprintf(l->at, sizeof(l->at), "%s", node->name);
	if (!step->shown || step->shown(chan))
		ipc_listing_tell(l, node->name, chan->st.st_mode & S_IFMT);
	return --step->left > 0;
}

int ipc_listing_table(struct ipc_listing *l, bool (*shown)(const struct ipc_chan *))
{
	const struct ipc_tree *tree = &l->ipc->chans[ipc_kind_index(l->ipc, l->kind)];
	struct table_step step = {.l = l, .shown = shown, .left = STEP};

	if (!l->begun)
		strcpy(l->at, l->dir);
	return !ipc_tree_walk(tree, l->at[0] ? l->at : NULL, table_one, &step) && !step.past;
}

int ipc_listing_live(struct ipc_listing *l)
{
	const struct ipc_tree *tree = &l->ipc->chans[ipc_kind_index(l->ipc, l->kind)];
	struct ipc_tree_node *node = NULL;
	struct stat st;

	for (unsigned i = 0; i < STEP_LIVE && (node = ipc_tree_next(tree, l->at[0] ? l->at : NULL)); i++) {
		struct ipc_ref ref = ipc_ref_of(l->kind, node->name);
		int r = l->kind->names->stat(l->ipc, &ref, &st);

		strcpy(l->at, node->name);
		if (r == 0)
			ipc_listing_tell(l, l->at, st.st_mode & S_IFMT);
		else if (r == -ENOENT)
			ipc_chan_forget(ipc_chan_name_of(node)->chan);
		else
			l->found = r; /* it may well be there */
	}
	return node ? 1 : l->found;
}

static int files_open(struct ipc_listing *l, int dir)
{
	int fd = ipc_directory_open(dir);

	if (fd < 0)
		return fd;
	l->fd = fd;
	l->ipc->listed_directories++;
	return 0;
}

static void files_close(struct ipc_listing *l)
{
	if (l->fd < 0)
		return;
	close(l->fd);
	l->fd = -1;
	l->ipc->listed_directories--;
}

int ipc_listing_files(struct ipc_listing *l, int dir,
		      void (*take)(struct ipc_listing *, const char *file, unsigned char type))
{
	struct ipc_directory some;
	int r = 0;

	if (l->fd < 0 && l->ipc->listed_directories >= DIRECTORIES_MAX)
		return 1; /* in its turn, when one of the others is through */
	if (l->fd < 0)
		r = files_open(l, dir);
	if (r < 0)
		return r;
	r = ipc_directory_next(&some, l->fd);
	for (size_t at = 0; r > 0 && at < some.len; at += ipc_directory_entry(&some, at)->d_reclen) {
		const struct ipc_directory_entry *e = ipc_directory_entry(&some, at);

		take(l, e->d_name, e->d_type);
	}
	if (r <= 0)
		files_close(l);
	return r;
}

struct ipc_listing *ipc_listing_begin(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_kind *kind,
				      const char *dir, void (*ready)(void *arg), void *arg)
{
	struct ipc_listing *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->ipc = ipc;
	l->kind = kind;
	l->cred = *cred;
	l->fd = l->pids = -1;
	l->ready = ready;
	l->ready_arg = arg;
	l->whole = !dir;
	if (dir && dir[0])
		snprintf(l->dir, sizeof(l->dir), "%s/", dir);
	l->dir_len = strlen(l->dir);
	return l;
}

static void listing_free(struct ipc_listing *l)
{
	if (l->names)
		l->kind->names->found_free(l->names);
	if (l->pids >= 0)
		close(l->pids);
	free(l);
}

void ipc_listing_end(struct ipc_listing *l)
{
	if (!l)
		return;
	files_close(l);
	ipc_timer_stop(l->ipc->loop, &l->timer);
	l->ended = true;
	if (l->looking)
		ipc_job_cancel(l->ipc->pool, &l->job);
	else
		listing_free(l);
}

static void listing_work(struct ipc_job *job)
{
	struct ipc_listing *l = ipc_container(job, struct ipc_listing, job);

	l->found = l->kind->names->find(l);
}

static void listing_done(struct ipc_job *job)
{
	struct ipc_listing *l = ipc_container(job, struct ipc_listing, job);

	l->looking = false;
	if (l->ended)
		listing_free(l);
	else
		l->ready(l->ready_arg);
}

static void listing_find_again(struct ipc_timer *timer)
{
	struct ipc_listing *l = ipc_container(timer, struct ipc_listing, timer);

	l->ready(l->ready_arg);
}

/* Of a kind whose names a helper finds. Where all helpers are busy, the next step tries it again, a moment later. */
static int listing_find(struct ipc_listing *l)
{
	int r = l->pids < 0 ? ipc_pids_of(l->cred.pid, &l->pids) : 0;

	if (r < 0)
		return r;
	ipc_cred_fix(&l->cred);
	l->found = -EINTR; /* should it be cancelled before it begins */
	r = ipc_pool_submit(l->ipc->pool, &l->job, listing_work, listing_done);
	l->looking = l->begun = r == 0;
	if (ipc_pool_is_busy(r))
		r = ipc_timer_start(l->ipc->loop, &l->timer, ipc_now() + HELPERS_BUSY, listing_find_again);
	return r < 0 ? r : -EINPROGRESS;
}

int ipc_listing_step(struct ipc_listing *l, void (*emit)(void *arg, const char *name, mode_t type), void *arg)
{
	int r;

	if (l->looking)
		return -EINPROGRESS;
	if (l->kind->names->find && !l->begun)
		return listing_find(l);
	if (l->found < 0 && l->kind->names->find)
		return l->found;
	l->emit = emit;
	l->emit_arg = arg;
	r = l->kind->names->each_name ? l->kind->names->each_name(l) : ipc_listing_table(l, NULL);
	l->begun |= r != IPC_ASKED;
	return r;
}

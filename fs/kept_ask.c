/*
 * How a kernel before Linux 6.18 is made to forget names: kept.h. A helper's thread asks for them through the mount;
 * that the name is no more makes the kernel drop it, and then the node. The helper may wait there for the directory's
 * lock, which the loop's thread must not.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/pool.h"
#include "fs.h"

enum { ASKED = 64 };
#define PAUSE_NS INT64_C(1000000000)

struct ask_name {
	char *dir; /* its kind's, as a path */
	char *text;
	const struct ipc_kind *kind;
};

struct fs_kept_ask {
	struct ipc_job job;
	struct fs *fs;
	dev_t device; /* the mount's */
	atomic_int helper;
	atomic_uint at; /* the name that is asked for */
	unsigned count;
	unsigned gone; /* for the loop's thread: how many the kernel was told of */
	struct ask_name name[ASKED];
};

static void ask_free(struct fs_kept_ask *ask)
{
	for (unsigned i = 0; i < ask->count; i++) {
		free(ask->name[i].dir);
		free(ask->name[i].text);
	}
	free(ask);
}

/*
 * In the helper's thread. As long as the kernel believes in a name, it asks for the attributes alone: the answer ESTALE
 * makes it look up the name again.
 */
static void ask_one(const struct fs_kept_ask *ask, const struct ask_name *name)
{
	int dir = fs_mounted_dir(name->dir, ask->device);
	struct statx found;

	if (dir < 0)
		return;
	(void)!statx(dir, name->text, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_FORCE_SYNC, STATX_SIZE, &found);
	close(dir);
}

static void ask_work(struct ipc_job *job)
{
	struct fs_kept_ask *ask = ipc_container(job, struct fs_kept_ask, job);

	/* A thread with our descriptors would keep /dev/fuse open if we were killed: notice.c. */
	if (!job->apart)
		return;
	atomic_store(&ask->helper, (int)syscall(SYS_gettid));
	for (unsigned i = 0; i < ask->count && !atomic_load(&job->cancelled); i++) {
		atomic_store(&ask->at, i);
		ask_one(ask, &ask->name[i]);
	}
}

static void ask_left(struct ipc_job *job)
{
	ask_free(ipc_container(job, struct fs_kept_ask, job));
}

/* Those that the kernel did not ask about are kept as before. */
static void ask_return(struct fs_kept *kept)
{
	while (!ipc_list_empty(&kept->asked)) {
		struct fs_node *node = ipc_container(ipc_list_pop(&kept->asked), struct fs_node, kept.link);

		ipc_list_append(&fs_kept_user(kept, node->kept.uid)->nodes, &node->kept.link);
	}
}

static void ask_done(struct ipc_job *job)
{
	struct fs_kept_ask *ask = ipc_container(job, struct fs_kept_ask, job);
	struct fs *fs = ask->fs;

	fs->kept.ask = NULL;
	/* The helper did not get into the mount: it is not at its place, and would not be found at once. */
	if (!ipc_list_empty(&fs->kept.asked) && !ask->gone)
		fs->kept.pause = ipc_now() + PAUSE_NS;
	ask_return(&fs->kept);
	if (job->abandoned)
		return;
	ask_free(ask);
	if (!atomic_load(&job->cancelled))
		fs_kept_ask(fs);
}

static bool ask_add(struct fs *fs, struct fs_kept_ask *ask, struct fs_node *node)
{
	struct ask_name *name = &ask->name[ask->count];
	char text[2 * IPC_NAME_MAX];

	fs_ref_text(fs, &node->ref, text, sizeof(text));
	*name = (struct ask_name){.kind = node->ref.kind, .text = strdup(text)};
	if (!name->text || asprintf(&name->dir, "%s/%s", fs->opt.mountpoint, ipc_kind_name(node->ref.kind)) < 0) {
		free(name->text);
		return false;
	}
	node->kept.asked = ask->count++;
	return true;
}

/*
 * Whether it must stay: somebody has it open; or its name is forgotten already and only its users keep it; or the
 * kernel may be using it without telling us, as FIFOs and sockets, of which there are no more than channels.
 */
static bool node_stays(const struct fs_node *node)
{
	return node->live || !node->name || !(S_ISREG(node->mode) || S_ISLNK(node->mode));
}

static void ask_take(struct fs *fs, struct fs_kept_ask *ask, struct ipc_list *nodes)
{
	struct ipc_list *pos, *next;
	unsigned seen = 0;

	ipc_list_each(pos, next, nodes) {
		struct fs_node *node = ipc_container(pos, struct fs_node, kept.link);

		if (seen++ == ASKED)
			break;
		if (node_stays(node)) {
			fs_kept_drop(&fs->kept, node);
			continue;
		}
		if (!ask_add(fs, ask, node))
			break;
		ipc_list_remove(&node->kept.link);
		ipc_list_append(&fs->kept.asked, &node->kept.link);
	}
}

void fs_kept_ask(struct fs *fs)
{
	struct fs_kept *kept = &fs->kept;
	struct fs_kept_user *many = kept->ask || !fs->mount_number ? NULL : fs_kept_too_many(kept);
	struct fs_kept_ask *ask;

	if (!many || (kept->pause && ipc_now() < kept->pause))
		return;
	kept->pause = 0;
	if (!kept->pool)
		kept->pool = ipc_pool_new_apart(fs->loop, 1, -1);
	ask = kept->pool ? calloc(1, sizeof(*ask)) : NULL;
	if (!ask)
		return;
	ask->fs = fs;
	ask->device = fs->mount_number;
	ask_take(fs, ask, &many->nodes);
	if (ask->count && ipc_pool_submit_deaf(kept->pool, &ask->job, ask_work, ask_done, ask_left) == 0) {
		kept->ask = ask;
		return;
	}
	ask_return(kept);
	ask_free(ask);
}

void fs_kept_end(struct fs_kept *kept)
{
	ipc_pool_free(kept->pool);
	kept->pool = NULL;
}

/* What the request's caller asks for, if he is the helper; or NULL. */
static const struct ask_name *ask_of(fuse_req_t req)
{
	const struct fs_kept_ask *ask = fs_of(req)->kept.ask;
	pid_t pid = fuse_req_ctx(req)->pid; /* 0: of another namespace */

	return ask && pid && pid == atomic_load(&ask->helper) ? &ask->name[atomic_load(&ask->at)] : NULL;
}

/* The node that it is about; NULL: it is looked up, opened, or forgotten meanwhile. */
static struct fs_node *asked_node(struct fs *fs)
{
	const struct ipc_list *head = &fs->kept.asked;

	for (const struct ipc_list *pos = head->next; pos != head; pos = pos->next) {
		struct fs_node *node = ipc_container(pos, struct fs_node, kept.link);

		if (node->kept.asked == atomic_load(&fs->kept.ask->at))
			return node->live ? NULL : node;
	}
	return NULL;
}

static bool ask_is_for(struct fs *fs, const struct ask_name *asked, fuse_ino_t parent, const char *name)
{
	const struct fs_node *dir = fs_node(fs, parent);
	char text[2 * IPC_NAME_MAX];
	size_t len;

	if (dir->type == FS_KIND)
		return dir->kind == asked->kind && strcmp(asked->text, name) == 0;
	if (dir->type != FS_CHAN || dir->ref.kind != asked->kind)
		return false;
	fs_ref_text(fs, &dir->ref, text, sizeof(text));
	len = strlen(text);
	return strncmp(asked->text, text, len) == 0 && asked->text[len] == '/' &&
	       strcmp(asked->text + len + 1, name) == 0;
}

/*
 * An error makes the kernel drop the name, but for two: ENOMEM changes nothing, and after ENOENT it would remember that
 * there is no such name.
 */
bool fs_kept_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fs *fs = fs_of(req);
	const struct ask_name *asked = ask_of(req);
	struct fs_node *node;

	if (!asked || !ask_is_for(fs, asked, parent, name))
		return false;
	node = asked_node(fs);
	if (node) {
		fs->kept.ask->gone++;
		fs_kept_drop(&fs->kept, node);
	}
	fs_reply_err(req, node ? -EIO : -ENOMEM);
	return true;
}

bool fs_kept_getattr(fuse_req_t req, struct fs_node *node)
{
	if (node->type != FS_CHAN || S_ISDIR(node->mode) || !ask_of(req))
		return false;
	fs_reply_err(req, asked_node(fs_of(req)) == node ? -ESTALE : -ENOMEM);
	return true;
}

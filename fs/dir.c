/* Names: lookup, making, removing, renaming. Listing them is in listing.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs.h"

/*
 * open(2) of a name with bad facets is a mistake, of which its caller should hear. Any other call may be about to make
 * the name (bind, mkfifo, link, rename), or may want to know whether it is there.
 */
static int dir_resolve_kind(struct fs *fs, const struct ipc_cred *cred, const struct ipc_kind *kind, const char *name,
			    enum fs_intent intent, struct ipc_ref *ref)
{
	int r = intent == FS_OPENS ? ipc_resolve(fs->ipc, cred, kind, name, ref)
				   : ipc_resolve_name(fs->ipc, cred, kind, name, ref);

	/* Only what does not read as facets is taken in two ways: facets that are good cost no look at the caller. */
	if (r == 0 && intent == FS_LOOKS && !ref->facet_at && strchr(name, '@') && fs_caller_opens(cred->pid))
		r = ipc_resolve(fs->ipc, cred, kind, name, ref);
	return r;
}

int fs_dir_resolve(struct fs *fs, const struct ipc_cred *cred, fuse_ino_t parent, const char *name,
		   enum fs_intent intent, struct ipc_ref *ref)
{
	const struct fs_node *dir = fs_node(fs, parent);
	char text[4 * IPC_NAME_MAX], kinds[IPC_KINDS_TEXT];
	size_t len;

	if (dir->type == FS_KIND)
		return dir_resolve_kind(fs, cred, dir->kind, name, intent, ref);
	if (dir->type == FS_ROOT && intent == FS_LOOKS && fs_text_forms(name, text, sizeof(text)) &&
	    fs_caller_opens(cred->pid))
		return ipc_refuse(fs->ipc, cred, EINVAL, name, "there is no such form of it; its forms are: %s",
				  text[0] ? text : "none but the plain one");
	if (dir->type != FS_CHAN)
		return intent != FS_LOOKS ? ipc_refuse(fs->ipc, cred, EPERM, name,
						       "channels live in the directories of their kinds: %s",
						       ipc_shown_text(fs->ipc, kinds))
					  : -ENOENT;
	/* Should it be cut off, it is still too long for a name. */
	fs_ref_text(fs, &dir->ref, text, sizeof(text));
	len = strlen(text);
	snprintf(text + len, sizeof(text) - len, "/%s", name);
	return dir_resolve_kind(fs, cred, dir->ref.kind, text, intent, ref);
}

/* For a request that changes the name; answers the request itself when that fails. */
static bool dir_resolve(fuse_req_t req, fuse_ino_t parent, const char *name, struct ipc_ref *ref)
{
	struct fs *fs = fs_of(req);
	struct ipc_cred cred = fs_cred(req);
	int r = fs_dir_resolve(fs, &cred, parent, name, FS_CHANGES, ref);

	if (r < 0)
		fs_reply_err(req, r);
	return r == 0;
}

static int dir_refuse_full(struct fs *fs, const struct ipc_cred *cred, const struct ipc_ref *ref)
{
	char path[2 * IPC_NAME_MAX + IPC_NAME_MAX];

	fs_ref_path(fs, ref, path, sizeof(path));
	return ipc_refuse(fs->ipc, cred, ENFILE, path,
			  "this user's programs look up names with facets faster than the kernel can be made to forget "
			  "them, %d at most: it passes, try again in a moment",
			  FS_KEPT_FACETED_MAX);
}

/* keep: whether the kernel may, at least. */
void fs_dir_reply_entry(fuse_req_t req, const struct ipc_ref *ref, const struct stat *st, bool keep)
{
	struct fs *fs = fs_of(req);
	struct ipc_cred cred = fs_cred(req);
	bool cacheable;
	struct fs_node *node;

	if (fs_kept_is_full(fs, cred.uid, ref) && !fs_node_is_known(fs, ref)) {
		fs_reply_err(req, dir_refuse_full(fs, &cred, ref));
		return;
	}
	node = fs_node_get(fs, ref, st, cred.pid, &cacheable);
	if (!node)
		fs_reply_err(req, -ENOMEM);
	else if (fs_reply_entry(req, node, st, keep && cacheable) < 0)
		fs_node_forget(fs, node, 1);
}

/*
 * A LOOKUP that a helper has to answer. Only its own directory is held up by it, and that is below the name in
 * question.
 */
struct dir_look {
	struct ipc_look look;
	struct fs_deferred deferred;
};

static void dir_look_cancel(struct fs_deferred *deferred)
{
	ipc_look_cancel(&ipc_container(deferred, struct dir_look, deferred)->look);
}

static void dir_look_done(struct ipc_look *look)
{
	struct dir_look *l = ipc_container(look, struct dir_look, look);
	fuse_req_t req = fs_deferred_end(&l->deferred);

	if (req && look->result == 0)
		fs_dir_reply_entry(req, &look->ref, &look->st, true);
	else if (req)
		fs_reply_err(req, look->result);
	free(l);
}

static void dir_look(fuse_req_t req, const struct ipc_ref *ref)
{
	struct fs *fs = fs_of(req);
	struct dir_look *l = calloc(1, sizeof(*l));
	int r = -ENOMEM;

	if (!l)
		goto fail;
	l->look.cred = fs_cred(req);
	l->look.ref = *ref;
	l->look.done = dir_look_done;
	r = ipc_look(fs->ipc, &l->look);
	if (r < 0)
		goto fail;
	fs_deferred_start(fs, &l->deferred, req, dir_look_cancel);
	return;
fail:
	free(l);
	fs_reply_err(req, r);
}

static void dir_reply_missing(fuse_req_t req, int r)
{
	if (r == -ENOENT)
		fs_refusal_missed(fs_of(req), fs_cred(req).pid);
	fs_reply_err(req, r);
}

/*
 * A FIFO's maker, whom it was answered ESTALE, is held up until the notice of it is given: by a link to its own name,
 * as the kernel holds no lock while it reads one. Whether the request is answered.
 */
static bool dir_reply_again(fuse_req_t req, const struct ipc_ref *ref, const struct stat *found)
{
	struct fs *fs = fs_of(req);
	struct ipc_cred cred = fs_cred(req);
	uint64_t notice = S_ISFIFO(found->st_mode) ? fs_refusal(fs, cred.pid).notice : 0;
	struct stat st = *found;
	struct fs_node *node;

	if (!notice || !fs_notice_is_due(fs, notice) || !fs_caller_opens(cred.pid))
		return false;
	st.st_mode = S_IFLNK | 0777;
	node = fs_node_new_private(fs, ref, &st);
	if (!node)
		return false;
	node->again = true;
	fs_refusal_held(fs, cred.pid);
	if (fs_reply_entry(req, node, &st, false) < 0)
		fs_node_forget(fs, node, 1);
	return true;
}

void fs_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fs *fs = fs_of(req);
	struct fs_node *fixed = fs_node_child(fs, fs_node(fs, parent), name);
	struct ipc_cred cred = fs_cred(req);
	struct fs_node *fifo = parent == FUSE_ROOT_ID ? fs_fifo_lookup_helper(fs, &cred, name) : NULL;
	struct ipc_ref ref;
	struct stat st = {0};
	bool followed = false;
	int r;

	if (fs_notice_lookup(req, parent, name) || fs_kept_lookup(req, parent, name) || fs_append_lookup(req, parent))
		return;
	if (fixed) {
		fs_attr_fixed(fs, fixed, &st);
		fs_reply_entry(req, fixed, &st, true);
		return;
	}
	r = fifo ? 0 : fs_dir_resolve(fs, &cred, parent, name, FS_LOOKS, &ref);
	if (r == 0 && !fifo)
		fifo = fs_fifo_lookup(fs, &cred, &ref);
	if (fifo) {
		fs_fifo_reply_entry(req, fifo);
		return;
	}
	if (r == 0) {
		followed = ipc_ref_follow(fs->ipc, &ref);
		r = ipc_stat(fs->ipc, &cred, &ref, &st);
	}
	if (r == 0 && fs_shmlink_is_unsafe(&cred, &ref, &st)) {
		ipc_ref_serve(&ref);
		r = ipc_stat(fs->ipc, &cred, &ref, &st);
	}
	if (r == -EINPROGRESS)
		dir_look(req, &ref);
	else if (r < 0)
		dir_reply_missing(req, r);
	else if (!dir_reply_again(req, &ref, &st))
		fs_dir_reply_entry(req, &ref, &st, !followed && !fs_shmlink_varies(fs, &ref, &st));
}

void fs_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
	struct fs *fs = fs_of(req);

	fs_node_forget(fs, fs_node(fs, ino), lookups);
	fuse_reply_none(req);
}

void fs_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	struct fs *fs = fs_of(req);

	for (size_t i = 0; i < count; i++)
		fs_node_forget(fs, fs_node(fs, forgets[i].ino), forgets[i].nlookup);
	fuse_reply_none(req);
}

/* The socket of a channel that is ours, made for its address by a helper that binds it. */
static void dir_make_hidden(fuse_req_t req, const char *name, mode_t mode)
{
	struct fs *fs = fs_of(req);
	struct ipc_ref ref;
	struct stat st;
	int r = S_ISSOCK(mode) ? ipc_hidden_make(fs->ipc, name, &ref, &st) : -EPERM;

	if (r < 0) {
		fs_reply_err(req, r);
		return;
	}
	fs_mounted_watch(fs);
	fs_dir_reply_entry(req, &ref, &st, true);
}

void fs_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t dev)
{
	struct fs *fs = fs_of(req);
	struct ipc_cred cred = fs_cred(req);
	struct ipc_ref ref;
	struct stat st;
	int r;

	(void)dev;
	if (fs_notice_mknod(req, parent, name))
		return;
	if (fs_node(fs, parent)->type == FS_HIDDEN) {
		dir_make_hidden(req, name, mode);
		return;
	}
	if (!dir_resolve(req, parent, name, &ref))
		return;
	if (!S_ISREG(mode) && !S_ISFIFO(mode) && !S_ISSOCK(mode)) {
		fs_reply_err(req, ipc_refuse(fs->ipc, &cred, EPERM, name, "no device nodes: a channel is no device"));
		return;
	}
	r = ipc_create(fs->ipc, &cred, &ref, mode);
	if (r == 0) {
		fs_natives_own(fs, &ref);
		r = ipc_stat(fs->ipc, &cred, &ref, &st);
	}
	/* The kernel wants exactly the type it asked for. */
	if (r == 0 && ((st.st_mode ^ mode) & S_IFMT)) {
		ipc_unlink(fs->ipc, &cred, &ref);
		r = ipc_refuse(fs->ipc, &cred, EPERM, name,
			       "mknod makes no regular file here: use mkfifo, or open with O_CREAT");
	}
	if (r < 0)
		fs_reply_err(req, r);
	else
		fs_dir_reply_entry(req, &ref, &st, true);
}

static void dir_refuse(fuse_req_t req, fuse_ino_t parent, const char *name, const char *why)
{
	struct fs *fs = fs_of(req);
	const struct fs_node *dir = fs_node(fs, parent);
	struct ipc_cred cred = fs_cred(req);
	char path[4 * IPC_NAME_MAX];

	if (dir->type == FS_KIND)
		snprintf(path, sizeof(path), "%s/%s", ipc_kind_name(dir->kind), name);
	else if (dir->type == FS_CHAN)
		snprintf(path, sizeof(path), "%s/%s/%s", ipc_kind_name(dir->ref.kind), dir->ref.base, name);
	else
		snprintf(path, sizeof(path), "%s", name);
	fs_reply_err(req, ipc_refuse(fs->ipc, &cred, EPERM, path, "%s", why));
}

void fs_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	(void)mode;
	dir_refuse(req, parent, name, "no directories can be made: a channel is a name in its kind's directory");
}

void fs_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name)
{
	(void)link;
	dir_refuse(req, parent, name,
		   "no symbolic links; a hard link gives a pipe, a socket or a broadcast another name");
}

void fs_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	dir_refuse(req, parent, name, "the directories of the kinds stay");
}

/* ino: of an object that goes on under another name, or 0. */
static void dir_name_gone(struct fs *fs, const struct ipc_ref *ref, ino_t ino, const struct ipc_ref *other)
{
	struct fs_node *node = ino ? fs_linked_find(fs, ino) : NULL;

	fs_name_gone(fs, ref);
	if (node && !node->name)
		fs_node_rename(fs, node, other);
}

/* rename(2) does nothing with two names of one object. */
static bool dir_is_same(struct fs *fs, const struct ipc_cred *cred, const struct ipc_ref *a, const struct ipc_ref *b)
{
	struct stat x, y;

	return ipc_stat(fs->ipc, cred, a, &x) == 0 && x.st_nlink > 1 && ipc_stat(fs->ipc, cred, b, &y) == 0 &&
	       x.st_ino == y.st_ino;
}

static int dir_refuse_walker(struct fs *fs, const struct ipc_cred *cred, const struct ipc_ref *ref)
{
	char path[2 * IPC_NAME_MAX];

	fs_ref_path(fs, ref, path, sizeof(path));
	return ipc_refuse(
		fs->ipc, cred, EPERM, path,
		"not removed by what walks through directories (rm -r, find -delete), as the machine's programs use "
		"these: name it, or mount with -o walkers=allow");
}

void fs_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fs *fs = fs_of(req);
	struct ipc_cred cred = fs_cred(req);
	struct ipc_ref ref, other, address;
	ino_t ino;
	int r;

	if (fs_notice_unlink(req, parent, name) || !dir_resolve(req, parent, name, &ref))
		return;
	ino = ipc_ref_other(fs->ipc, &ref, &other);
	if (fs_is_walker(&fs->listers, fs->opt.walkers, cred.pid))
		r = dir_refuse_walker(fs, &cred, &ref);
	else
		r = ipc_unlink(fs->ipc, &cred, &ref);
	if (r == 0) {
		fs_natives_own(fs, &ref);
		dir_name_gone(fs, &ref, ino, &other);
	}
	if (r == 0 && ipc_ref_address(&ref, &address))
		fs_name_gone(fs, &address);
	fs_reply_err(req, r);
}

void fs_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent, const char *newname,
	       unsigned flags)
{
	struct fs *fs = fs_of(req);
	struct ipc_cred cred = fs_cred(req);
	struct ipc_ref from, to, other, old, new;
	ino_t ino;
	bool same;
	int r;

	if (!dir_resolve(req, parent, name, &from) || !dir_resolve(req, newparent, newname, &to))
		return;
	ino = ipc_ref_other(fs->ipc, &to, &other);
	same = dir_is_same(fs, &cred, &from, &to);
	r = ipc_rename(fs->ipc, &cred, &from, &to, flags);
	if (r == 0)
		fs_natives_own_both(fs, &from, &to);
	if (r == 0 && !same) {
		dir_name_gone(fs, &to, ino, &other);
		fs_name_moved(fs, &from, &to);
	}
	if (r == 0 && !same && ipc_ref_address(&from, &old) && ipc_ref_address(&to, &new))
		fs_name_moved(fs, &old, &new);
	fs_reply_err(req, r);
}

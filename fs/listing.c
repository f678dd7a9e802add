/* Directories: opendir(3), readdir(3), rewinddir(3). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs.h"

/*
 * A listing, in the form that READDIR replies have. Made whole at opendir(3), and again at rewinddir(3), in as many
 * steps as it takes.
 */
struct dir_list {
	struct ipc_list link; /* of all that are open */
	char *buf;
	size_t len, size;
	bool failed;
	bool channels; /* in it, rather than their kinds' directories */
	bool read;     /* from its beginning: to read that again is to list anew */
	bool broken;   /* to list anew came to nothing */
	struct fs *fs;
	pid_t lister; /* walker.h */
	struct ipc_cred cred;
	size_t charged;

	/* While it is made. */
	struct ipc_listing *names;
	struct fs_turn turn;
	struct fs_deferred deferred;
	bool opening; /* answers OPENDIR rather than a READDIR: */
	struct fuse_file_info fi;
	size_t wanted; /* bytes of READDIR */
};

static void list_add(void *arg, const char *name, mode_t type)
{
	struct dir_list *list = arg;
	struct stat st = {.st_mode = type, .st_ino = (ino_t)-1};
	size_t need = fuse_add_direntry(NULL, NULL, 0, name, NULL, 0);

	if (list->len + need > list->size) {
		size_t size = list->size ? 2 * list->size : 4096;
		char *grown;

		while (size < list->len + need)
			size *= 2;
		grown = realloc(list->buf, size);
		if (!grown) {
			list->failed = true;
			return;
		}
		list->buf = grown;
		list->size = size;
	}
	/* The offset of an entry is where the next one begins. */
	fuse_add_direntry(NULL, list->buf + list->len, list->size - list->len, name, &st, (off_t)(list->len + need));
	list->len += need;
}

static void list_uncharge(struct dir_list *list)
{
	if (list->charged)
		ipc_uncharge(list->fs->ipc, list->cred.uid, list->charged);
	list->charged = 0;
}

/* Its bytes, which are kept until the directory is closed, are the caller's. */
static int list_charge(struct dir_list *list)
{
	int r = 0;

	if (list->channels && list->size > list->charged)
		r = ipc_charge(list->fs->ipc, &list->cred, list->size - list->charged, "a directory");
	if (r == 0 && list->channels)
		list->charged = list->size;
	return r;
}

static void list_end_names(struct dir_list *list)
{
	fs_turn_remove(&list->turn);
	ipc_listing_end(list->names);
	list->names = NULL;
}

static void list_free(struct dir_list *list)
{
	list_end_names(list);
	fs_lister_close(&list->fs->listers, list->lister);
	list_uncharge(list);
	ipc_list_remove(&list->link);
	ipc_loop_free_slowly(list->fs->loop, list->buf, list->size);
	free(list);
}

void fs_dir_close_all(struct fs *fs)
{
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &fs->dirs)
		list_free(ipc_container(pos, struct dir_list, link));
}

static void list_fit(struct dir_list *list)
{
	char *fitting = realloc(list->buf, list->len);

	if (!fitting)
		return;
	list->buf = fitting;
	list->size = list->len;
	if (!list->channels)
		return;
	ipc_uncharge(list->fs->ipc, list->cred.uid, list->charged - list->size);
	list->charged = list->size;
}

static void list_reply(fuse_req_t req, const struct dir_list *list, size_t at, size_t size)
{
	size_t n = list->len - at;

	/* The kernel takes whole entries only and asks again from behind the last of them. */
	fuse_reply_buf(req, list->buf + at, n < size ? n : size);
}

static void list_answer_open(fuse_req_t req, struct dir_list *list, int r)
{
	if (r == 0 && list->channels)
		list->lister = fs_lister_open(&list->fs->listers, list->cred.pid);
	list->fi.fh = (uintptr_t)list;
	if (r < 0)
		fs_reply_err(req, r);
	if (r < 0 || fuse_reply_open(req, &list->fi) < 0)
		list_free(list);
}

/* r: 0, or -errno where the list is not whole. */
static void list_made(fuse_req_t req, struct dir_list *list, int r)
{
	list_end_names(list);
	if (r == 0)
		list_fit(list);
	if (list->opening) {
		list->opening = false;
		list_answer_open(req, list, r);
		return;
	}
	list->broken = r < 0;
	list->read = r == 0;
	if (r < 0)
		fs_reply_err(req, r);
	else
		list_reply(req, list, 0, list->wanted);
}

/* Nobody waits for it any more. */
static void list_cancel(struct fs_deferred *deferred)
{
	struct dir_list *list = ipc_container(deferred, struct dir_list, deferred);

	fs_deferred_end(deferred);
	list_end_names(list);
	list->broken = true;
	if (list->opening)
		list_free(list);
}

/* As ipc_listing_step(). */
static int list_step(struct dir_list *list)
{
	int r = ipc_listing_step(list->names, list_add, list);
	int charged = list_charge(list);

	if (list->failed)
		return -ENOMEM;
	return charged < 0 ? charged : r;
}

static bool list_turn(struct fs_turn *turn)
{
	struct dir_list *list = ipc_container(turn, struct dir_list, turn);
	int r = list_step(list);

	if (r > 0)
		return true;
	if (r != -EINPROGRESS)
		list_made(fs_deferred_end(&list->deferred), list, r);
	return false;
}

static void list_ready(void *arg)
{
	struct dir_list *list = arg;

	fs_turn_add(&list->fs->turns, &list->turn);
}

/* The whole of a short one at once. */
static void list_begin(fuse_req_t req, struct dir_list *list, const struct ipc_kind *kind, const char *dir)
{
	int r;

	list->names = ipc_listing_begin(list->fs->ipc, &list->cred, kind, dir, list_ready, list);
	r = list->names ? list_step(list) : -ENOMEM;
	if (r == 1)
		r = list_step(list);
	if (r == 1)
		fs_turn_add(&list->fs->turns, &list->turn);
	if (r == 1 || r == -EINPROGRESS)
		fs_deferred_start(list->fs, &list->deferred, req, list_cancel);
	else
		list_made(req, list, r);
}

static void list_add_fixed(struct fs *fs, struct dir_list *list)
{
	for (unsigned i = 1; i < fs->fixed_count; i++) {
		const struct fs_node *node = &fs->fixed[i];

		if (node->kind)
			list_add(list, ipc_kind_name(node->kind), S_IFDIR);
		else if (node->type == FS_TEXT && !strchr(fs_text_name(node->text), '@'))
			list_add(list, fs_text_name(node->text), S_IFREG);
	}
}

/* From the beginning. */
static void list_make(fuse_req_t req, struct dir_list *list, const struct fs_node *dir)
{
	struct fs *fs = list->fs;
	char text[2 * IPC_NAME_MAX];

	list->len = 0;
	list->failed = list->read = list->broken = false;
	list_add(list, ".", S_IFDIR);
	list_add(list, "..", S_IFDIR);
	if (dir->type == FS_KIND) {
		list_begin(req, list, dir->kind, "");
	} else if (dir->type == FS_CHAN) {
		fs_ref_text(fs, &dir->ref, text, sizeof(text));
		list_begin(req, list, dir->ref.kind, text);
	} else {
		list_add_fixed(fs, list);
		list_made(req, list, list->failed ? -ENOMEM : 0);
	}
}

void fs_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct dir_list *list = calloc(1, sizeof(*list));
	const struct fs_node *dir = fs_node(fs_of(req), ino);

	if (!list) {
		fs_reply_err(req, -ENOMEM);
		return;
	}
	list->fs = fs_of(req);
	list->cred = fs_cred(req);
	list->fi = *fi;
	list->opening = true;
	list->channels = dir->type != FS_ROOT;
	fs_turn_init(&list->turn, list_turn);
	ipc_list_append(&list->fs->dirs, &list->link);
	list_make(req, list, dir);
}

void fs_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct dir_list *list = (struct dir_list *)(uintptr_t)fi->fh;

	if (list->names) {
		fs_reply_err(req, -EBUSY); /* the kernel does not read one open directory twice at the same time */
	} else if (off == 0 && (list->read || list->broken)) {
		list_uncharge(list);
		list->cred = fs_cred(req);
		list->wanted = size;
		list_make(req, list, fs_node(list->fs, ino));
	} else {
		list->read = true;
		list_reply(req, list, off < 0 || (size_t)off > list->len ? list->len : (size_t)off, size);
	}
}

void fs_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct dir_list *list = (struct dir_list *)(uintptr_t)fi->fh;

	(void)ino;
	list_free(list);
	fs_reply_err(req, 0);
}

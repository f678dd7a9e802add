/* Directories: opendir(3), readdir(3). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs.h"

/* A listing, made whole at opendir(3), in the form that READDIR replies have. */
struct dir_list {
	struct ipc_list link; /* of all that are open */
	fuse_req_t req;
	char *buf;
	size_t len, size;
	off_t count;
	bool failed;
	bool channels; /* in it, rather than their kinds' directories */
	struct fs *fs;
	pid_t lister; /* walker.h */
	uid_t charged_to;
	size_t charged;
};

static void list_add(void *arg, const char *name, mode_t type)
{
	struct dir_list *list = arg;
	struct stat st = {.st_mode = type, .st_ino = (ino_t)-1};
	size_t need = fuse_add_direntry(list->req, NULL, 0, name, NULL, 0);

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
	fuse_add_direntry(list->req, list->buf + list->len, list->size - list->len, name, &st,
			  (off_t)(list->len + need));
	list->len += need;
}

static struct dir_list *list_new(fuse_req_t req)
{
	struct dir_list *list = calloc(1, sizeof(*list));

	if (!list)
		return NULL;
	list->req = req;
	list->fs = fs_of(req);
	ipc_list_append(&list->fs->dirs, &list->link);
	list_add(list, ".", S_IFDIR);
	list_add(list, "..", S_IFDIR);
	return list;
}

static void list_free(struct dir_list *list)
{
	fs_lister_close(&list->fs->listers, list->lister);
	if (list->charged)
		ipc_uncharge(list->fs->ipc, list->charged_to, list->charged);
	ipc_list_remove(&list->link);
	free(list->buf);
	free(list);
}

void fs_dir_close_all(struct fs *fs)
{
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &fs->dirs)
		list_free(ipc_container(pos, struct dir_list, link));
}

/* It is kept until the directory is closed: its bytes are the caller's. */
static int list_charge(struct dir_list *list, const struct ipc_cred *cred)
{
	char *fitting = realloc(list->buf, list->len);
	int r;

	if (fitting) {
		list->buf = fitting;
		list->size = list->len;
	}
	r = ipc_charge(list->fs->ipc, cred, list->size, "a directory");
	if (r == 0) {
		list->charged = list->size;
		list->charged_to = cred->uid;
	}
	return r;
}

/* r: 0, or -errno where the list is not whole. */
static void list_answer(fuse_req_t req, struct dir_list *list, struct fuse_file_info *fi, int r)
{
	struct ipc_cred cred = fs_cred(req);

	if (r == 0 && list->failed)
		r = -ENOMEM;
	if (r == 0 && list->channels)
		r = list_charge(list, &cred);
	if (r == 0 && list->channels)
		list->lister = fs_lister_open(&list->fs->listers, fs_cred(req).pid);
	fi->fh = (uintptr_t)list;
	if (r < 0)
		fs_reply_err(req, r);
	if (r < 0 || fuse_reply_open(req, fi) < 0)
		list_free(list);
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

/* An OPENDIR whose names a helper finds. */
struct dir_listing {
	struct ipc_listing listing;
	struct fs_deferred deferred;
	struct fuse_file_info fi;
	struct dir_list *list;
};

static void dir_found(struct ipc_listing *listing)
{
	struct dir_listing *d = ipc_container(listing, struct dir_listing, listing);
	fuse_req_t req = fs_deferred_end(&d->deferred);
	int r = ipc_listing_emit(listing, req ? list_add : NULL, d->list);

	if (req)
		list_answer(req, d->list, &d->fi, r);
	else
		list_free(d->list);
	free(d);
}

/* False: no helper can be had, and it is to be done at once. Takes the list otherwise. */
static bool dir_find(fuse_req_t req, const struct ipc_kind *kind, const struct fuse_file_info *fi,
		     struct dir_list *list)
{
	struct fs *fs = fs_of(req);
	struct dir_listing *d = calloc(1, sizeof(*d));

	if (!d)
		return false;
	d->fi = *fi;
	d->list = list;
	d->listing.kind = kind;
	d->listing.cred = fs_cred(req);
	d->listing.done = dir_found;
	if (ipc_listing_begin(fs->ipc, &d->listing) < 0) {
		free(d);
		return false;
	}
	fs_deferred_start(fs, &d->deferred, req, NULL);
	return true;
}

void fs_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	const struct fs_node *dir = fs_node(fs, ino);
	struct ipc_cred cred = fs_cred(req);
	struct dir_list *list = list_new(req);
	char text[2 * IPC_NAME_MAX];
	int r = 0;

	if (!list) {
		fs_reply_err(req, -ENOMEM);
		return;
	}
	list->channels = dir->type != FS_ROOT;
	if (dir->type == FS_KIND) {
		if (ipc_listing_waits(fs->ipc, &cred, dir->kind) && dir_find(req, dir->kind, fi, list))
			return;
		r = ipc_each_name_in(fs->ipc, &cred, dir->kind, "", list_add, list);
	} else if (dir->type == FS_CHAN) {
		fs_ref_text(fs, &dir->ref, text, sizeof(text));
		r = ipc_each_name_in(fs->ipc, &cred, dir->ref.kind, text, list_add, list);
	} else {
		list_add_fixed(fs, list);
	}
	list_answer(req, list, fi, r);
}

void fs_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	const struct dir_list *list = (struct dir_list *)(uintptr_t)fi->fh;
	size_t at = off < 0 || (size_t)off > list->len ? list->len : (size_t)off;
	size_t n = list->len - at;

	(void)ino;
	/* The kernel takes whole entries only and asks again from behind the last of them. */
	fuse_reply_buf(req, list->buf + at, n < size ? n : size);
}

void fs_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct dir_list *list = (struct dir_list *)(uintptr_t)fi->fh;

	(void)ino;
	list_free(list);
	fs_reply_err(req, 0);
}

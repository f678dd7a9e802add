/* Directories: opendir(3), readdir(3), rewinddir(3). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs.h"

/*
 * A listing, in the form that READDIR replies have. Made whole at opendir(3), and again at rewinddir(3), in as many
 * steps as it takes.
 */
struct dir_listing {
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
	bool links_depend; /* fs_shmlink_depends() */
	bool opening;	   /* answers OPENDIR rather than a READDIR: */
	struct fuse_file_info fi;
	size_t wanted; /* bytes of READDIR */
};

static void listing_add(void *arg, const char *name, mode_t type)
{
	struct dir_listing *listing = arg;
	/* DT_UNKNOWN where only the owner tells whether the caller sees a link or a file: stat(2) shows that. */
	struct stat st = {.st_mode = S_ISLNK(type) && listing->links_depend ? 0 : type, .st_ino = (ino_t)-1};
	size_t need = fuse_add_direntry(NULL, NULL, 0, name, NULL, 0);

	if (listing->len + need > listing->size) {
		size_t size = listing->size ? 2 * listing->size : 4096;
		char *grown;

		while (size < listing->len + need)
			size *= 2;
		grown = realloc(listing->buf, size);
		if (!grown) {
			listing->failed = true;
			return;
		}
		listing->buf = grown;
		listing->size = size;
	}
	/* The offset of an entry is where the next one begins. */
	fuse_add_direntry(NULL, listing->buf + listing->len, listing->size - listing->len, name, &st,
			  (off_t)(listing->len + need));
	listing->len += need;
}

static void listing_uncharge(struct dir_listing *listing)
{
	if (listing->charged)
		ipc_uncharge(listing->fs->ipc, listing->cred.uid, listing->charged);
	listing->charged = 0;
}

/* Its bytes, which are kept until the directory is closed, are the caller's. */
static int listing_charge(struct dir_listing *listing)
{
	int r = 0;

	if (listing->channels && listing->size > listing->charged)
		r = ipc_charge(listing->fs->ipc, &listing->cred, listing->size - listing->charged, "a directory");
	if (r == 0 && listing->channels)
		listing->charged = listing->size;
	return r;
}

static void listing_end_names(struct dir_listing *listing)
{
	fs_turn_remove(&listing->turn);
	ipc_listing_end(listing->names);
	listing->names = NULL;
}

static void listing_free(struct dir_listing *listing)
{
	listing_end_names(listing);
	fs_lister_close(&listing->fs->listers, listing->lister);
	listing_uncharge(listing);
	ipc_list_remove(&listing->link);
	ipc_loop_free_slowly(listing->fs->loop, listing->buf, listing->size);
	free(listing);
}

void fs_dir_close_all(struct fs *fs)
{
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &fs->dirs)
		listing_free(ipc_container(pos, struct dir_listing, link));
}

static void listing_fit(struct dir_listing *listing)
{
	char *fitting = realloc(listing->buf, listing->len);

	if (!fitting)
		return;
	listing->buf = fitting;
	listing->size = listing->len;
	if (!listing->channels)
		return;
	ipc_uncharge(listing->fs->ipc, listing->cred.uid, listing->charged - listing->size);
	listing->charged = listing->size;
}

static void listing_reply(fuse_req_t req, const struct dir_listing *listing, size_t at, size_t size)
{
	size_t n = listing->len - at;

	/* The kernel takes whole entries only and asks again from behind the last of them. */
	fuse_reply_buf(req, listing->buf + at, n < size ? n : size);
}

static void listing_answer_open(fuse_req_t req, struct dir_listing *listing, int r)
{
	if (r == 0 && listing->channels)
		listing->lister = fs_lister_open(&listing->fs->listers, listing->cred.pid);
	listing->fi.fh = (uintptr_t)listing;
	if (r < 0)
		fs_reply_err(req, r);
	if (r < 0 || fuse_reply_open(req, &listing->fi) < 0)
		listing_free(listing);
}

/* r: 0, or -errno where the listing is not whole. */
static void listing_made(fuse_req_t req, struct dir_listing *listing, int r)
{
	listing_end_names(listing);
	if (r == 0)
		listing_fit(listing);
	if (listing->opening) {
		listing->opening = false;
		listing_answer_open(req, listing, r);
		return;
	}
	listing->broken = r < 0;
	listing->read = r == 0;
	if (r < 0)
		fs_reply_err(req, r);
	else
		listing_reply(req, listing, 0, listing->wanted);
}

/* Nobody waits for it any more. */
static void listing_cancel(struct fs_deferred *deferred)
{
	struct dir_listing *listing = ipc_container(deferred, struct dir_listing, deferred);

	fs_deferred_end(deferred);
	listing_end_names(listing);
	listing->broken = true;
	if (listing->opening)
		listing_free(listing);
}

/* As ipc_listing_step(). */
static int listing_step(struct dir_listing *listing)
{
	int r = ipc_listing_step(listing->names, listing_add, listing);
	int charged = listing_charge(listing);

	if (listing->failed)
		return -ENOMEM;
	return charged < 0 ? charged : r;
}

static bool listing_turn(struct fs_turn *turn)
{
	struct dir_listing *listing = ipc_container(turn, struct dir_listing, turn);
	int r = listing_step(listing);

	if (r > 0)
		return true;
	if (r != -EINPROGRESS)
		listing_made(fs_deferred_end(&listing->deferred), listing, r);
	return false;
}

static void listing_ready(void *arg)
{
	struct dir_listing *listing = arg;

	fs_turn_add(&listing->fs->turns, &listing->turn);
}

/* The whole of a short one at once. */
static void listing_begin(fuse_req_t req, struct dir_listing *listing, const struct ipc_kind *kind, const char *dir)
{
	int r;

	listing->links_depend = fs_shmlink_depends();
	listing->names = ipc_listing_begin(listing->fs->ipc, &listing->cred, kind, dir, listing_ready, listing);
	r = listing->names ? listing_step(listing) : -ENOMEM;
	if (r == 1)
		r = listing_step(listing);
	if (r == 1)
		fs_turn_add(&listing->fs->turns, &listing->turn);
	if (r == 1 || r == -EINPROGRESS)
		fs_deferred_start(listing->fs, &listing->deferred, req, listing_cancel);
	else
		listing_made(req, listing, r);
}

static void listing_add_fixed(struct fs *fs, struct dir_listing *listing)
{
	for (unsigned i = 1; i < fs->fixed_count; i++) {
		const struct fs_node *node = &fs->fixed[i];

		if (node->kind)
			listing_add(listing, ipc_kind_name(node->kind), S_IFDIR);
		else if (node->type == FS_TEXT && !strchr(fs_text_name(node->text), '@'))
			listing_add(listing, fs_text_name(node->text), S_IFREG);
	}
}

/* From the beginning. */
static void listing_make(fuse_req_t req, struct dir_listing *listing, const struct fs_node *dir)
{
	struct fs *fs = listing->fs;
	char text[2 * IPC_NAME_MAX];

	listing->len = 0;
	listing->failed = listing->read = listing->broken = false;
	listing_add(listing, ".", S_IFDIR);
	listing_add(listing, "..", S_IFDIR);
	if (dir->type == FS_KIND) {
		listing_begin(req, listing, dir->kind, "");
	} else if (dir->type == FS_CHAN) {
		fs_ref_text(fs, &dir->ref, text, sizeof(text));
		listing_begin(req, listing, dir->ref.kind, text);
	} else {
		listing_add_fixed(fs, listing);
		listing_made(req, listing, listing->failed ? -ENOMEM : 0);
	}
}

void fs_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct dir_listing *listing = calloc(1, sizeof(*listing));
	const struct fs_node *dir = fs_node(fs_of(req), ino);

	if (!listing) {
		fs_reply_err(req, -ENOMEM);
		return;
	}
	listing->fs = fs_of(req);
	listing->cred = fs_cred(req);
	listing->fi = *fi;
	listing->opening = true;
	listing->channels = dir->type != FS_ROOT;
	fs_turn_init(&listing->turn, listing_turn);
	ipc_list_append(&listing->fs->dirs, &listing->link);
	listing_make(req, listing, dir);
}

void fs_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct dir_listing *listing = (struct dir_listing *)(uintptr_t)fi->fh;

	if (listing->names) {
		fs_reply_err(req, -EBUSY); /* the kernel does not read one open directory twice at the same time */
	} else if (off == 0 && (listing->read || listing->broken)) {
		listing_uncharge(listing);
		listing->cred = fs_cred(req);
		listing->wanted = size;
		listing_make(req, listing, fs_node(listing->fs, ino));
	} else {
		listing->read = true;
		listing_reply(req, listing, off < 0 || (size_t)off > listing->len ? listing->len : (size_t)off, size);
	}
}

void fs_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct dir_listing *listing = (struct dir_listing *)(uintptr_t)fi->fh;

	(void)ino;
	listing_free(listing);
	fs_reply_err(req, 0);
}

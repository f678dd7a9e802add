/* Answers. Where libfuse's structures lack a field (FOPEN_STREAM), the kernel's own are filled in. */
#include <errno.h>
#include <linux/fuse.h>
#include <string.h>

#include "fs.h"

/* For how many seconds the kernel may believe what it was told about the node: here its name, there its attributes. */
static double node_timeout(const struct fs_node *node)
{
	if (node->type != FS_CHAN)
		return FS_TIMEOUT_FIXED;
	/* Others change its size. */
	return ipc_ref_is_plain(&node->ref) && S_ISREG(node->mode) ? 0 : FS_TIMEOUT;
}

static double attr_timeout(const struct fs_node *node)
{
	if (node->believed)
		return 0;
	/* Names come and go without the kernel's hearing of it. */
	if (node->type == FS_KIND)
		return FS_TIMEOUT;
	/*
	 * The kernel serves them without us, and must not need us for an fstat(2) either when we are dead. Who comes by
	 * the name still sees what others have changed, as looking the name up again tells the attributes too.
	 */
	if (node->type == FS_CHAN && (S_ISFIFO(node->mode) || S_ISSOCK(node->mode)))
		return FS_TIMEOUT_FIXED;
	return node_timeout(node);
}

void fs_reply_attr(fuse_req_t req, const struct fs_node *node, const struct stat *st)
{
	struct stat shown = *st;

	if (node->believed)
		shown.st_size = node->believed;
	fuse_reply_attr(req, &shown, attr_timeout(node));
}

void fs_reply_stat(fuse_req_t req, struct fs_node *node, const struct stat *st)
{
	if (node->believed && node->type == FS_CHAN && !node->live)
		node->believed = 0; /* nobody has it open any more, so let the kernel believe the truth */
	if (node->believed)
		fs_size_keep(fs_of(req), node);
	fuse_reply_attr(req, st, attr_timeout(node));
}

int fs_reply_entry(fuse_req_t req, struct fs_node *node, const struct stat *st, bool cacheable)
{
	double timeout = cacheable ? node_timeout(node) : 0;
	/* The open that follows has a right to what it has just been told, though the name must be looked up again. */
	bool told = cacheable || S_ISREG(st->st_mode);
	struct fuse_entry_param entry = {
		.ino = fs_nodeid(fs_of(req), node),
		.attr = *st,
		.entry_timeout = timeout,
		.attr_timeout = told ? attr_timeout(node) : 0,
	};

	fs_kept_add(fs_of(req), node, fs_cred(req).uid);
	if (node->believed)
		entry.attr.st_size = node->believed;
	return fuse_reply_entry(req, &entry);
}

static void open_out(struct fuse_open_out *out, const struct fs_node *node, uint64_t fh, uint32_t open_flags)
{
	*out = (struct fuse_open_out){.fh = fh, .open_flags = open_flags};
	/* What was padding is backing_id since 7.40. */
	if (node->backing)
		out->padding = (uint32_t)node->backing;
}

int fs_reply_open(fuse_req_t req, const struct fs_node *node, uint64_t fh, uint32_t open_flags)
{
	struct fuse_open_out out;

	open_out(&out, node, fh, open_flags);

	return fuse_reply_buf(req, (const char *)&out, sizeof(out));
}

static void attr_out(struct fuse_attr *to, const struct stat *st)
{
	to->ino = st->st_ino;
	to->mode = st->st_mode;
	to->nlink = (uint32_t)st->st_nlink;
	to->uid = st->st_uid;
	to->gid = st->st_gid;
	to->size = (uint64_t)st->st_size;
	to->blksize = (uint32_t)st->st_blksize;
	to->blocks = (uint64_t)st->st_blocks;
	to->atime = (uint64_t)st->st_atim.tv_sec;
	to->mtime = (uint64_t)st->st_mtim.tv_sec;
	to->ctime = (uint64_t)st->st_ctim.tv_sec;
	to->atimensec = (uint32_t)st->st_atim.tv_nsec;
	to->mtimensec = (uint32_t)st->st_mtim.tv_nsec;
	to->ctimensec = (uint32_t)st->st_ctim.tv_nsec;
}

int fs_reply_create(fuse_req_t req, struct fs_node *node, const struct stat *st, bool cacheable, uint64_t fh,
		    uint32_t open_flags)
{
	struct {
		struct fuse_entry_out entry;
		struct fuse_open_out open;
	} out;

	fs_kept_add(fs_of(req), node, fs_cred(req).uid);
	memset(&out, 0, sizeof(out));
	out.entry.nodeid = fs_nodeid(fs_of(req), node);
	out.entry.entry_valid = cacheable ? (uint64_t)FS_TIMEOUT : 0;
	out.entry.attr_valid = node->believed ? 0 : out.entry.entry_valid;
	attr_out(&out.entry.attr, st);
	if (node->believed)
		out.entry.attr.size = (uint64_t)node->believed;
	open_out(&out.open, node, fh, open_flags);
	return fuse_reply_buf(req, (const char *)&out, sizeof(out));
}

#include "passthrough.h"

#include <errno.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fs.h"

/* What older copies of <linux/fuse.h> lack. */
#define INIT_EXT (1u << 30)
#define PASSTHROUGH_FLAGS2 (UINT32_C(1) << (37 - 32))

struct backing_map {
	int32_t fd;
	uint32_t flags;
	uint64_t padding;
};

#define BACKING_OPEN _IOW(229, 1, struct backing_map)
#define BACKING_CLOSE _IOW(229, 2, uint32_t)

/* struct fuse_init_in and fuse_init_out, as far as they matter here. */
struct init_in {
	uint32_t major, minor, max_readahead, flags, flags2;
};

struct init_out {
	uint32_t major, minor, max_readahead, flags;
	uint16_t max_background, congestion_threshold;
	uint32_t max_write, time_gran;
	uint16_t max_pages, map_alignment;
	uint32_t flags2, max_stack_depth, unused[6];
};

#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 13)

static ssize_t io_read(int fd, void *buf, size_t size, void *userdata)
{
	struct fs *fs = userdata;
	ssize_t n = read(fd, buf, size);
	const struct fuse_in_header *in = buf;
	struct init_in init = {0};

	if (fs->passthrough.asked || n < (ssize_t)(sizeof(*in) + sizeof(init)) || in->opcode != FUSE_INIT)
		return n;
	memcpy(&init, in + 1, sizeof(init));
	fs->passthrough.asked = true;
	if ((init.flags & INIT_EXT) && (init.flags2 & PASSTHROUGH_FLAGS2))
		fs->passthrough.init = in->unique;
	return n;
}

/* Accepts the offer. One level, as shared memory lies on no other file system. */
static ssize_t init_accept(struct fs *fs, int fd, const struct iovec *iov)
{
	struct init_out out;
	struct iovec both[2] = {iov[0], {&out, sizeof(out)}};
	ssize_t n;

	memcpy(&out, iov[1].iov_base, sizeof(out));
	out.flags |= INIT_EXT;
	out.flags2 |= PASSTHROUGH_FLAGS2;
	out.max_stack_depth = 1;
	n = writev(fd, both, 2);
	fs->passthrough.offered = n > 0;
	return n;
}

static ssize_t io_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	struct fs *fs = userdata;
	const struct fuse_out_header *out = iov[0].iov_base;

	if (fs->passthrough.init && out->unique == fs->passthrough.init) {
		fs->passthrough.init = 0;
		if (!out->error && count == 2 && iov[1].iov_len == sizeof(struct init_out))
			return init_accept(fs, fd, iov);
	}
	return writev(fd, iov, count);
}

void fs_passthrough_start(struct fs *fs)
{
	static const struct fuse_custom_io io = {.read = io_read, .writev = io_writev};

	if (geteuid() == 0)
		fuse_session_custom_io(fs->se, &io, fuse_session_fd(fs->se));
}

#else

/* No way into the session's input and output: the offer stays unanswered. */
void fs_passthrough_start(struct fs *fs)
{
	(void)fs;
}

#endif

/* The kernel looks at the right first, and at the descriptor then. */
bool fs_passthrough_works(const struct fs *fs)
{
	struct backing_map none = {.fd = -1};

	return fs->passthrough.offered && ioctl(fuse_session_fd(fs->se), BACKING_OPEN, &none) < 0 && errno == EBADF;
}

int fs_passthrough_attach(struct fs *fs, struct fs_node *node, int fd)
{
	struct backing_map map = {.fd = fd};
	int id;

	if (!fs->passthrough.offered)
		return -EOPNOTSUPP;
	if (!node->backed) {
		id = ioctl(fuse_session_fd(fs->se), BACKING_OPEN, &map);
		if (id <= 0)
			return errno == EPERM || errno == ELOOP ? -EOPNOTSUPP : -errno;
		node->backing = id;
	}
	node->backed++;
	return 0;
}

void fs_passthrough_detach(struct fs *fs, struct fs_node *node)
{
	uint32_t id = (uint32_t)node->backing;

	if (--node->backed)
		return;
	ioctl(fuse_session_fd(fs->se), BACKING_CLOSE, &id);
	node->backing = 0;
}

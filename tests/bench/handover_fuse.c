/*
 * The floor for a file from cat to cat: a file system of one file, F, that does nothing but hand the bytes of a write
 * that waits to the next read, by the requests, sizes and answers that ipcfs uses for a socket's face. No daemon on
 * /dev/fuse can take less: each byte is copied in from one cat and out to the other, and each wakes the daemon once a
 * block. Processors are kept awake meanwhile, as ipcfs does.
 *
 * usage: handover_fuse BLOCK MOUNTPOINT
 */
#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "bench.h"

enum { FILE_INO = 2 };

static struct stat file = {.st_ino = FILE_INO, .st_mode = S_IFREG | 0666, .st_nlink = 1};
static struct fuse_buf buf;
static void *spare; /* a buffer for requests while a write waits in the other */
static fuse_req_t reader, writer;
static size_t room;	 /* the reader's */
static const char *from; /* what is left of the writer's data */
static size_t left, size;
static unsigned writers;
static bool ended;
static int awake = -1;

static void handover_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = {.ino = FILE_INO, .attr_timeout = 86400, .entry_timeout = 86400, .attr = file};

	(void)parent;
	if (strcmp(name, "F") == 0)
		fuse_reply_entry(req, &entry);
	else
		fuse_reply_err(req, ENOENT);
}

static void handover_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat root = {.st_ino = ino, .st_mode = S_IFDIR | 0755, .st_nlink = 1};

	(void)fi;
	fuse_reply_attr(req, ino == FUSE_ROOT_ID ? &root : &file, 86400);
}

static void handover_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	int32_t now = 0;

	(void)ino;
	fi->direct_io = fi->noflush = 1;
	fi->fh = (fi->flags & O_ACCMODE) != O_RDONLY;
	writers += fi->fh != 0;
	ended = ended && !fi->fh;
	/* Only root can; without, it is slower. */
	if (awake < 0 && (awake = open("/dev/cpu_dma_latency", O_WRONLY | O_CLOEXEC)) >= 0)
		(void)!write(awake, &now, sizeof(now));
	fuse_reply_open(req, fi);
}

/* The writer is answered first, so that it makes its next block while this one is copied. */
static void hand_over(void)
{
	size_t n = left < room ? left : room;
	const char *data = from;
	fuse_req_t req = reader;

	from += n;
	left -= n;
	reader = NULL;
	if (!left) {
		fuse_reply_write(writer, size);
		writer = NULL;
	}
	fuse_reply_buf(req, data, n);
}

static void handover_read(fuse_req_t req, fuse_ino_t ino, size_t n, off_t off, struct fuse_file_info *fi)
{
	(void)ino;
	(void)off;
	(void)fi;
	if (!writer && ended) {
		fuse_reply_buf(req, NULL, 0);
		return;
	}
	reader = req;
	room = n;
	if (writer)
		hand_over();
}

static void handover_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t n, off_t off,
			   struct fuse_file_info *fi)
{
	void *mem = buf.mem;

	(void)ino;
	(void)off;
	(void)fi;
	writer = req;
	from = data;
	left = size = n;
	if (reader)
		hand_over();
	if (!writer)
		return;
	buf.mem = spare;
	spare = mem;
}

static void handover_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	if (fi->fh && --writers == 0)
		ended = true;
	else if (!fi->fh)
		ended = false;
	if (ended && reader) {
		fuse_reply_buf(reader, NULL, 0);
		reader = NULL;
	}
	if (!fi->fh && awake >= 0) {
		close(awake);
		awake = -1;
	}
	fuse_reply_err(req, 0);
}

static const struct fuse_lowlevel_ops ops = {
	.lookup = handover_lookup,
	.getattr = handover_getattr,
	.open = handover_open,
	.read = handover_read,
	.write = handover_write,
	.release = handover_release,
};

int main(int argc, char **argv)
{
	char *names[] = {argv[0], "-ofsname=handover,subtype=handover", NULL};
	struct fuse_args args = FUSE_ARGS_INIT(2, names);
	struct fuse_session *se;

	if (argc != 3) {
		fputs("usage: handover_fuse BLOCK MOUNTPOINT\n", stderr);
		return 2;
	}
	file.st_blksize = bench_number(argv[1]);
	se = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	if (!se || fuse_set_signal_handlers(se) != 0 || fuse_session_mount(se, argv[2]) != 0)
		return 1;
	while (!fuse_session_exited(se)) {
		int r = fuse_session_receive_buf(se, &buf);
		struct fuse_buf request = buf;

		if (r == -EINTR)
			continue;
		if (r <= 0)
			break;
		fuse_session_process_buf(se, &request);
	}
	fuse_session_unmount(se);
	fuse_remove_signal_handlers(se);
	fuse_session_destroy(se);
	free(buf.mem);
	free(spare);
	return 0;
}

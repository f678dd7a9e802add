/* Messages cut from a stream of bytes: the facets lines and nul. */
#ifndef IPC_FRAME_H
#define IPC_FRAME_H

#include "ipc.h"

/*
 * The largest message that surely arrives in one piece. FUSE sends a write in pieces of at most 256 pages, and a buffer
 * that starts in the middle of a page loses one of them.
 */
#define IPC_MESSAGE_MAX ((1u << 20) - 4096)

/*
 * A read of lines that has so much room gets as many as are there: it is cat(1)'s, and no shell's that takes one at a
 * time.
 */
enum { IPC_READ_SEVERAL = 128 << 10 };

/*
 * Cuts op's data at delim and gives each message to send(); keeps an unfinished one on the handle.
 * max: the longest message. send: 0, or -errno.
 */
ssize_t ipc_frame_write(struct ipc_op *, char delim, size_t max,
			int (*send)(struct ipc_handle *, const char *, size_t));
/*
 * The same, for who can send many at once: send_several() gets the bytes where a message begins, and returns how many
 * of them it has sent, whole messages with their delimiters; 0: the next one goes by send().
 */
ssize_t ipc_frame_write_several(struct ipc_op *, char delim, size_t max,
				int (*send)(struct ipc_handle *, const char *, size_t),
				size_t (*send_several)(struct ipc_handle *, const char *, size_t));
/*
 * The messages that a write would give to send(), as far as `most` and `bytes` go, in at[]; returns how many. A flush:
 * what is unfinished. The first may lie in *joined, which the caller frees. -ENOMEM.
 */
struct ipc_piece {
	const char *data;
	size_t len;
};
int ipc_frame_peek(const struct ipc_op *, char delim, size_t max, struct ipc_piece *at, int most, size_t bytes,
		   char **joined);
/* Sends the unfinished line; op->type is IPC_FLUSH. */
int ipc_frame_flush(struct ipc_op *, int (*send)(struct ipc_handle *, const char *, size_t));
/* What has been begun of a line: how much, where (if any), and that it comes to nothing. */
size_t ipc_frame_begun(const struct ipc_handle *);
const char *ipc_frame_line(const struct ipc_handle *);
void ipc_frame_drop(struct ipc_handle *);
/*
 * What sends a line that its handle left unfinished, once there is room for it. Made when the line begins, so that
 * there is memory for it when the handle is closed.
 */
struct ipc_linger {
	struct ipc_op op;
	struct ipc_garbage garbage;
};

/* Whether it has to be sent when the handle is closed. */
bool ipc_frame_lingers(const struct ipc_handle *);
/* The memory that is in use; and its end. */
size_t ipc_frame_size(const struct ipc_handle *);
void ipc_frame_free(struct ipc_handle *);
/* The delimiter that h's facets ask for, or `none`. */
int ipc_frame_delim(const struct ipc_handle *, int none);

#endif

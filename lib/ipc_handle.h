/* Open files and what is done with them: the second half of ipc.h, which includes it. */
#ifndef IPC_HANDLE_PUBLIC_H
#define IPC_HANDLE_PUBLIC_H

#ifndef IPC_H
#error "include ipc.h"
#endif

/* Operations on handles. */
enum ipc_op_type { IPC_OPEN, IPC_READ, IPC_WRITE, IPC_FLUSH };

/*
 * The memory of malloc(3) that a write's data lie in. Whoever wants to keep the data may take it, and leaves other
 * memory of the same size in its place, or NULL.
 */
struct ipc_loan {
	char *mem;
	size_t size;
};

/*
 * One operation. The caller fills it and calls ipc_submit(). When that says -EAGAIN for good (nonblock) or anything
 * else, the operation is over. When it says IPC_WOULD_PARK, the caller may copy it to memory that stays, with the data
 * to be written, set complete, and ipc_park() the copy; complete() is then called exactly once.
 */
struct ipc_op {
	struct ipc_list link, handle_link; /* of those who wait for the same, of the handle's */
	struct ipc_waitq *waitq;
	struct ipc_timer timer, telling; /* telling: of MNT/events that it waits */
	struct ipc_timer files_due;	 /* waiter.h */
	struct ipc_waiter *waiter;
	enum ipc_op_type type;
	bool nonblock;
	bool charged; /* to the caller, while parked */
	bool taken;   /* READ: from the channel, and not what the handle had kept */
	bool hopes;   /* WRITE: could be done now, and waits a moment for a better way; nonblock: does not */
	bool held;    /* over, with `outcome`; who holds it answers it later */
	ssize_t outcome;
	/* it was interrupted, or ran out of time, and waits only for an answer that is on its way: -errno */
	int ending;
	struct ipc_cred cred;
	struct ipc_handle *handle;
	int64_t since;	  /* ipc_now() when it was parked */
	const char *data; /* WRITE: what to write. READ: what was read, valid until the next call into libipc */
	size_t size;	  /* bytes to write, or room for reading */
	/* WRITE: stays until the operation is over; NULL: the data are the caller's */
	struct ipc_loan *loan;
	size_t done;  /* WRITE: bytes taken so far */
	off_t offset; /* READ of a seekable handle; WRITE too where it is a plain file */
	bool onward;  /* READ: goes on behind the last one, whatever its offset */
	/*
	 * result: bytes, 0 or -errno; op->data is set for a READ. Returns 0, or -errno when the result could not be
	 * delivered: a message that was taken for it then goes back. May free op by ipc_loop_free_later() only.
	 */
	int (*complete)(struct ipc_op *, ssize_t result);
};

enum { IPC_WOULD_PARK = -4096 };

/*
 * Makes a handle for ref with open(2)'s flags. On 0, *out must be brought to use by submitting an IPC_OPEN operation on
 * it, and closed by ipc_close() whatever became of that. -ESTALE: the object that `ino` (ipc_stat's) named is gone.
 */
int ipc_handle_new(struct ipc *, const struct ipc_cred *, const struct ipc_ref *, int flags, ino_t ino,
		   struct ipc_handle **out);
/* Also with operations parked: they end with -EBADF. What lingers (an unfinished line) is sent in the background. */
void ipc_close(struct ipc_handle *);

/* -EAGAIN is final here (op->nonblock). IPC_WOULD_PARK: see struct ipc_op. */
ssize_t ipc_submit(struct ipc_op *);
void ipc_park(struct ipc_op *);
/* What an operation that cannot go on says: what it did, if it did anything; otherwise err (-errno). */
ssize_t ipc_op_outcome(const struct ipc_op *, int err);
/*
 * A READ that ipc_submit() completed with result > 0 could not be delivered: its message goes back where that is
 * possible.
 */
void ipc_undeliver(struct ipc_op *, ssize_t result);
/* Ends a parked operation with -EINTR, or with what it did so far. Does nothing to one that is over. */
void ipc_interrupt(struct ipc_op *);

/*
 * poll(2)'s revents. With notify, ready() is called once when more may have become true. wanted: poll(2)'s events; idle
 * and timeout end the wait for them as they end a read. ipc_poll(): for whatever may come.
 */
unsigned ipc_poll_for(struct ipc_handle *, unsigned wanted, bool notify);
static inline unsigned ipc_poll(struct ipc_handle *h, bool notify)
{
	return ipc_poll_for(h, ~0u, notify);
}
void ipc_handle_on_ready(struct ipc_handle *, void (*ready)(void *arg), void *arg);

/* Whether reads and writes are independent of any offset (both directions are open). */
bool ipc_handle_is_duplex(const struct ipc_handle *);
/*
 * Whether closing a descriptor can have something to report (an IPC_FLUSH operation): only for an unfinished line, or
 * always.
 */
enum ipc_flush { IPC_FLUSH_NEVER, IPC_FLUSH_UNFINISHED, IPC_FLUSH_ALWAYS };
enum ipc_flush ipc_handle_wants_flush(const struct ipc_handle *);
/* Whether a line has been begun that only the last close can end. */
bool ipc_handle_has_unfinished(const struct ipc_handle *);
/*
 * Whether the thread has written to what ends (by an IPC_FLUSH operation) with its process's last descriptor: the facet
 * half.
 */
bool ipc_handle_ends_with(const struct ipc_handle *, pid_t thread);
/* Whether its regular files are plain ones: with a size, and for any number of handles on one inode. */
bool ipc_ref_is_plain(const struct ipc_ref *);
/*
 * Whether the name leads out of the mount, to a file whose number is what stat(2) shows: sqlite compares it with its
 * descriptor's.
 */
bool ipc_ref_is_elsewhere(const struct ipc_ref *);
/* Before it is made by an open(2) with these flags. */
void ipc_ref_made_by(struct ipc_ref *, int flags);
/*
 * A file that the kernel can serve the handle from, without us, and has to if the ref is abroad; the descriptor stays
 * the handle's. -1: there is none. refuse: the kernel will not; a line for MNT/errors, and -EOPNOTSUPP.
 */
int ipc_handle_backing(const struct ipc_handle *);
/*
 * A descriptor whose locks are the open file's: flock(2), and fcntl_locking(2) of open file descriptions. -1: there are
 * none.
 */
int ipc_handle_lock_fd(const struct ipc_handle *);
int ipc_refuse_backing(struct ipc *, const struct ipc_cred *, const struct ipc_ref *);
/*
 * How the process that closes a descriptor of a file does it, which decides what becomes of the messages that the
 * reader owes: settle.h. CLOSED: by close(2), and goes on. SUCCESS, FAILURE: it exits, with status 0 or otherwise.
 * UNKNOWN: not to be seen.
 */
enum ipc_end { IPC_END_UNKNOWN, IPC_END_CLOSED, IPC_END_SUCCESS, IPC_END_FAILURE };
/*
 * Whether ipc_handle_ends() should be told. Each close(2) or exit may be the last one; what counts is what came before
 * ipc_close().
 */
bool ipc_handle_owes(const struct ipc_handle *);
void ipc_handle_ends(struct ipc_handle *, pid_t closer, enum ipc_end);
/*
 * lseek(2) from the end was tried, and refused: what tail(1) does. follows: whether reads now end where no more has
 * come yet; then stat is to show this size: what was read, and more if there is more.
 */
void ipc_handle_seeks_end(struct ipc_handle *);
bool ipc_handle_follows(const struct ipc_handle *, off_t *size);
/* stat(2) of a handle that is a plain file; a channel's size is 0. */
int ipc_handle_stat(struct ipc_handle *, struct stat *);

/*
 * The data of NAME@fifo: from a handle that reads into the pipe fd, or from the pipe into a handle that writes. Takes
 * over the handle, which is ready for use and has one direction, and our end of the pipe (O_NONBLOCK, the only one of
 * its side). start: the client has his end. check: he may have closed it. ended() is called once, from the loop, when
 * there is nothing more to do; free() may be called by it or at any other time, gives back what the client has not
 * read, and closes both. new: NULL with errno, and nothing is taken over.
 */
struct ipc_pump;
struct ipc_pump *ipc_pump_new(struct ipc_handle *, int fd, void (*ended)(void *arg), void *arg);
void ipc_pump_start(struct ipc_pump *);
void ipc_pump_check(struct ipc_pump *);
void ipc_pump_free(struct ipc_pump *);

#endif

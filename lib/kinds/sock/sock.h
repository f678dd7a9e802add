/* What the files of the kind sock share: its channels and handles, and who opens, connects, reads and writes. */
#ifndef IPC_SOCK_H
#define IPC_SOCK_H

#include <sys/socket.h>
#include <sys/un.h>

#include "core/chan.h"
#include "core/handle.h"
#include "core/op.h"

struct sock_dial;
struct sock_binding;
struct sock_pair;

/*
 * A name in /sock. st_mode S_IFSOCK: a server bound it through the mount, and the socket is the server's. Else a file
 * user made it: the socket is ours and has an address, unless it only stands for a socket elsewhere (target).
 */
struct sock_chan {
	struct ipc_chan chan;
	struct ipc_waitq room;	  /* connects that found the backlog full; accepting wakes them */
	struct ipc_list returned; /* datagrams that were taken and could not be delivered */
	struct ipc_list pending;  /* connections of file users that wait to be accepted */
	unsigned pending_count;
	int fd;			      /* ours: receives datagrams, or listens at the address once that is wanted; -1 */
	int tx;			      /* datagrams: connected to fd, for file users; -1 */
	bool bound, closed;	      /* fd has the address; nobody will accept any more */
	struct sock_binding *binding; /* on its way to the address; NULL */
	int type;		      /* SOCK_STREAM, ...; 0: not known yet (not ours) */
	char *target;		      /* path, or @abstract; NULL */
	int text;		      /* no socket, but a text in memory: text.c; -1 */
	unsigned acceptors;	      /* handles that have yet to accept their connection */
};

/* What an open file of /sock is for. */
enum sock_role {
	SOCK_ACCEPTS,  /* @listen: the open waits for a client */
	SOCK_READS,    /* read-only: the first read accepts */
	SOCK_CONNECTS, /* to our own socket */
	SOCK_DIALS,    /* to somebody else's */
	SOCK_RECEIVES, /* datagrams from the channel's own socket */
	SOCK_KEEPS,    /* a text */
};

struct sock_handle {
	struct ipc_handle h;
	struct ipc_waitq own; /* for the connection */
	enum sock_role role;
	bool accepts; /* counted in sock_chan.acceptors */
	bool late;    /* connects when it is used first */
	int fd;	      /* the connection; -1: none yet */
	int type;
	struct sock_pair *pair; /* with another handle of ours; NULL */
	int side;		/* which end of it is s */
	int root;		/* where the dial's path begins, and ours to close; -1: as for us */
	struct sock_dial *dial; /* under way */
	int error;		/* of the dial; 0 */
};

static inline struct sock_chan *sock_chan(struct ipc_chan *chan)
{
	return ipc_container(chan, struct sock_chan, chan);
}

static inline struct sock_handle *sock_handle(struct ipc_handle *h)
{
	return ipc_container(h, struct sock_handle, h);
}

/* sock.c. Closes the socket, once nobody can accept from it any more. */
void sock_close_listener(struct sock_chan *);
/* "stream", ...; "unknown" for 0. */
const char *sock_type_name(int type);

/*
 * address.c. await: look ends when the channel's address is bound; 0 or -errno. end: the channel goes, or has lost its
 * name.
 */
struct sock_chan *sock_address_of(struct ipc *, ino_t); /* whose is being bound; or NULL */
int sock_address_await(struct ipc *, struct sock_chan *, struct ipc_look *);
void sock_address_end(struct sock_chan *);

/*
 * backlog.c. Connections between two file users never leave us: a pair of sockets, one end of which waits here to be
 * accepted.
 */
/* The descriptor of the end that s has then, or -errno; -EAGAIN: too many wait. */
int sock_pending_add(struct sock_chan *, struct sock_handle *s);
/* The same of the other end; -EAGAIN: nobody waits. */
int sock_pending_take(struct sock_chan *, struct sock_handle *s);
void sock_pending_close(struct sock_chan *);
/* fd and tx for datagrams: 0 or -errno. */
int sock_make_datagrams(struct sock_chan *);

/*
 * pair.c. The two ends of a connection between file users know each other, so that what one writes can go to a read of
 * the other's that waits, without a way through the kernel's socket. NULL when out of memory; freed by the last who
 * leaves.
 */
struct sock_pair *sock_pair_new(void);
void sock_pair_join(struct sock_pair *, struct sock_handle *, int side);
void sock_pair_leave(struct sock_handle *);
/* Nobody will take the end that waits to be accepted. */
void sock_pair_abandon(struct sock_pair *);
/* A stream's, whether it is one of a pair or not. */
ssize_t sock_pair_read(struct ipc_op *);
ssize_t sock_pair_write(struct ipc_op *);
/* Whether the other end's write waits for a read of s. */
bool sock_pair_has(const struct sock_handle *);

/* bound.c: the lines of NAME@ctl for a socket that a server has bound. */
void sock_bound_show(const struct sock_chan *, FILE *);

/* connect.c */
int sock_open(struct ipc_handle *, const struct ipc_ref *, int flags, ino_t ino);
int sock_connect(struct ipc_op *);
void sock_close(struct ipc_handle *);
/* Gives s its connection. Takes fd. 0, or -errno: nobody could wait on it. */
int sock_attach(struct sock_handle *s, int fd, int type);
/* Connects what is late. 0: s has its connection, or -errno; -EAGAIN: not yet. */
int sock_connect_late(struct sock_handle *s);
/* 0: s has its connection. -EAGAIN: nobody is there. -ENOENT: nor will be, as the name is gone. */
int sock_accept(struct sock_handle *s);

/*
 * dial.c. place: while its opener still waits for the open, where its path or name leads for him: a look at him later
 * could wait for an execve(2) of his that waits for us. Sets s->root. 0 or -errno.
 */
int sock_dial_place(struct sock_handle *s);
/* Connects s to the socket of its channel; s->dial is set until s->fd or s->error is. 0 or -errno. */
int sock_dial_start(struct sock_handle *s);
void sock_dial_cancel(struct sock_handle *s);
/* Makes a socket that can be written to and, if `answers`, be answered. Returns it, or -errno. */
int sock_make(int type, bool answers);
/* Gives a new one room for a packet, as much of that as we may. */
void sock_outfit(int fd, int type);

/*
 * path.c: NAME@connect=/PATH, a name with directories in it. stat: 0, or -errno (-EINPROGRESS: ask sock_look()), or 1:
 * it is a plain name, or one of c, which may be NULL.
 */
int sock_path_stat(struct ipc *, const struct ipc_ref *, const struct sock_chan *c, struct stat *);
int sock_look(const struct ipc_look *, int root);

/*
 * text.c. make: c becomes one, on the account of who made it. open: the handle's; flags as open(2)'s. read, write: at
 * op->offset.
 */
int sock_text_make(struct sock_chan *c, const struct ipc_cred *);
void sock_text_free(struct sock_chan *c);
off_t sock_text_size(const struct sock_chan *c);
int sock_text_resize(struct sock_chan *c, off_t size);
int sock_text_stat(struct ipc_handle *, struct stat *); /* -EOPNOTSUPP: it is none */
int sock_text_open(struct sock_handle *, int flags);
ssize_t sock_text_read(struct ipc_op *);
ssize_t sock_text_write(struct ipc_op *);

/* io.c */
ssize_t sock_read(struct ipc_op *);
ssize_t sock_write(struct ipc_op *);
int sock_flush(struct ipc_op *);
/* The descriptor, where it is of a connection that can be ended for writing alone; else -1. */
int sock_connection(struct ipc_handle *);
bool sock_put_back(struct ipc_op *, const char *packet, size_t len);
unsigned sock_poll(struct ipc_handle *);
void sock_forget_returned(struct sock_chan *);

extern const struct ipc_kind_ctl sock_ctl;

#endif

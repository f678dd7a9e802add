/*
 * What the files of the kind net share: names, channels and handles, and who resolves, connects, listens and transfers.
 */
#ifndef IPC_NET_H
#define IPC_NET_H

#include <netdb.h>
#include <sys/socket.h>

#include "core/chan.h"
#include "core/handle.h"
#include "core/instance.h"
#include "core/kind.h"
#include "kinds/kinds.h"
#include "core/op.h"

/* tcp/HOST/PORT, taken apart. */
struct net_name {
	int type; /* SOCK_STREAM, SOCK_DGRAM */
	char host[IPC_NAME_MAX + 1], port[IPC_NAME_MAX + 1];
};

/* An address of tcp(7) or udp(7), with its length. */
struct net_address {
	socklen_t len;
	struct sockaddr_storage sa;
};

enum { NET_ADDRESS_TEXT = 128, NET_SOCKETS_MAX = 8 };

/*
 * How long a port stays bound behind the last who listened there: the next turn of a loop in a shell must not find it
 * closed.
 */
#define NET_LINGER INT64_C(5000000000)

struct net_query;

/* A name that somebody has open, or where we still listen. */
struct net_chan {
	struct ipc_chan chan;
	struct net_name name;
	unsigned listeners;	  /* handles of @listen, what they accepted included, and the binder's of @ctl */
	int fds[NET_SOCKETS_MAX]; /* listening, or receiving; one for each address of the host */
	unsigned fd_count;	  /* 0: not bound (yet) */
	struct net_query *query;  /* for our own addresses, under way */
	int error;		  /* why they cannot be bound; 0 */
	struct ipc_cred binder;	  /* for whom; the port is no other user's */
	struct ipc_timer linger;
};

/* What all names share. */
struct net {
	struct timespec started;
	unsigned queries;	  /* that helpers have */
	struct ipc_list querying; /* whose they are: struct ipc_pool_part */
};

enum net_role {
	NET_CONNECTS, /* or sends, to the name */
	NET_ACCEPTS,  /* a connection to the name */
	NET_RECEIVES, /* datagrams to the name */
};

struct net_handle {
	struct ipc_handle h;
	struct ipc_waitq own; /* for the connection */
	enum net_role role;
	int fd;				      /* the connection; -1: none (yet) */
	bool connected, late;		      /* late: connects when it is used first */
	int error;			      /* of connecting; 0 */
	struct net_query *query;	      /* under way */
	struct addrinfo *addresses, *untried; /* of the name */
	struct net_address peer;	      /* of fd; NET_RECEIVES: who sent what was read last */
	int peer_fd;			      /* NET_RECEIVES: the socket it came by */
};

static inline struct net_chan *net_chan(struct ipc_chan *chan)
{
	return ipc_container(chan, struct net_chan, chan);
}

static inline struct net_handle *net_handle(struct ipc_handle *h)
{
	return ipc_container(h, struct net_handle, h);
}

static inline struct net *net_of(struct ipc *ipc)
{
	return *ipc_kind_data(ipc, &ipc_net);
}

/* net.c. "127.0.0.1:80", "[::1]:80"; returns text. */
const char *net_address_text(const struct net_address *, char text[static NET_ADDRESS_TEXT]);
bool net_is_any(const struct net_name *); /* the host is '*' */
/* Without handles, and not listening any more, a name is forgotten. */
void net_release(struct net_chan *);

/*
 * resolve.c. Asks for the addresses of a name, for binding if `passive`. done() is called once, perhaps from within:
 * err is 0 with addresses, to be given to freeaddrinfo(3), or -errno, with its cause in MNT/errors. Returns NULL where
 * done() has been called, else a query; when it is cancelled done() is not called any more.
 */
struct net_query *net_resolve(struct ipc *, const struct ipc_cred *, const struct net_name *, bool passive,
			      void (*done)(void *arg, int err, struct addrinfo *), void *arg);
void net_resolve_cancel(struct net_query *); /* accepts NULL */

/* dial.c. 0: connected. -EAGAIN: on the way. Otherwise why it is not. */
int net_dial(struct net_handle *);
void net_dial_end(struct net_handle *);
void net_waits_for(const struct ipc_op *, char *text, size_t size);
/* Acting as the caller: cred.h. Where we cannot be he, -o net has lent him what we are. */
int net_enter(const struct ipc_cred *);
void net_leave(const struct ipc_cred *);
/* A socket as the caller makes it; -errno. */
int net_socket(const struct ipc_cred *, const struct addrinfo *);

/* listen.c. join: a handle wants the name to be listened on, 0 or -errno; leave: no more. */
int net_listen_join(struct net_handle *);
void net_listen_leave(struct net_chan *);
void net_listen_stop(struct net_chan *);
/* 0: bound, -EAGAIN: not yet, or why it cannot be. */
int net_listening(const struct net_chan *);
/* 0: the handle has its connection. -EAGAIN: nobody is there. */
int net_accept(struct net_handle *);
int net_clients(struct ipc_chan *);
bool net_listen_keep(struct ipc_chan *, const struct ipc_cred *);
void net_listen_unkeep(struct ipc_chan *);

/* io.c */
ssize_t net_read(struct ipc_op *);
ssize_t net_write(struct ipc_op *);
int net_flush(struct ipc_op *);
/* The descriptor, where it is of a connection that can be ended for writing alone; else -1. */
int net_connection(struct ipc_handle *);
unsigned net_poll(struct ipc_handle *);
/* Gives n its connection. Takes fd. 0 or -errno. */
int net_attach(struct net_handle *n, int fd);

extern const struct ipc_kind_ctl net_ctl;

#endif

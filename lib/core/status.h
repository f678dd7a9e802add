/*
 * MNT/status in its forms. status.c walks the channels that the reader sees, in steps; a writer makes of them what he
 * gets: status_lines.c, status_json.c, status_metrics.c, status_dot.c.
 */
#ifndef IPC_STATUS_H
#define IPC_STATUS_H

#include "chan.h"
#include "kind.h"

/* A channel, as the reader may see it. */
struct ipc_status_row {
	const struct ipc_kind *kind;
	const char *name;
	const struct ipc_chan *chan;	 /* what is remembered of it, or NULL; valid for this row only */
	const struct ipc_counts *counts; /* also where there is no chan */
	ino_t ino;			 /* of the object, as its kind has it; 0: not known */
	struct ipc_depth depth;
	bool told;     /* it is what it was at the look before */
	bool mediated; /* who opens it and who waits is known: their operations come to us */
	bool readable; /* the reader may know who is at it */
};

struct ipc_status_writer {
	bool again;			    /* for who asks again and again: status_again.h */
	void (*begin)(struct ipc_status *); /* or NULL */
	/* 0 or -errno. */
	int (*row)(struct ipc_status *, const struct ipc_status_row *);
	/* 1: there is more to write, in another step; 0, or -errno. Or NULL. */
	int (*end)(struct ipc_status *);
	/* Of what it has kept in s->kept: its bytes, and freeing it. Or NULL. */
	size_t (*memory)(const struct ipc_status *);
	void (*free)(struct ipc_status *);
};

struct ipc_status {
	struct ipc *ipc;
	struct ipc_cred cred; /* the reader */
	const struct ipc_status_writer *writer;
	FILE *out;
	bool begun;
	bool first; /* no row has been written */
	void *kept; /* the writer's */

	unsigned next;		     /* index of the kind behind this one */
	const struct ipc_kind *kind; /* NULL: not begun */
	struct ipc_listing *listing; /* of this kind; NULL: it has no more names */
	char *names;		     /* some of them, each with its NUL */
	const char *list;	     /* the same, or all of them in `again` */
	size_t len, size, at;
	size_t number;		 /* of the name at `at` */
	struct ipc_again *again; /* status_again.h; or NULL */
	bool over;		 /* all rows are written */
	int listed;		 /* -errno where a kind could not be listed whole */
};

extern const struct ipc_status_writer ipc_status_lines, ipc_status_json, ipc_status_brief, ipc_status_metrics,
	ipc_status_dot;

#endif

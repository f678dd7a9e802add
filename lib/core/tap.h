/*
 * NAME@tap: a copy of every message that is written to a channel, or read from it, by the files of this mount. It takes
 * nothing, and nobody waits for who reads it.
 */
#ifndef IPC_TAP_H
#define IPC_TAP_H

#include "chan.h"
#include "log.h"

/*
 * Written to the channel; read from it; what was read and goes back, as it did not reach its reader or was not settled.
 */
enum ipc_tap_way { IPC_TAP_IN, IPC_TAP_OUT, IPC_TAP_BACK };

/* How such a name is opened: as a kind that no directory shows. */
extern const struct ipc_kind ipc_tap_kind;

/* To be called while chan->taps is set. pid: of whoever wrote or read. */
void ipc_tap_note(struct ipc_chan *, enum ipc_tap_way, pid_t pid, const char *data, size_t n);
/* A write by that process begins: what is sent from now on is its. */
void ipc_tap_write_begins(struct ipc_chan *, pid_t);
pid_t ipc_tap_writer(const struct ipc_chan *);
/* The channel's name or its last open file has gone: there may be nothing more to come. */
void ipc_tap_wake(struct ipc_chan *);
unsigned ipc_tap_count(const struct ipc_chan *);

static inline void ipc_tap(struct ipc_chan *chan, enum ipc_tap_way way, pid_t pid, const char *data, size_t n)
{
	if (chan->taps)
		ipc_tap_note(chan, way, pid, data, n);
}

static inline void ipc_tap_sent(struct ipc_chan *chan, const char *data, size_t n)
{
	if (chan->taps)
		ipc_tap_note(chan, IPC_TAP_IN, ipc_tap_writer(chan), data, n);
}

/* --- for the files of taps: tap.c notes what passes, tap_file.c reads it out --- */

enum { IPC_TAP_COMMAND = 16 };

/* Of a channel. */
struct ipc_taps {
	struct ipc_log *log;
	unsigned count, metas; /* open taps, and those of them that tell of processes */
	pid_t writer;	       /* whose write is being served */
	pid_t seen;
	int64_t seen_until;
	char command[IPC_TAP_COMMAND]; /* of `seen` */
};

/* A message that has passed. */
struct ipc_tap_record {
	struct ipc_log_record log;
	enum ipc_tap_way way;
	pid_t pid;
	char command[IPC_TAP_COMMAND];
	size_t len;
	char data[];
};

#endif

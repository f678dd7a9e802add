/*
 * MNT/events: what happens to channels, a line each, to everybody who has it open.
 *
 * Whoever does something tells of it here. Without a reader that costs one look at ipc->events. With readers an event
 * is noted once, and written out for each of them when he reads: what he may know differs, and so do the numbers of
 * processes.
 */
#ifndef IPC_EVENT_H
#define IPC_EVENT_H

#include "chan.h"
#include "instance.h"
#include "log.h"

enum ipc_event_type {
	IPC_EVENT_MADE,
	IPC_EVENT_REMOVED,
	IPC_EVENT_OPENED,
	IPC_EVENT_CLOSED,
	IPC_EVENT_WAITING,
	IPC_EVENT_FULL,
	IPC_EVENT_GIVEN_BACK,
	IPC_EVENT_DEAD,
	IPC_EVENT_REFUSED,
	IPC_EVENT_DROPPED,
	IPC_EVENT_DEADLOCK,
};

/* A key=value of the line. */
struct ipc_event_value {
	const char *key;  /* NULL: none. Not copied */
	const char *text; /* NULL: it is the number */
	uint64_t number;
	bool words;  /* a text with spaces in it, which stands last */
	bool of_who; /* only for those who are told which process it was */
};

enum { IPC_EVENT_VALUES = 2 };

struct ipc_event {
	enum ipc_event_type type;
	const char *path;	   /* "mq/jobs" */
	const struct stat *st;	   /* of the channel: whoever may read it is told who did it; NULL: his own user is */
	const struct ipc_cred *by; /* who did it; NULL: nobody in particular */
	bool own;		   /* of no concern to other users at all, as a refusal */
	struct ipc_event_value value[IPC_EVENT_VALUES];
};

/* All of these may be called only while ipc->events is set. value: of IPC_EVENT_VALUES, or NULL. */
void ipc_event(struct ipc *, const struct ipc_event *);
void ipc_event_of_chan(struct ipc_chan *, enum ipc_event_type, const struct ipc_cred *by,
		       const struct ipc_event_value *value);
/* st: NULL where it is to be asked for. */
void ipc_event_of_ref(struct ipc *, enum ipc_event_type, const struct ipc_cred *by, const struct ipc_ref *,
		      const struct stat *st, const struct ipc_event_value *value);
/* event_op.c. What a handle has to tell, opened or closed; an operation, when it was tried; and when it is parked. */
void ipc_event_opened(struct ipc_handle *, const struct ipc_cred *by, bool opened);
void ipc_event_tried(const struct ipc_op *, ssize_t result);
void ipc_event_parked(struct ipc_op *);

/* So many messages of a channel, or nothing where none were. */
static inline void ipc_event_messages(struct ipc_chan *chan, enum ipc_event_type type, const struct ipc_cred *by,
				      uint64_t count)
{
	const struct ipc_event_value value[IPC_EVENT_VALUES] = {{.key = "messages", .number = count}};

	if (chan->ipc->events && count)
		ipc_event_of_chan(chan, type, by, value);
}

/* --- for the files of events: event.c keeps them, event_file.c reads them out, event_text.c writes them --- */

enum { IPC_EVENT_LINE_MAX = 16384, IPC_EVENT_COMMAND = 16 };

/*
 * An event as it is kept. The texts stand one behind the other, each with its NUL: the path, then the values that are
 * texts.
 */
struct ipc_event_record {
	struct ipc_log_record log;
	enum ipc_event_type type;
	pid_t pid; /* 0: nobody's */
	uid_t uid;
	bool own, known; /* known: owner and mode are the channel's */
	uid_t owner;
	gid_t group;
	mode_t mode;
	char command[IPC_EVENT_COMMAND];
	struct ipc_event_value value[IPC_EVENT_VALUES];
	char text[];
};

/* Writes its line for who opened the file, with the newline; returns its length, less than IPC_EVENT_LINE_MAX. */
size_t ipc_event_write(struct ipc *, const struct ipc_event_record *, const struct ipc_cred *opener, bool json,
		       char *line);
/* The line that says how many were lost. */
size_t ipc_event_write_lost(uint64_t lost, bool json, char *line);

#endif

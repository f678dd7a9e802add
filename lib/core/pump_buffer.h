/* What a pump has taken from one side and the other has not got yet. For pump.c only. */
#ifndef IPC_PUMP_BUFFER_H
#define IPC_PUMP_BUFFER_H

#include <stddef.h>

struct ipc_handle;

/* A message in the buffer. */
struct pump_note {
	size_t len;
	unsigned prio;
};

/* Zero-initialised is empty. data and notes are its owner's to free. */
struct ipc_pump_buffer {
	/*
	 * Feeding the pipe: what has not all been read, of which the pipe was given `at` bytes. Else: what is to be
	 * written.
	 */
	char *data;
	size_t len, at, size;
	struct pump_note *notes; /* of the messages in data */
	size_t note_first, note_count, note_size;
};

/* 0, or -errno of ipc_quota_grow(). */
int ipc_pump_buffer_append(struct ipc_pump_buffer *, struct ipc_handle *, const char *data, size_t n);
/* The next `len` bytes that are appended are a message. */
void ipc_pump_buffer_note(struct ipc_pump_buffer *, size_t len, unsigned prio);
/* Drops the notes of what could not be appended: it goes back by itself. */
void ipc_pump_buffer_drop_notes(struct ipc_pump_buffer *);
/* Drops the messages that have been read whole; `unread` bytes are still in the pipe. */
void ipc_pump_buffer_forget(struct ipc_pump_buffer *, size_t unread);
/*
 * Gives back, from the last to the first, the messages that the reader had not all of. Of the one that he was reading
 * he may lack the newline, and has read it all the same.
 */
void ipc_pump_buffer_give_back(struct ipc_pump_buffer *, struct ipc_handle *, size_t unread);

#endif

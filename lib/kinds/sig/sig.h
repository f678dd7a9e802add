/*
 * What the files of the kind sig share: sig.c has the names and the open files, send.c the sending as somebody else,
 * list.c whom the caller sees.
 */
#ifndef IPC_SIG_H
#define IPC_SIG_H

#include <signal.h>

#include "core/handle.h"
#include "words.h"

struct sig_sending;

struct sig_handle {
	struct ipc_handle h;
	pid_t pid;   /* as ours */
	pid_t shown; /* as its opener's */
	bool abroad; /* he is in another PID namespace */
	int fd;

	struct sig_sending *sending; /* a helper is at it; NULL */
	struct ipc_timer again;	     /* when there was no helper */
	bool answered;		     /* `result` is the answer to what `asked` says, and has not been given yet */
	int result;
	struct {
		pid_t writer;
		size_t at; /* which line of the write it is: where it begins */
		struct sig_words words;
	} asked;
};

/*
 * Sends, as who opened the file: 0 with the answer in s->result; or -EINPROGRESS, and s->h.waitq is woken when there is
 * an answer, or when it is to be tried again; or -errno. info: of a signal that is queued with a value, or NULL.
 */
int sig_send_start(struct sig_handle *, const siginfo_t *info, int signal);
/* The handle is closed. What is under way goes on. */
void sig_send_forget(struct sig_handle *);

/* list.c: the kind's find(), each_name() and found_free(). */
int sig_find(struct ipc_listing *);
int sig_each_name(struct ipc_listing *);
void sig_found_free(void *);

#endif

/*
 * Runs a scenario against libipc again and again, each time short of something else: the N-th allocation of this thread
 * fails, or no more than N descriptors can be had. A call that says so (ENOMEM, EMFILE) is made once more without the
 * shortage, and must do what it does in a run with plenty; so a scenario reads like a plain test. After each run no
 * descriptor may be left, and behind the last one no memory.
 *
 *	static void queue(void)
 *	{
 *		scarce_create(&ipc_mq, "q");
 *		struct file *f = scarce_open(&ipc_mq, "q", O_RDWR);
 *		...
 *	}
 *	Test(scarce, mq) { scarce_run(queue, NULL); }
 *
 * Allocations are counted only within lean() and what is built of it; helper threads' never are.
 */
#ifndef TESTS_SCARCITY_H
#define TESTS_SCARCITY_H

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "fixture.h"

/* The instance of the run. */
extern struct ipc_loop *loop;
extern struct ipc *ipc;
extern struct ipc_cred me;
/* A directory that plays the mount point, with one for each kind in it. */
extern char mountpoint[];

/* asked: NULL for none; prefix and mountpoint are set by the run. */
void scarce_run(void (*scenario)(void), const struct ipc_options *asked);
/* The same for a scenario that makes its own instance by scarce_start(). */
void scarce_run_bare(void (*scenario)(void), const struct ipc_options *asked);
void scarce_start(void);
void scarce_stop(void);

void scarce_begin(void);
/* Ends the shortage; whether `result` is its fault. */
bool scarce_end(long result);

/* The call's result. Evaluates it once more where the shortage is to blame. */
#define lean(call)                                                                                                     \
	({                                                                                                             \
		scarce_begin();                                                                                        \
		long lean_ = (long)(call);                                                                             \
		if (scarce_end(lean_))                                                                                 \
			lean_ = (long)(call);                                                                          \
		lean_;                                                                                                 \
	})
#define lean_ok(call)                                                                                                  \
	do {                                                                                                           \
		long ok_ = lean(call);                                                                                 \
		cr_assert_geq(ok_, 0, "%s: %s; %s", #call, strerror((int)-ok_), scarce_where());                       \
	} while (0)

/* Which run of which shortage this is. */
const char *scarce_where(void);
/* From here on there is plenty; and as before again. */
void scarce_spare(bool);
/* Whether the shortage is to blame for it. */
bool scarce_is_to_blame(long result);

/* An open file, with the position that a descriptor would have. */
struct file {
	struct ipc_handle *h;
	off_t at;
};

struct scarce_call {
	struct u_call u;
	struct file *file;
};

/* An open that may have to wait. What failed by the shortage is begun anew, with another handle. */
struct opening {
	const struct ipc_kind *kind;
	const char *name;
	int flags;
	struct file file;
	struct scarce_call call;
};

struct ipc_ref scarce_ref(const struct ipc_kind *, const char *name);
void scarce_create(const struct ipc_kind *, const char *name);
struct file scarce_open(const struct ipc_kind *, const char *name, int flags);
void opening_start(struct opening *, const struct ipc_kind *, const char *name, int flags);
struct file opening_end(struct opening *);
void scarce_close(struct file *);
void scarce_unlink(const struct ipc_kind *, const char *name);

/* Starts an operation; data: what to write. */
void call_start(struct scarce_call *, struct file *, enum ipc_op_type, const char *data, size_t size);
/* Turns the loop until it is over. */
ssize_t call_end(struct scarce_call *);
/* Ends it by an interrupt, if it has not ended yet. */
ssize_t call_interrupt(struct scarce_call *);
/* Both at once. get: fails unless just `expected` comes. */
ssize_t put(struct file *, const char *text);
void get(struct file *, const char *expected, size_t size);
/* What a read that must not wait says. */
ssize_t try_get(struct file *);
/* Writes all of it, however it is taken. */
void put_all(struct file *, const char *text);
/* Polls until one of the events is there. */
void await_events(struct file *, unsigned events);
/* Reads NAME@ctl and looks for the text. */
void ctl_has(const struct ipc_kind *, const char *name, const char *text);
void ctl_set(const struct ipc_kind *, const char *name, const char *line);
bool listed(const struct ipc_kind *, const char *name);

#endif

/*
 * What the unit tests of the kinds share: an instance without a mount, names of its one kind, and
 * operations on them as our own user. A call that goes wrong where it is not the test's subject fails the test.
 */
#ifndef UNIT_FIXTURE_H
#define UNIT_FIXTURE_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/chan.h"
#include "core/frame.h"
#include "core/handle.h"
#include "core/instance.h"
#include "kinds/kinds.h"
#include "core/op.h"
#include "core/ref.h"
#include "ipc.h"

/* Of the test; may be replaced by u_start(). */
extern struct ipc_loop *u_loop;
extern struct ipc *u_ipc;
/* Of kernel names, so that tests at the same time do not meet; what bears it in /dev/shm goes with the test. */
extern char u_prefix[32];

/* Where it believes to be mounted, as a suite's .init says; NULL: nowhere. Kinds that need one find a directory there.
 */
extern const char *u_mountpoint;
/* What the instance offers: all kinds, unless a suite's .init has put others here. */
extern const struct ipc_kind *const *u_kinds;

/* A suite's .init begins with u_setup(); u_teardown() is its .fini. */
void u_setup(const struct ipc_kind *);
void u_teardown(void);
/* A further instance, into u_loop and u_ipc. False: it cannot be made. */
bool u_start(void);

struct ipc_cred u_me(void);
struct ipc_ref u_named(const char *name);

/* Each returns 0 or -errno. */
int u_create_type(const char *name, mode_t mode);
int u_stat(const char *name, struct stat *);
int u_remove(const char *name);
int u_rename(const char *from, const char *to, unsigned flags);
int u_change(const char *name, struct ipc_handle *, const struct stat *, unsigned set);
/* A regular name, which must be new. */
void u_create(const char *name);
/* All of MNT/status in that form, as the caller sees it. 0 or -errno. */
int u_text_status(struct ipc *, const struct ipc_cred *, enum ipc_status_form, FILE *out);
/* Whether our last refusals, as M/errors has them, say that. */
bool u_refused(const char *part);
bool u_refused_to(const struct ipc_cred *, const char *part);

/* An operation that may park. */
struct u_call {
	struct ipc_op op;
	bool done;
	bool undeliverable; /* set by the test: whoever asked has gone */
	ssize_t result;	    /* once it is done */
	char text[4096];    /* what a read gave, as a string */
};

/* text: of a write; else NULL. A read is at the handle's end. */
void u_begin(struct u_call *, struct ipc_handle *, enum ipc_op_type, const char *text);
/* Its halves: between them the test may change what c->op asks for. */
void u_prepare(struct u_call *, struct ipc_handle *, enum ipc_op_type, const char *text);
/* ipc_submit()'s answer. */
ssize_t u_submit(struct u_call *);
/* The same for what the test has put into c->op by itself: type, handle, data and size. */
ssize_t u_ask(struct u_call *c);
/* Turns the loop until it is done. Returns its result. */
ssize_t u_finish(struct u_call *);

/* ipc_handle_new(): the handle is not in use yet. Returns 0 or -errno. */
int u_handle(const char *name, int flags, struct ipc_handle **);
/* The name, which exists and whose open does not wait. */
struct ipc_handle *u_open(const char *name, int flags);
/* A write that does not wait. */
ssize_t u_put(struct ipc_handle *, const char *text);
/* The text of NAME@ctl, in a static buffer. */
const char *u_ctl(const char *name);

/* How many entries the directory has, with "." and "..". */
unsigned u_entries(const char *dir);

/* Until all other threads of this process sleep: what they were to wait for, they wait for now. */
void u_await_sleepers(void);

/* For ipc_handle_on_ready(): counts in an int. */
void u_count_ready(void *count);

#endif

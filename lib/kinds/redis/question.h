/*
 * Questions about names in a Redis (core/ask.h): a call, and what its answer came to. Shared by names.c, listing.c and
 * whoever shows what the server knows.
 */
#ifndef IPC_REDIS_QUESTION_H
#define IPC_REDIS_QUESTION_H

#include <hiredis/hiredis.h>

#include "base/tree.h"
#include "core/ask.h"
#include "names.h"

struct redis_question {
	struct ipc_question question;
	struct redis_kind *kind;
	struct redis_call call;
	struct redis_channel channel;
	uint64_t changes; /* heard when it was asked */
	int64_t asked;
	/* Takes what it needs of the answer, and sets result; it may start the call again for more. */
	void (*read)(struct redis_question *, const redisReply *);
	int result;
	bool hurried; /* who asks does not wait as long as others */
	char why[512];
	ino_t ino;	   /* stat, create: of the object */
	redisReply *reply; /* redis_ask(): a copy */
	/* A listing: its names, and the slot whose node is being asked. */
	struct ipc_tree *names;
	int slot;
};

/* What was asked about that name by who is asking now; NULL. */
struct redis_question *redis_question_find(const struct ipc *, const void *about, const char *name);
/* One to be asked by ask(); NULL: out of memory. */
struct redis_question *redis_question_new(struct redis_kind *, const char *name,
					  void (*read)(struct redis_question *, const redisReply *));
/* IPC_ASKED, or -errno, and it is gone. */
int redis_question_ask(struct redis_question *, const void *about, const char *name, const struct redis_script *,
		       const struct redis_arg *args, unsigned count);
/* done() of its call. */
void redis_question_done(struct redis_call *, int err, const redisReply *);
/* What it came to, or IPC_ASKED. A server's refusal goes to MNT/errors, once; path: as below the mount. */
int redis_question_result(struct redis_question *, const char *path);

#endif

/* What the open files of the kinds in a Redis have in common, beside waiting (wait.h). */
#ifndef IPC_REDIS_HANDLE_H
#define IPC_REDIS_HANDLE_H

#include "core/handle.h"
#include "names.h"
#include "options.h"

/* For an object that is to be made: 52 bits of chance, and not 0, as it is an inode number, too. */
enum { REDIS_ID = 24 };
void redis_id_new(char id[static REDIS_ID]);

/* A number among this daemon's open files, as the scripts know a holder. */
enum { REDIS_HOLDER = 8 };
struct redis_holder {
	char text[REDIS_HOLDER + 1];
};
struct redis_holder redis_holder_new(struct redis_kind *);

/* What h's channel is to redis_ask(). */
struct ipc_ref redis_handle_ref(const struct ipc_handle *);
/*
 * What an answer is to the caller: 0, -EIDRM where the channel is gone, or the server's refusal, for which MNT/errors
 * has a line then. h: NULL where nobody is there to be told.
 */
int redis_handle_result(struct ipc_handle *h, int err, const struct redisReply *);

/*
 * A call whose answer nobody waits for, and which is tried until the server does it; the channel stays until then.
 * once: as in link.h. done: when it is; or NULL. False: out of memory, and nothing is sent.
 */
bool redis_tell(struct redis_chan *, const struct redis_script *, const struct redis_arg *args, unsigned count,
		bool once, void (*done)(struct redis_chan *));

#endif

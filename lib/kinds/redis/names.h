/*
 * What a name is, for every kind that lives in a Redis: its object's attributes in the hash key'm', by which it exists.
 * They are remembered in the channel table until some daemon changes them (changed() of prelude.lua); what is not
 * remembered is asked for (core/ask.h). A kind's own attributes there are numbers, for which it gives the names.
 */
#ifndef IPC_REDIS_NAMES_H
#define IPC_REDIS_NAMES_H

#include "core/chan.h"
#include "core/instance.h"
#include "core/kind.h"
#include "link.h"

enum { REDIS_FIELDS_MAX = 4 };

struct redis_chan;

/* A kind's, in *ipc_kind_data(). */
struct redis_kind {
	struct ipc *ipc;
	const struct ipc_kind *kind;
	struct redis_link *link;
	struct redis_listener listener;
	const char *const *fields; /* the names of its own attributes, NULL behind the last */
	const char *keys;	   /* the suffixes of its own keys, a letter each; m, l and r are everybody's */
	uint64_t changes;	   /* of names, heard so far */
	uint32_t holders;	   /* the last number of an open file: handle.h */
	/*
	 * A wake-up of a channel that somebody has open here. what: the script's word, "n": the name changed; NULL:
	 * look at it.
	 */
	void (*woken)(struct redis_chan *, const struct redis_word *what);
};

/* A kind's own struct for its channels begins with this. */
struct redis_chan {
	struct ipc_chan chan;
	bool known; /* what follows is as the server has it, as far as we have heard */
	int64_t asked;
	struct stat st;
	char id[24];
	int64_t field[REDIS_FIELDS_MAX];
	struct redis_channel channel; /* while it is open: redis_chan_open() */
	bool open;
};

static inline struct redis_chan *redis_chan(struct ipc_chan *chan)
{
	return ipc_container(chan, struct redis_chan, chan);
}
static inline struct redis_kind *redis_kind(struct ipc *ipc, const struct ipc_kind *kind)
{
	return *ipc_kind_data(ipc, kind);
}

/* start: fields, keys and woken as in the struct; 0 or -errno. stop: accepts what failed to start. */
int redis_kind_start(struct ipc *, const struct ipc_kind *, const char *const *fields, const char *keys,
		     void (*woken)(struct redis_chan *, const struct redis_word *what));
void redis_kind_stop(struct ipc *, const struct ipc_kind *);

/* For a kind's table, as they are. */
int redis_stat(struct ipc *, const struct ipc_ref *, struct stat *);
int redis_unlink(struct ipc *, const struct ipc_cred *, const struct ipc_ref *);
int redis_chattr(struct ipc *, const struct ipc_ref *, struct ipc_handle *, const struct stat *, unsigned set);
int redis_may_read(struct ipc *, const struct ipc_ref *, ino_t);
void redis_chan_free(struct ipc_chan *);
/* For its each_name() and found_free(). */
int redis_each_name(struct ipc_listing *);
void redis_found_free(void *);
/* For its create(): field[i] is the i-th attribute. -EEXIST. */
int redis_create(struct ipc *, const struct ipc_cred *, const struct ipc_ref *, mode_t mode, const int64_t *field);
/* For its open(): the channel that ref means, which is ready for calls then; 0 or -errno (-ESTALE, IPC_ASKED). */
int redis_chan_open(struct ipc *, const struct ipc_ref *, ino_t, struct redis_chan **);
/*
 * For texts: the answer of a script on the name's object that changes nothing. 0, IPC_ASKED or -errno; done() is called
 * with the answer where it is 0. At most 8 args.
 */
int redis_ask(struct ipc *, const struct ipc_ref *, const struct redis_script *, const struct redis_arg *args,
	      unsigned count, void (*done)(void *arg, const struct redisReply *), void *arg);
/* When that was asked by who is asking now, by ipc_now(); 0: it was not. */
int64_t redis_asked_at(const struct ipc *, const struct ipc_ref *, const struct redis_script *);
/* Sets an attribute of its own: for ctl_set(). */
int redis_set_field(struct ipc *, const struct ipc_ref *, unsigned field, int64_t value);

#endif

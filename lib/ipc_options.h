/* What an instance is told when it is made: what concerns all kinds, and the options that a kind has for itself. */
#ifndef IPC_OPTIONS_H
#define IPC_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct ipc_kind;

/* What a user may have of, each: quota.h. */
enum ipc_quota { IPC_QUOTA_HANDLES, IPC_QUOTA_PARKED, IPC_QUOTA_CHANNELS, IPC_QUOTA_BYTES, IPC_QUOTA_COUNT };

/* How often and how long the machine's processors were kept awake for this mount's sake: -o cpu_latency. */
struct ipc_awake {
	bool now;
	uint64_t times;
	int64_t since;	   /* ipc_now() when the present or last one began */
	int64_t before_ns; /* of all that have ended */
	int64_t ended;	   /* when the last one did, CLOCK_REALTIME in nanoseconds */
};

struct ipc_options {
	const char *prefix;	/* of kernel names; NULL: none */
	const char *mountpoint; /* absolute; NULL: there is no mount, and what must go through it is EOPNOTSUPP */
	bool shared;		/* other users than our own may come */
	const struct ipc_awake *awake; /* read for MNT/status; NULL: nobody tells */
	size_t quota[IPC_QUOTA_COUNT]; /* 0: no limit */
	/*
	 * Where the channels are, for kinds that live in a Redis: HOST[:PORT], [ADDR]:PORT, or /PATH of a Unix socket;
	 * several with spaces between. NULL: in the kernel.
	 */
	const char *redis;
	/* The kinds' own, as ipc_options_check() accepts them. NULL behind the last; or NULL: none. */
	const char *const *of_kinds;
};

/*
 * A mount option that a kind declares in its table: -o NAME=VALUE, or -o NAME. Several kinds may declare the same. In
 * of_kinds an option is the text "NAME=VALUE" or "NAME"; the last one with a name counts.
 */
struct ipc_option {
	const char *name;
	const char *value; /* what stands for the value in --help: "N"; NULL: it takes none */
	const char *help;  /* of --help: a line, or several with newlines between */
	const char *words; /* values that a shell offers: "a b" or "a, b"; "/": paths of files. Or NULL: none */
	/* 0, or -EINVAL with a line in why that says what is needed. Or NULL: any value will do. */
	int (*check)(const struct ipc_options *, const char *value, char *why, size_t size);
};

/* The option that a text in the form of of_kinds gives, if one of the kinds declares it; or NULL. */
const struct ipc_option *ipc_option_find(const struct ipc_kind *const *kinds, const char *text);
/* Checks of_kinds: 0, or -EINVAL with a line in why. What no kind declares is passed over. */
int ipc_options_check(const struct ipc_options *, const struct ipc_kind *const *kinds, char *why, size_t size);
/* The option's lines of --help. */
void ipc_option_help(const struct ipc_option *, FILE *out);
/* The same for programs that complete a command line: name (with '=' if it has a value), words (spaces between)
 * and help, tabs between. */
void ipc_option_row(const struct ipc_option *, FILE *out);
/* Each option of the kinds, once; without those that the kinds in `told` declare too, if that is not NULL. */
void ipc_options_each(const struct ipc_kind *const *kinds, const struct ipc_kind *const *told,
		      void (*each)(const struct ipc_option *, FILE *out), FILE *out);

#endif

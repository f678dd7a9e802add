/*
 * Facets: what stands behind the @ of NAME@FACET[,FACET...] below MNT/KIND. Pure parsing: no system call.
 */
#ifndef IPC_FACET_H
#define IPC_FACET_H

#include <stddef.h>
#include <stdint.h>

#define IPC_NAME_MAX 255 /* bytes, facets included, as NAME_MAX */

/* One bit for each facet. Which of them a kind takes stands in its table. */
enum {
	IPC_F_CTL = 1u << 0,
	IPC_F_LINES = 1u << 1,
	IPC_F_NUL = 1u << 2,
	IPC_F_PRIO = 1u << 3, /* =0..32767 (MQ_PRIO_MAX - 1) */
	IPC_F_DRAIN = 1u << 4,
	IPC_F_ONE = 1u << 5,
	IPC_F_N = 1u << 6,	 /* =1..2^63-1 */
	IPC_F_IDLE = 1u << 7,	 /* =duration */
	IPC_F_TIMEOUT = 1u << 8, /* =duration */
	IPC_F_BATCH = 1u << 9,
	IPC_F_META = 1u << 10,
	IPC_F_MAXMSG = 1u << 11,  /* =1..2^31-1; creation */
	IPC_F_MSGSIZE = 1u << 12, /* =bytes, 1..2^31-1, with K, M, G (1024); creation */
	IPC_F_SIZE = 1u << 13,	  /* =bytes, 0..2^63-1, with K, M, G; creation */
	IPC_F_LISTEN = 1u << 14,
	IPC_F_ADDR = 1u << 15,
	IPC_F_IO = 1u << 16,
	IPC_F_CONNECT = 1u << 17,   /* =address, all the rest of the name, commas included; creation */
	IPC_F_STREAM = 1u << 18,    /* creation */
	IPC_F_DGRAM = 1u << 19,	    /* creation */
	IPC_F_SEQPACKET = 1u << 20, /* creation */
	IPC_F_VALUE = 1u << 21,	    /* =0..2147483647 (SEM_VALUE_MAX); creation */
	IPC_F_HOLD = 1u << 22,
	IPC_F_LAST = 1u << 23, /* =1..2^31-1 */
	IPC_F_ACK = 1u << 24,
	IPC_F_LEASE = 1u << 25, /* =duration */
	IPC_F_TRIES = 1u << 26, /* =1..2^31-1 */
	IPC_F_TAP = 1u << 27,	/* a text about the channel, with ways of its own to be read: IPC_F_TAP_WITH */
	IPC_F_FIFO = 1u << 28,	/* implies lines where the kind has them and nul is not given */
	IPC_F_HALF = 1u << 29,
	IPC_F_HELP = 1u << 30,
};

/*
 * What the core serves: of every kind; and of those that have IPC_F_TAP among theirs. Texts about the channel, not
 * itself.
 */
#define IPC_F_TEXTS (IPC_F_CTL | IPC_F_HELP)
#define IPC_F_CORE (IPC_F_TEXTS | IPC_F_TAP)
/* What stands beside tap, whatever the kind itself takes. */
#define IPC_F_TAP_WITH (IPC_F_TAP | IPC_F_LINES | IPC_F_NUL | IPC_F_META)

#define IPC_F_CREATION                                                                                                 \
	(IPC_F_MAXMSG | IPC_F_MSGSIZE | IPC_F_SIZE | IPC_F_CONNECT | IPC_F_STREAM | IPC_F_DGRAM | IPC_F_SEQPACKET |    \
	 IPC_F_VALUE)

struct ipc_facets {
	uint32_t set; /* IPC_F_ bits that were given */
	uint32_t prio;
	int64_t n;
	int64_t idle;	 /* nanoseconds */
	int64_t timeout; /* nanoseconds */
	int64_t maxmsg, msgsize, size;
	int64_t value, last;
	int64_t lease; /* nanoseconds */
	int64_t tries;
	uint8_t connect; /* offset of the address in the text that was parsed; the text's end ends it */
};

/*
 * Parses the comma-separated text behind the '@'. `allowed` is the kind's set of bits, `kind` its name for the
 * messages. Returns 0, or -EINVAL with one line in why (no newline) that names what was wrong and what would be right:
 * unknown facet, facet of another kind, missing or superfluous value, value out of range, the same facet twice, an
 * empty facet, two that contradict each other (lines+nul, one+n, two socket types, ctl or addr with anything else,
 * batch or meta on a read of neither lines nor nul when `framed` is 0, lease or tries without ack).
 * text need not be NUL-terminated and may hold any bytes; what is quoted in why is ipc_escape()d, and shortened if it
 * is long. 512 bytes hold any line; a smaller why gets the start of it. out is written only on success.
 */
int ipc_facets_parse(const char *kind, uint32_t allowed, int framed, const char *text, size_t len,
		     struct ipc_facets *out, char *why, size_t why_size);

/*
 * Calls fn for each facet of the set, with how it is written ("prio=0..32767"), in the order in which users are told of
 * them.
 */
void ipc_facets_each(uint32_t set, void (*fn)(void *arg, uint32_t facet, const char *usage), void *arg);

#endif

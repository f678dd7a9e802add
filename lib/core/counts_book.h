/*
 * What the files of counts.h share, from below: counts_book.c is the table of records, counts_sweep.c looks whose
 * objects are gone, counts_file.c has the file, counts.c is what others call.
 */
#ifndef IPC_COUNTS_BOOK_H
#define IPC_COUNTS_BOOK_H

#include "base/pool.h"
#include "counts.h"
#include "ipc.h"

/* As it is in the file. What follows the key means something only to the instance that wrote it. */
struct ipc_record {
	struct ipc_counts counts;
	char kind[IPC_KIND_NAME_MAX + 1];
	uint64_t place, ino; /* ino is 0 in one that is free */
	uint32_t owner;	     /* who is charged, while nobody has it */
	uint32_t takers;
	uint32_t stamp; /* book.stamp when it was taken, or looked for, last */
	bool gone, missed;
	struct ipc_record *next; /* of the same hash, or of the free ones */
	struct ipc_list link;	 /* among the owner's, while nobody has it */
};

struct ipc_book_chunk {
	struct ipc_book_chunk *next;
	struct ipc_record *records;
	bool mapped;
};

struct ipc_book {
	struct ipc *ipc;
	struct ipc_record **buckets;
	size_t size, used; /* of buckets, a power of 2; records */
	struct ipc_record *free;
	void *owners; /* tsearch(3) */
	struct ipc_book_chunk *chunks;
	int fd; /* of the file; -1: there is none, and nothing will outlive us */
	bool no_file;
	size_t length;			/* of the file */
	uint64_t places[IPC_KINDS_MAX]; /* ipc_book_place(); 0: not known yet */
	uint32_t stamp;
	size_t next_sweep; /* with so many records it is looked which objects are gone */
	struct ipc_sweep *sweep;
};

enum { IPC_BOOK_CHUNK = 512 }; /* records */

/* NULL: there is none. */
struct ipc_record *ipc_book_find(const struct ipc_book *, const char *kind, uint64_t place, ino_t ino);
/* Of a kind that is not ours as well. NULL: out of memory, or none is free, which ipc_book_grow() sees to. */
struct ipc_record *ipc_book_add(struct ipc_book *, const char *kind, uint64_t place, ino_t ino);
/* Free again. */
void ipc_book_remove(struct ipc_book *, struct ipc_record *);
/* Somebody has it: it is charged to nobody. */
void ipc_book_pick_up(struct ipc_book *, struct ipc_record *);
/* Nobody has it: it is the owner's. */
void ipc_book_lay_down(struct ipc_book *, struct ipc_record *, uid_t);
/* Twice as many buckets, or the first: 0 or -ENOMEM. */
int ipc_book_widen(struct ipc_book *);
/* What distinguishes numbers of a kind's objects from the same ones elsewhere: the file system, or the server. */
uint64_t ipc_book_place(struct ipc_book *, unsigned kind);

/* counts_file.c. Sees to it that one is free: 0 or -ENOMEM. */
int ipc_book_grow(struct ipc_book *);
/* counts_sweep.c: looks who is gone, in a helper's thread, if it is time. */
void ipc_sweep_begin(struct ipc_book *);
void ipc_sweep_free(struct ipc_book *);

#endif

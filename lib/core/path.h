/* Names and objects as text and as numbers: what stands for them in messages, in the kernel and in st_ino. */
#ifndef IPC_PATH_H
#define IPC_PATH_H

#include "ipc.h"

struct ipc_chan;

/* A name below the mount, for messages. */
struct ipc_path {
	char text[2 * IPC_NAME_MAX];
};
/* "mq/jobs@lines" */
struct ipc_path ipc_ref_path(const struct ipc_ref *);
/* Without facets. */
struct ipc_path ipc_handle_path(const struct ipc_handle *);
struct ipc_path ipc_chan_path(const struct ipc_chan *);
/* The object of that name, whatever it is now: no facets, and no caller from elsewhere. */
struct ipc_ref ipc_ref_of(const struct ipc_kind *, const char *name);
/* A number for what has but a name. */
ino_t ipc_name_ino(const char *name);
/* What ipc_stat() shows for the number a kind gave. */
ino_t ipc_ref_ino(const struct ipc *, const struct ipc_kind *, ino_t ino);
/* The number a kind gave, out of ipc_stat()'s. */
ino_t ipc_kind_ino(ino_t ino);
/* Whether the object with that number (the kind's) is the one that ref was looked up for. */
bool ipc_ref_means(const struct ipc_ref *, ino_t ino);
/* Kernel name: prefix and base, with `lead` in front; -ENAMETOOLONG beyond NAME_MAX. */
int ipc_kernel_name(struct ipc *, const struct ipc_ref *, const char *lead, char *out, size_t size);
/* The name without the prefix, or NULL where it has not got it. */
const char *ipc_unprefixed(struct ipc *, const char *kernel_name);

#endif

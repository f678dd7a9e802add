/*
 * NAME@help: the facets that a kind takes, a line and an example each. It is there for every name, also one that is
 * none yet.
 */
#ifndef IPC_HELP_H
#define IPC_HELP_H

#include <sys/stat.h>

#include "ipc.h"

/* How such a name is opened: as a kind that no directory shows. */
extern const struct ipc_kind ipc_help;
/* A file of ours that everybody may read; st_ino is of the kind, as from its own stat(). */
void ipc_help_stat(struct stat *);
/*
 * What a facet (one bit) does, in words, and how it is used, with "%s" where the kind's directory is. Both NULL:
 * unknown.
 */
void ipc_help_of(uint32_t facet, const char **what, const char **example);

#endif

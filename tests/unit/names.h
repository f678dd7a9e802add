/* Listings as the tests of the kinds want them: whole, and at once. */
#ifndef UNIT_NAMES_H
#define UNIT_NAMES_H

#include "ipc.h"

/* All steps of a listing; dir as ipc_listing_begin() has it. Turns the loop while helpers look. 0 or -errno. */
int u_each_name(struct ipc *, const struct ipc_cred *, const struct ipc_kind *, const char *dir,
		void (*emit)(void *arg, const char *name, mode_t type), void *arg);

#endif

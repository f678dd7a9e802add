/* The mount options of the kinds in a Redis, and what their README says of it. */
#ifndef IPC_REDIS_OPTIONS_H
#define IPC_REDIS_OPTIONS_H

#include "core/option.h"

extern const struct ipc_option redis_option_prefix, redis_option_user, redis_option_password_file,
	redis_option_replicas, redis_option_sentinel, redis_option_lease;
/* All of them, as a kind's `options`; for a kind that has others beside them. */
extern const struct ipc_option *const redis_options[];
#define REDIS_OPTIONS                                                                                                  \
	&redis_option_prefix, &redis_option_user, &redis_option_password_file, &redis_option_replicas,                 \
		&redis_option_sentinel, &redis_option_lease

/* What the keys begin with. */
const char *redis_prefix(const struct ipc *);
/* The daemon holds what it holds for so long after it was last heard of. */
enum { REDIS_LEASE_DEFAULT = 30 };
int redis_lease_seconds(const struct ipc *);
/* As a kind's readme->where(). */
void redis_readme_where(struct ipc *, FILE *out);

#endif

/* -o redis=ADDR and what goes with it: redis_options.c. */
#ifndef FS_REDIS_OPTIONS_H
#define FS_REDIS_OPTIONS_H

#include "ipc.h"

/* As given; NULL what was not. */
struct fs_redis_options {
	char *places; /* redis=, several with spaces between */
	char *prefix, *user, *password_file, *replicas, *sentinel;
};

/* One more place: redis= may be given several times. 0, or -1 with a complaint. */
int fs_redis_add(struct fs_redis_options *, const char *place);
/* Checks them, and puts them into what ipc_new() takes, which points into them. 0, or -1 with a complaint. */
int fs_redis_take(const struct fs_redis_options *, struct ipc_options *);
void fs_redis_free(struct fs_redis_options *);

#endif

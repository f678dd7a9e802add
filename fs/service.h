/*
 * What a service manager is told of us, sd_notify(3): that the mount answers, that it ends, that we are alive; and how
 * lines for people are written where they go to the journal. All of it does nothing where nobody listens, or where
 * ipcfs was built without libsystemd.
 */
#ifndef FS_SERVICE_H
#define FS_SERVICE_H

#include "ipc.h"

struct fs_service {
	struct ipc_loop *loop;
	struct ipc_timer timer; /* the next sign of life */
	int64_t period;		/* nanoseconds between two of them; 0: nobody watches us */
};

/* The mount answers. From here on the manager gets signs of life if it asked for them (WatchdogSec=). */
void fs_service_ready(struct fs_service *, struct ipc_loop *, const char *mountpoint);
void fs_service_stopping(struct fs_service *);

/* Once, before the first line is written: libfuse's own lines go the same way as ours. */
void fs_log_init(void);
/*
 * Writes "ipcfs: " and the text to standard error, with the priority in front where that is the journal, sd-daemon(3).
 */
void fs_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif

/* The service manager, and the lines for people. */
#include <fuse_log.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <syslog.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "service.h"

/* Whether standard error is the journal's socket: systemd tells its device and inode, systemd.exec(5). */
static bool log_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uint64_t device, inode;
	struct stat st;

	return stream && sscanf(stream, "%" SCNu64 ":%" SCNu64, &device, &inode) == 2 && fstat(2, &st) == 0 &&
	       st.st_dev == device && st.st_ino == inode;
}

static void log_prefix(int priority)
{
	if (log_is_journal())
		fprintf(stderr, "<%d>", priority);
}

/* libfuse's levels are those of syslog(3). */
static void log_libfuse(enum fuse_log_level level, const char *format, va_list args)
{
	log_prefix((int)level);
	vfprintf(stderr, format, args);
}

void fs_log_init(void)
{
	fuse_set_log_func(log_libfuse);
}

void fs_complain(const char *format, ...)
{
	va_list args;

	log_prefix(LOG_ERR);
	fputs("ipcfs: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

#ifdef HAVE_SYSTEMD

static void service_tick(struct ipc_timer *timer)
{
	struct fs_service *service = ipc_container(timer, struct fs_service, timer);
	int r = ipc_timer_start(service->loop, timer, ipc_now() + service->period, service_tick);

	/* If no timer can be had, the watchdog is turned off, or the manager would take us for dead. */
	sd_notify(0, r < 0 ? "WATCHDOG_USEC=0" : "WATCHDOG=1");
}

void fs_service_ready(struct fs_service *service, struct ipc_loop *loop, const char *mountpoint)
{
	uint64_t usec = 0;

	sd_notifyf(0, "READY=1\nSTATUS=Mounted at %s", mountpoint);
	if (sd_watchdog_enabled(0, &usec) <= 0)
		return;
	service->loop = loop;
	/* Half the time that the manager gives, as sd_watchdog_enabled(3) advises. */
	service->period = (int64_t)usec * 1000 / 2;
	service_tick(&service->timer);
}

void fs_service_stopping(struct fs_service *service)
{
	sd_notify(0, "STOPPING=1\nSTATUS=Ending");
	if (service->period)
		ipc_timer_stop(service->loop, &service->timer);
	service->period = 0;
}

#else

void fs_service_ready(struct fs_service *service, struct ipc_loop *loop, const char *mountpoint)
{
	(void)service;
	(void)loop;
	(void)mountpoint;
}

void fs_service_stopping(struct fs_service *service)
{
	(void)service;
}

#endif

/*
 * cpu_latency: while requests keep coming, no processor may sleep so deeply that waking it takes longer than TIME,
 * which the kernel lets root ask for (PM QoS: Documentation/admin-guide/pm/cpuidle.rst). A client sleeps for the
 * microseconds that its request takes, and where waking it costs more than the request itself, as on virtual machines
 * whose processors have to be woken by the hypervisor, this is the cure. It is the whole machine's, and costs what
 * spinning costs, on every processor: so only as long as there is much to do, and unasked only on small virtual
 * machines.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"

/* So many requests within that time are worth it; so long without as many, and the processors may sleep again. */
enum { AWAKE_REQUESTS = 64 };
#define AWAKE_PERIOD INT64_C(10000000)

/* PM_QOS_CPU_LATENCY_DEFAULT_VALUE: any latency will do. */
#define LATENCY_ANY 2000000000

/* Up to so many processors do it unasked. */
enum { AWAKE_CPUS = 4 };

/* cpuidle's driver for guests: its first state polls, its second leaves the processor to the hypervisor. */
static bool awake_guest(void)
{
	char driver[16] = "";
	int fd = open("/sys/devices/system/cpu/cpuidle/current_driver", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, driver, sizeof(driver) - 1);

	if (fd >= 0)
		close(fd);
	return n > 0 && strncmp(driver, "haltpoll", 8) == 0;
}

static void awake_set(struct fs_awake *awake, int32_t microseconds)
{
	/* It was opened for writing, and takes any number. */
	(void)!write(awake->fd, &microseconds, sizeof(microseconds));
}

static void awake_hold(struct fs_awake *awake, bool on)
{
	awake_set(awake, on ? awake->latency : LATENCY_ANY);
	awake->held = on;
	if (!on)
		ipc_loop_set_spin(awake->loop, awake->spin_ns);
}

static void awake_check(struct ipc_timer *timer)
{
	struct fs_awake *awake = ipc_container(timer, struct fs_awake, timer);

	if (awake->total < AWAKE_REQUESTS ||
	    ipc_timer_start(awake->loop, timer, ipc_now() + AWAKE_PERIOD, awake_check) < 0)
		awake_hold(awake, false);
	awake->total = 0;
}

int fs_awake_start(struct fs_awake *awake, struct ipc_loop *loop, const struct fs_options *opt)
{
	int64_t latency_ns = opt->cpu_latency_ns;
	bool unasked = latency_ns == FS_LATENCY_DEFAULT;

	awake->fd = -1;
	awake->loop = loop;
	awake->spin_ns = opt->spin_ns;
	awake->processors = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	if (unasked && geteuid() == 0 && awake->processors <= AWAKE_CPUS && awake_guest())
		latency_ns = 0;
	if (latency_ns < 0)
		return 0;
	awake->fd = open("/dev/cpu_dma_latency", O_WRONLY | O_CLOEXEC);
	if (awake->fd < 0) {
		int err = errno;

		if (unasked)
			return 0;
		fs_complain("-o cpu_latency: /dev/cpu_dma_latency: %s%s", strerror(err),
			    err == EACCES ? "; only root may keep the processors awake" : "");
		return -err;
	}
	awake->latency = (int32_t)(latency_ns / 1000);
	/* Opening it asks for no latency at all. */
	awake_set(awake, LATENCY_ANY);
	return 0;
}

static void awake_note(struct fs_awake *awake, pid_t thread)
{
	for (unsigned i = 0; i < awake->clients; i++)
		if (awake->client[i] == thread)
			return;
	if (awake->clients < FS_AWAKE_CLIENTS)
		awake->client[awake->clients++] = thread;
}

/*
 * While processors are kept awake, sleeping costs us little, and a spin takes what the clients need: with as many of
 * them at work as there are processors, none is left to spin on.
 */
static void awake_window(struct fs_awake *awake)
{
	bool room = awake->clients < awake->processors && awake->clients < FS_AWAKE_CLIENTS;
	int64_t now;

	awake->requests = awake->clients = 0;
	if (awake->held) {
		ipc_loop_set_spin(awake->loop, room ? awake->spin_ns : 0);
		return;
	}
	now = ipc_now();
	if (now - awake->since <= AWAKE_PERIOD &&
	    ipc_timer_start(awake->loop, &awake->timer, now + AWAKE_PERIOD, awake_check) == 0)
		awake_hold(awake, true);
	awake->since = now;
}

void fs_awake_count(struct fs_awake *awake, pid_t thread)
{
	awake_note(awake, thread);
	awake->total++;
	if (++awake->requests >= AWAKE_REQUESTS)
		awake_window(awake);
}

void fs_awake_end(struct fs_awake *awake)
{
	if (awake->fd < 0)
		return;
	ipc_timer_stop(awake->loop, &awake->timer);
	close(awake->fd);
	awake->fd = -1;
}

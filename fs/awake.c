/*
 * cpu_latency: while requests keep coming, no processor may sleep so deeply that waking it takes longer than TIME,
 * which the kernel lets root ask for (PM QoS: Documentation/admin-guide/pm/cpuidle.rst). A client sleeps for the
 * microseconds that its request takes, and where waking it costs more than the request itself, as on virtual machines
 * whose processors have to be woken by the hypervisor, this is the cure. It is the whole machine's, and costs what
 * spinning costs, on every processor: so only as long as there is much to do, and unasked only on small virtual
 * machines, and not while a battery feeds them.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/fuse.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/proc.h"
#include "fs.h"

/*
 * So many requests within that time are worth it; so long without as many, and the processors may sleep again. Where a
 * Redis answers them, each is four wake-ups rather than two, and fewer can come in the time.
 */
enum { AWAKE_REQUESTS = 64, AWAKE_REQUESTS_REDIS = 16 };
#define AWAKE_PERIOD INT64_C(10000000)
/* Large writes are few, and each wakes as many: so many bytes count as one request more. */
enum { AWAKE_BYTES = 64 * 1024 };

/* So often it is looked whether the machine runs on its battery, while there is something to do. */
#define BATTERY_NS INT64_C(30000000000)

/* PM_QOS_CPU_LATENCY_DEFAULT_VALUE: any latency will do. */
#define LATENCY_ANY 2000000000

/* Up to so many processors do it unasked. */
enum { AWAKE_CPUS = 4 };

/* The first word of a file of /sys; "" where there is none. */
static void sys_word(const char *path, char word[static 16])
{
	ipc_proc_read(path, word, 16);
	word[strcspn(word, "\n")] = '\0';
}

/* cpuidle's driver for guests: its first state polls, its second leaves the processor to the hypervisor. */
static bool awake_guest(void)
{
	char driver[16];

	sys_word("/sys/devices/system/cpu/cpuidle/current_driver", driver);
	return strncmp(driver, "haltpoll", 8) == 0;
}

static void awake_set(struct fs_awake *awake, int32_t microseconds)
{
	/* It was opened for writing, and takes any number. */
	(void)!write(awake->fd, &microseconds, sizeof(microseconds));
}

static void awake_hold(struct fs_awake *awake, bool on)
{
	struct timespec now;

	if (on == awake->told.now)
		return;
	awake_set(awake, on ? awake->latency : LATENCY_ANY);
	awake->told.now = on;
	if (on) {
		awake->told.times++;
		awake->told.since = ipc_now();
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	awake->told.before_ns += ipc_now() - awake->told.since;
	awake->told.ended = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
	ipc_loop_set_spin(awake->loop, awake->spin_ns);
}

/* There is a battery of the machine's own, and nothing else feeds it (Documentation/power/power_supply_class.rst). */
static bool awake_on_battery(void)
{
	bool battery = false, fed = false;
	glob_t supplies;

	if (glob("/sys/class/power_supply/*", 0, NULL, &supplies) != 0)
		return false;
	for (size_t i = 0; i < supplies.gl_pathc; i++) {
		char path[300], type[16], online[16], scope[16];

		snprintf(path, sizeof(path), "%s/type", supplies.gl_pathv[i]);
		sys_word(path, type);
		snprintf(path, sizeof(path), "%s/online", supplies.gl_pathv[i]);
		sys_word(path, online);
		snprintf(path, sizeof(path), "%s/scope", supplies.gl_pathv[i]);
		sys_word(path, scope);
		if (strcmp(type, "Battery") != 0)
			fed |= online[0] == '1';
		else if (strcmp(scope, "Device") != 0)
			battery = true;
	}
	globfree(&supplies);
	return battery && !fed;
}

/* In a helper's thread: the firmware may take its time to say. */
static void battery_check(struct ipc_job *job)
{
	struct fs_awake *awake = ipc_container(job, struct fs_awake, job);

	awake->found_battery = awake_on_battery();
}

static void battery_checked(struct ipc_job *job)
{
	struct fs_awake *awake = ipc_container(job, struct fs_awake, job);

	awake->checking = false;
	awake->on_battery = awake->found_battery;
	if (awake->on_battery)
		awake_hold(awake, false);
}

/* Who asked for it has it on a battery, too. */
static void battery_check_again(struct fs_awake *awake, int64_t now)
{
	if (!awake->pool || awake->checking || now - awake->checked < BATTERY_NS)
		return;
	awake->checked = now;
	awake->checking = ipc_pool_submit(awake->pool, &awake->job, battery_check, battery_checked) == 0;
}

static void awake_check(struct ipc_timer *timer)
{
	struct fs_awake *awake = ipc_container(timer, struct fs_awake, timer);

	if (awake->total < awake->enough ||
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
	awake->enough = opt->redis ? AWAKE_REQUESTS_REDIS : AWAKE_REQUESTS;
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
	awake->on_battery = unasked && awake_on_battery();
	awake->checked = ipc_now();
	awake->pool = unasked ? ipc_pool_new(loop, 1) : NULL;
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
	if (awake->told.now) {
		ipc_loop_set_spin(awake->loop, room ? awake->spin_ns : 0);
		return;
	}
	now = ipc_now();
	battery_check_again(awake, now);
	if (now - awake->since <= AWAKE_PERIOD && !awake->on_battery &&
	    ipc_timer_start(awake->loop, &awake->timer, now + AWAKE_PERIOD, awake_check) == 0)
		awake_hold(awake, true);
	awake->since = now;
}

void fs_awake_count(struct fs_awake *awake, const struct fuse_in_header *request)
{
	unsigned worth = 1 + request->len / AWAKE_BYTES;

	awake_note(awake, (pid_t)request->pid);
	awake->total += worth;
	awake->requests += worth;
	if (awake->requests >= awake->enough)
		awake_window(awake);
}

void fs_awake_end(struct fs_awake *awake)
{
	if (awake->fd < 0)
		return;
	ipc_timer_stop(awake->loop, &awake->timer);
	ipc_pool_free(awake->pool);
	awake->pool = NULL;
	close(awake->fd);
	awake->fd = -1;
}

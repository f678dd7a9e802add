/* ipcfs: options, and the way into the background. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs.h"
#include "inherit.h"
#include "mount_options.h"

#define OPTION(text, field)                                                                                            \
	{                                                                                                              \
		text, offsetof(struct fs_options, field), 1                                                            \
	}

enum { OPTION_REDIS = 1 };

static const struct fuse_opt options[] = {
	OPTION("-f", foreground),
	OPTION("-d", foreground),
	OPTION("debug", foreground),
	OPTION("-h", help),
	OPTION("--help", help),
	OPTION("--options", list),
	OPTION("-V", version),
	OPTION("--version", version),
	OPTION("allow_other", shared),
	OPTION("prefix=%s", prefix),
	FUSE_OPT_KEY("redis=", OPTION_REDIS),
	OPTION("kinds=%s", kinds),
	OPTION("walkers=%s", walkers_text),
	OPTION("spin=%s", spin),
	OPTION("cpu_latency=%s", cpu_latency),
	OPTION("max_handles=%s", quota[IPC_QUOTA_HANDLES]),
	OPTION("max_parked=%s", quota[IPC_QUOTA_PARKED]),
	OPTION("max_channels=%s", quota[IPC_QUOTA_CHANNELS]),
	OPTION("max_bytes=%s", quota[IPC_QUOTA_BYTES]),
	FUSE_OPT_KEY("-d", FUSE_OPT_KEY_KEEP),
	FUSE_OPT_KEY("debug", FUSE_OPT_KEY_KEEP),
	FUSE_OPT_KEY("allow_other", FUSE_OPT_KEY_KEEP),
	FUSE_OPT_END,
};

static int take_place(struct fs_options *opt, const char *place)
{
	if (opt->mountpoint && !fs_mount_is_source(opt->mountpoint)) {
		fs_complain("%s: one mount point is enough, and %s is it", place, opt->mountpoint);
		return -1;
	}
	free(opt->mountpoint);
	opt->mountpoint = strdup(place);
	return opt->mountpoint ? 0 : -1;
}

static int take_argument(void *data, const char *arg, int key, struct fuse_args *args)
{
	struct fs_options *opt = data;

	(void)args;
	if (key == FUSE_OPT_KEY_NONOPT)
		return take_place(data, arg);
	if (key == OPTION_REDIS)
		return fs_redis_add(opt, arg + strlen("redis="));
	if (key != FUSE_OPT_KEY_OPT)
		return 1;
	if (fs_kind_options_know(arg))
		return fs_kind_options_add(opt, arg);
	if (opt->kinds && fs_kinds_add(opt, arg))
		return 0;
	switch (arg[0] == '-' ? FS_OPTION_UNKNOWN : fs_mount_option_of(arg)) {
	case FS_OPTION_MEANS_NOTHING:
		return 0;
	case FS_OPTION_OF_LIBFUSE:
		return 1;
	default:
		fs_complain("%s%s: no such option; ipcfs --help lists those there are", arg[0] == '-' ? "" : "-o ",
			    arg);
		return -1;
	}
}

static int take_number(const char *name, const char *text, int64_t min, int64_t max, int64_t *out)
{
	if (!text || ipc_number_parse(text, strlen(text), 1, min, max, out) == 0)
		return 0;
	fs_complain("-o %s=%s: a whole number from %" PRId64 " to %" PRId64 " is needed", name, text, min, max);
	return -1;
}

static int take_quota(struct fs_options *opt)
{
	static const struct {
		const char *name;
		int64_t standard;
	} quota[IPC_QUOTA_COUNT] = {
		[IPC_QUOTA_HANDLES] = {"max_handles", 65536},
		[IPC_QUOTA_PARKED] = {"max_parked", 65536},
		[IPC_QUOTA_CHANNELS] = {"max_channels", 65536},
		[IPC_QUOTA_BYTES] = {"max_bytes", INT64_C(1) << 30},
	};

	for (unsigned i = 0; i < IPC_QUOTA_COUNT; i++) {
		int64_t n = quota[i].standard;

		if (take_number(quota[i].name, opt->quota[i], 0, INT64_C(1) << 40, &n) < 0)
			return -1;
		opt->ipc.quota[i] = (size_t)n;
	}
	return 0;
}

static int take_cpu_latency(struct fs_options *opt)
{
	const char *text = opt->cpu_latency;

	/* Who wants no spinning does not want processors that are kept awake. */
	opt->cpu_latency_ns = text || !opt->spin_ns ? FS_LATENCY_ANY : FS_LATENCY_DEFAULT;
	if (!text || strcmp(text, "any") == 0 ||
	    (ipc_duration_parse(text, strlen(text), &opt->cpu_latency_ns) == 0 && opt->cpu_latency_ns <= 1000000000))
		return 0;
	fs_complain("-o cpu_latency=%s: a time from 0 to 1s is needed, such as 0 or 10us, or any", text);
	return -1;
}

static int take_walkers(struct fs_options *opt)
{
	static const char *const words[] = {
		[FS_WALKERS_REFUSE] = "refuse", [FS_WALKERS_STRICT] = "strict", [FS_WALKERS_ALLOW] = "allow"};

	for (unsigned i = 0; opt->walkers_text && i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(opt->walkers_text, words[i]) == 0) {
			opt->walkers = (enum fs_walkers)i;
			return 0;
		}
	if (!opt->walkers_text)
		return 0;
	fs_complain("-o walkers=%s: it is refuse, strict or allow", opt->walkers_text);
	return -1;
}

static int take_values(struct fs_options *opt)
{
	const char *spin = opt->spin ? opt->spin : sysconf(_SC_NPROCESSORS_ONLN) > 1 ? FS_SPIN_DEFAULT : "0";

	if (take_quota(opt) < 0)
		return -1;
	if (ipc_duration_parse(spin, strlen(spin), &opt->spin_ns) < 0 || opt->spin_ns > 1000000000) {
		fs_complain("-o spin=%s: a time from 0 to 1s is needed, such as 50us", spin);
		return -1;
	}
	if (take_cpu_latency(opt) < 0 || take_walkers(opt) < 0)
		return -1;
	if (opt->prefix && strchr(opt->prefix, '/')) {
		fs_complain("-o prefix=%s: names of kernel objects hold no '/'", opt->prefix);
		return -1;
	}
	opt->ipc.prefix = opt->prefix;
	opt->ipc.shared = opt->shared;
	return fs_redis_take(opt) < 0 || fs_kind_options_take(opt) < 0 ? -1 : fs_kinds_take(opt);
}

static void options_free(struct fs_options *opt)
{
	free(opt->mountpoint);
	free(opt->prefix);
	free(opt->redis);
	fs_kind_options_free(opt);
	free(opt->kinds);
	free(opt->spin);
	free(opt->walkers_text);
	free(opt->cpu_latency);
	for (unsigned i = 0; i < IPC_QUOTA_COUNT; i++)
		free(opt->quota[i]);
}

/*
 * Becomes a daemon. The parent stays until the child says that the mount answers, so that whoever started us can use
 * it; a child that dies before has printed why. Returns in the child.
 */
static int detach(struct fs *fs)
{
	int ready[2], status;
	char ok;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		fs_complain("%s", strerror(errno));
		return -1;
	}
	if (pid == 0) {
		close(ready[0]);
		fs->ready_fd = ready[1];
		setsid();
		return chdir("/");
	}
	close(ready[1]);
	if (read(ready[0], &ok, 1) == 1) {
		/* Who has not said where wants to know: M=$(ipcfs). */
		if (fs->place && (puts(fs->opt.mountpoint) < 0 || fflush(stdout) != 0))
			fs_complain("%s: %s", fs->opt.mountpoint, strerror(errno));
		_exit(0);
	}
	waitpid(pid, &status, 0);
	_exit(1);
}

int main(int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct fs fs = {.ready_fd = -1};
	int status = 1;
	bool fake;

	fs_inherit_nothing();
	fs_log_init();
	args.argc = fs_mount_helper_arguments(argc, argv, &fake);
	if (fuse_opt_parse(&args, &fs.opt, options, take_argument) < 0)
		goto out;
	if (fs.opt.help || fs.opt.list) {
		if (fs.opt.help)
			fs_usage_help(stdout);
		else
			fs_usage_rows(stdout);
		status = 0;
		goto out;
	}
	if (fs.opt.version) {
		printf("ipcfs %s\nlibfuse %s\n", IPCFS_VERSION, fuse_pkgversion());
		status = 0;
		goto out;
	}
	if (!fs.opt.mountpoint) {
		fs.opt.mountpoint = fs_place_default();
		if (!fs.opt.mountpoint)
			goto out;
		fs.place = true;
	}
	if (take_values(&fs.opt) < 0 || fs_mount_check(&fs) < 0)
		goto out;
	if (fake) {
		status = 0;
		goto out;
	}
	if (fuse_opt_add_arg(&args, "-odefault_permissions,fsname=ipcfs,subtype=ipcfs") < 0)
		goto out;
	if (!fs.opt.foreground && detach(&fs) < 0)
		goto out;
	status = fs_session_run(&fs, &args);
out:
	options_free(&fs.opt);
	fuse_opt_free_args(&args);
	return status;
}

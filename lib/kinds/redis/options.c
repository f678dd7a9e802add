#include "options.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/instance.h"

#define PREFIX_DEFAULT "ipcfs:"
enum { PREFIX_MAX = 256, REPLICAS_MAX = 100, LEASE_MIN = 3, LEASE_MAX = 3600 };

/* Keys are PREFIX{KIND/NAME}: what stands in the first braces decides where a cluster has them. */
static int prefix_check(const struct ipc_options *options, const char *value, char *why, size_t size)
{
	(void)options;
	if (strlen(value) <= PREFIX_MAX && !strpbrk(value, "{}"))
		return 0;
	snprintf(why, size, "at most %d bytes, and no '{' or '}', which tell a Redis Cluster where keys belong",
		 PREFIX_MAX);
	return -EINVAL;
}

static int user_check(const struct ipc_options *options, const char *value, char *why, size_t size)
{
	if (!value[0])
		snprintf(why, size, "a user of the Redis is needed (ACL LIST there shows them)");
	else if (!ipc_option_text(options, &redis_option_password_file))
		snprintf(why, size, "his password is needed, too: redis_password_file=FILE");
	else
		return 0;
	return -EINVAL;
}

/* What the daemon would only find out in the background is looked at here, where the user is still told. */
static int password_check(const struct ipc_options *options, const char *file, char *why, size_t size)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	char first = '\n';
	ssize_t n = fd < 0 ? -1 : read(fd, &first, 1);
	int err = errno;

	(void)options;
	if (fd >= 0)
		close(fd);
	if (n < 0)
		snprintf(why, size, "%s", strerror(err));
	else if (n == 0 || first == '\n')
		snprintf(why, size, "its first line is empty; that is where the password stands");
	else
		return 0;
	return -EINVAL;
}

static int replicas_check(const struct ipc_options *options, const char *value, char *why, size_t size)
{
	(void)options;
	return ipc_option_check_number(value, 0, REPLICAS_MAX, why, size);
}

/* A shorter one would end while a Redis only starts again. */
static int lease_check(const struct ipc_options *options, const char *value, char *why, size_t size)
{
	(void)options;
	return ipc_option_check_number(value, LEASE_MIN, LEASE_MAX, why, size);
}

static int sentinel_check(const struct ipc_options *options, const char *value, char *why, size_t size)
{
	(void)options;
	if (value[0] && !strpbrk(value, " \t"))
		return 0;
	snprintf(why, size,
		 "the name of the primary that the sentinels watch is needed, a word; redis= is then where they are");
	return -EINVAL;
}

const struct ipc_option redis_option_prefix = {
	.name = "redis_prefix",
	.value = "P",
	.help = "its keys begin with P (default " PREFIX_DEFAULT "); one P is one directory",
	.words = PREFIX_DEFAULT,
	.check = prefix_check,
};
const struct ipc_option redis_option_user = {
	.name = "redis_user",
	.value = "U",
	.help = "who we are there",
	.check = user_check,
};
const struct ipc_option redis_option_password_file = {
	.name = "redis_password_file",
	.value = "F",
	.help = "the file whose first line is the password",
	.words = "/",
	.check = password_check,
};
const struct ipc_option redis_option_replicas = {
	.name = "redis_replicas",
	.value = "N",
	.help = "a write is done when N replicas have it, too (default 0)",
	.words = "0 1",
	.check = replicas_check,
};
const struct ipc_option redis_option_sentinel = {
	.name = "redis_sentinel",
	.value = "NAME",
	.help = "redis= are sentinels, and NAME the primary they watch",
	.check = sentinel_check,
};

const struct ipc_option redis_option_lease = {
	.name = "redis_lease",
	.value = "S",
	.help = "a daemon that is not heard of for S seconds holds nothing more (default 30)",
	.words = "10 30",
	.check = lease_check,
};

const struct ipc_option *const redis_options[] = {REDIS_OPTIONS, NULL};

const char *redis_prefix(const struct ipc *ipc)
{
	const char *prefix = ipc_option_text(&ipc->opt, &redis_option_prefix);

	return prefix ? prefix : PREFIX_DEFAULT;
}

int redis_lease_seconds(const struct ipc *ipc)
{
	return (int)ipc_option_number(&ipc->opt, &redis_option_lease, REDIS_LEASE_DEFAULT);
}

void redis_readme_where(struct ipc *ipc, FILE *out)
{
	fprintf(out,
		"These channels are in the Redis at %s: every machine that mounts it has the same ones\n"
		"(its keys begin with %s). What waits goes on waiting while the Redis is away.\n",
		ipc->opt.redis, redis_prefix(ipc));
}

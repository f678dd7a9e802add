/*
 * The options of a mount over a Redis. What a mount without one would need them for nobody can guess, so they are
 * refused there; and what the daemon would only find out in the background is looked at here, where the user is still
 * told.
 */
#include "redis_options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "fs.h"

enum { HOST_MAX = 255, PREFIX_MAX = 256, REPLICAS_MAX = 100 };

/*
 * The port behind a host, or what is no port; NULL: there is none. A number of IPv6 has colons of its own, unless in
 * brackets.
 */
static const char *port_of(const char *place)
{
	const char *from = place[0] == '[' ? strchr(place, ']') : place, *colon;

	if (!from)
		return "";
	if (place[0] == '[')
		return from[1] == ':' ? from + 2 : from[1] ? "" : NULL;
	colon = strchr(from, ':');
	return colon && !strchr(colon + 1, ':') ? colon + 1 : NULL;
}

static int complain_place(const char *place, const char *why)
{
	fs_complain("-o redis=%s: %s; it is HOST, HOST:PORT, or the path of a Unix socket", place, why);
	return -1;
}

static int place_check(const char *place)
{
	const char *port = port_of(place);
	int64_t n;

	if (!place[0])
		return complain_place(place, "an address is needed");
	if (strchr(place, ' '))
		return complain_place(place, "no address has a space in it");
	if (place[0] == '/')
		return strlen(place) < sizeof(((struct sockaddr_un *)NULL)->sun_path)
			       ? 0
			       : complain_place(place, "the path of a socket has at most 107 bytes");
	if (strstr(place, "://"))
		return complain_place(place, "a URL is not taken");
	if (strchr(place, '@'))
		return complain_place(place,
				      "a user goes to redis_user=, a password into a file: redis_password_file=");
	if (strchr(place, '/'))
		return complain_place(place, "the path of a socket begins with '/'");
	if (place[0] == ':' || strlen(place) > HOST_MAX)
		return complain_place(place, "the host has a name of 1 to 255 bytes");
	if (port && ipc_number_parse(port, strlen(port), 0, 1, 65535, &n) < 0)
		return complain_place(place, "a port is a number from 1 to 65535");
	return 0;
}

int fs_redis_add(struct fs_redis_options *opt, const char *place)
{
	char *all;

	if (place_check(place) < 0)
		return -1;
	if (asprintf(&all, "%s%s%s", opt->places ? opt->places : "", opt->places ? " " : "", place) < 0) {
		fs_complain("%s", strerror(ENOMEM));
		return -1;
	}
	free(opt->places);
	opt->places = all;
	return 0;
}

static int password_check(const char *file)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	char first = '\n';
	ssize_t n = fd < 0 ? -1 : read(fd, &first, 1);
	int err = errno;

	if (fd >= 0)
		close(fd);
	if (n < 0)
		fs_complain("-o redis_password_file=%s: %s", file, strerror(err));
	else if (n == 0 || first == '\n')
		fs_complain("-o redis_password_file=%s: its first line is empty; that is where the password stands",
			    file);
	else
		return 0;
	return -1;
}

/* Which option needs a Redis and has none; NULL. */
static const char *without_redis(const struct fs_redis_options *opt)
{
	return opt->places	    ? NULL
	       : opt->prefix	    ? "redis_prefix"
	       : opt->user	    ? "redis_user"
	       : opt->password_file ? "redis_password_file"
	       : opt->replicas	    ? "redis_replicas"
	       : opt->sentinel	    ? "redis_sentinel"
				    : NULL;
}

/* Keys are PREFIX{KIND/NAME}: what stands in the first braces decides where a cluster has them. */
static int prefix_check(const char *prefix)
{
	if (!prefix || (strlen(prefix) <= PREFIX_MAX && !strpbrk(prefix, "{}")))
		return 0;
	fs_complain(
		"-o redis_prefix=%s: at most %d bytes, and no '{' or '}', which tell a Redis Cluster where keys belong",
		prefix, PREFIX_MAX);
	return -1;
}

static int words_check(const struct fs_redis_options *opt)
{
	if (opt->sentinel && (!opt->sentinel[0] || strpbrk(opt->sentinel, " \t"))) {
		fs_complain("-o redis_sentinel=%s: the name of the primary that the sentinels watch is needed, a word; "
			    "redis= is then where they are",
			    opt->sentinel);
		return -1;
	}
	if (opt->user && !opt->user[0]) {
		fs_complain("-o redis_user=: a user of the Redis is needed (ACL LIST there shows them)");
		return -1;
	}
	if (opt->user && !opt->password_file) {
		fs_complain("-o redis_user=%s: his password is needed, too: redis_password_file=FILE", opt->user);
		return -1;
	}
	return opt->password_file ? password_check(opt->password_file) : 0;
}

int fs_redis_take(const struct fs_redis_options *opt, struct ipc_options *to)
{
	const char *lonely = without_redis(opt);

	if (lonely) {
		fs_complain("-o %s: only a mount over a Redis has it: redis=ADDR", lonely);
		return -1;
	}
	if (!opt->places)
		return 0;
	if (!ipc_redis_kinds[0]) {
		fs_complain(
			"-o redis=%s: this ipcfs was built without hiredis (libhiredis-dev), which it takes to speak "
			"to a Redis",
			opt->places);
		return -1;
	}
	if (to->prefix) {
		fs_complain("-o prefix=%s: there are no kernel objects in a Redis; its keys have redis_prefix=",
			    to->prefix);
		return -1;
	}
	if (opt->replicas &&
	    ipc_number_parse(opt->replicas, strlen(opt->replicas), 0, 0, REPLICAS_MAX, &to->redis_replicas) < 0) {
		fs_complain("-o redis_replicas=%s: a whole number from 0 to %d is needed", opt->replicas, REPLICAS_MAX);
		return -1;
	}
	to->redis = opt->places;
	to->redis_prefix = opt->prefix;
	to->redis_user = opt->user;
	to->redis_password_file = opt->password_file;
	to->redis_sentinel = opt->sentinel;
	return prefix_check(opt->prefix) < 0 ? -1 : words_check(opt);
}

void fs_redis_free(struct fs_redis_options *opt)
{
	free(opt->places);
	free(opt->prefix);
	free(opt->user);
	free(opt->password_file);
	free(opt->replicas);
	free(opt->sentinel);
}

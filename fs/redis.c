/*
 * -o redis=ADDR: what the daemon would only find out in the background is looked at here, where the user is still told.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "fs.h"

enum { HOST_MAX = 255 };

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

int fs_redis_add(struct fs_options *opt, const char *place)
{
	char *all;

	if (place_check(place) < 0)
		return -1;
	if (asprintf(&all, "%s%s%s", opt->redis ? opt->redis : "", opt->redis ? " " : "", place) < 0) {
		fs_complain("%s", strerror(ENOMEM));
		return -1;
	}
	free(opt->redis);
	opt->redis = all;
	return 0;
}

int fs_redis_take(struct fs_options *opt)
{
	if (!opt->redis)
		return 0;
	if (!ipc_redis_kinds[0]) {
		fs_complain(
			"-o redis=%s: this ipcfs was built without hiredis (libhiredis-dev), which it takes to speak "
			"to a Redis",
			opt->redis);
		return -1;
	}
	if (opt->prefix) {
		fs_complain("-o prefix=%s: there are no kernel objects in a Redis; its keys have redis_prefix=",
			    opt->prefix);
		return -1;
	}
	opt->ipc.redis = opt->redis;
	return 0;
}

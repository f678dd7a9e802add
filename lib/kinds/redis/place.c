/* Where a server is. */
#include <stdio.h>
#include <string.h>

#include "conn.h"

static bool place_port(const char *text, size_t len, unsigned *port)
{
	int64_t n;

	if (ipc_number_parse(text, len, 0, 1, UINT16_MAX, &n) < 0)
		return false;
	*port = (unsigned)n;
	return true;
}

const char *redis_place_parse(const char *text, unsigned default_port, struct redis_place *place)
{
	size_t len, host;
	const char *colon;

	text += strspn(text, " ");
	len = strcspn(text, " ");
	memset(place, 0, sizeof(*place));
	place->port = text[0] == '/' ? 0 : default_port;
	host = len;
	colon = memchr(text, ':', len);
	if (text[0] == '[') {
		const char *end = memchr(text, ']', len);

		if (!end || (end + 1 < text + len && end[1] != ':'))
			return NULL;
		if (end + 1 < text + len && !place_port(end + 2, (size_t)(text + len - end - 2), &place->port))
			return NULL;
		memmove(place->host, text + 1,
			(size_t)(end - text - 1) < REDIS_HOST_MAX ? (size_t)(end - text - 1) : REDIS_HOST_MAX);
		return place->host[0] ? text + len : NULL;
	}
	/* More than one colon is a number of IPv6. */
	if (text[0] != '/' && colon && !memchr(colon + 1, ':', (size_t)(text + len - colon - 1))) {
		host = (size_t)(colon - text);
		if (!place_port(colon + 1, len - host - 1, &place->port))
			return NULL;
	}
	if (!host || host > REDIS_HOST_MAX)
		return NULL;
	memcpy(place->host, text, host);
	return text + len;
}

bool redis_place_is(const struct redis_place *a, const struct redis_place *b)
{
	return a->port == b->port && strcmp(a->host, b->host) == 0;
}

struct redis_place_text redis_place_text(const struct redis_place *place)
{
	struct redis_place_text t;

	if (place->port)
		snprintf(t.text, sizeof(t.text), strchr(place->host, ':') ? "[%s]:%u" : "%s:%u", place->host,
			 place->port);
	else
		snprintf(t.text, sizeof(t.text), "%s", place->host);
	return t;
}

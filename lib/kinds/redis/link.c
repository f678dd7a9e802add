/* The Redis of an instance: link.h. */
#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/sys.h"
#include "core/instance.h"
#include "node.h"
#include "options.h"

enum { PORT_DEFAULT = 6379, PORT_SENTINEL = 26379 };
/* So long what is still to be said is tried to be said at the end. */
enum { LAST_WORDS_MS = 1000 };

static struct ipc_list links = {&links, &links};

/* --- its life --- */

/* The first line of the file: 0 or -errno, with words. */
static int link_password(struct redis_link *rl, const char *file)
{
	char text[1024];
	int fd = (int)IPC_RETRY(open(file, O_RDONLY | O_CLOEXEC));
	ssize_t n = fd < 0 ? fd : IPC_RETRY(read(fd, text, sizeof(text) - 1));

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	rl->password = strdup(text);
	return rl->password ? 0 : -ENOMEM;
}

/* redis=, one place or several. */
static int link_seeds(struct redis_link *rl, const char *text)
{
	unsigned port = rl->primary_name ? PORT_SENTINEL : PORT_DEFAULT;
	size_t most = 1;

	for (const char *at = text; *at; at++)
		most += *at == ' ';
	rl->seeds = calloc(most, sizeof(*rl->seeds));
	if (!rl->seeds)
		return -ENOMEM;
	while (text[strspn(text, " ")]) {
		text = redis_place_parse(text, port, &rl->seeds[rl->seed_count++]);
		if (!text)
			return -EINVAL;
	}
	return rl->seed_count ? 0 : -EINVAL;
}

static void link_free(struct redis_link *rl)
{
	rl->ended = true;
	ipc_list_remove(&rl->link);
	ipc_timer_stop(rl->ipc->loop, &rl->renewal);
	if (rl->sentinel)
		redis_sentinel_free(rl->sentinel);
	if (rl->wake)
		redis_wake_free(rl->wake);
	while (!ipc_list_empty(&rl->nodes))
		redis_node_free(ipc_container(rl->nodes.next, struct redis_node, link));
	free(rl->slots);
	free(rl->seeds);
	free(rl->prefix);
	free(rl->user);
	free(rl->password);
	free(rl);
}

static int link_start(struct redis_link *rl)
{
	const struct ipc_options *opt = &rl->ipc->opt;
	const char *password_file = ipc_option_text(opt, &redis_option_password_file);
	const char *user = ipc_option_text(opt, &redis_option_user);
	uint64_t id;
	int r;

	rl->primary_name = ipc_option_text(opt, &redis_option_sentinel);
	rl->replicas = (int)ipc_option_number(opt, &redis_option_replicas, 0);
	r = link_seeds(rl, opt->redis ? opt->redis : "");
	if (r == 0 && password_file)
		r = link_password(rl, password_file);
	if (r < 0)
		return r;
	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		id = (uint64_t)ipc_now() << 20 ^ (uint64_t)getpid();
	snprintf(rl->id, sizeof(rl->id), "%012" PRIx64 "l%03x", id >> 16, redis_lease_seconds(rl->ipc) & 0xfffu);
	rl->prefix = strdup(redis_prefix(rl->ipc));
	rl->user = user ? strdup(user) : NULL;
	if (!rl->prefix || (user && !rl->user))
		return -ENOMEM;
	if (rl->primary_name && !(rl->sentinel = redis_sentinel_new(rl)))
		return -ENOMEM;
	if (!redis_node_new(rl, rl->primary_name ? &rl->primary : &rl->seeds[0]))
		return -ENOMEM;
	rl->wake = redis_wake_new(rl);
	return rl->wake ? 0 : -ENOMEM;
}

struct redis_link *redis_link_open(struct ipc *ipc)
{
	struct ipc_list *pos, *next;
	struct redis_link *rl;
	int r;

	ipc_list_each(pos, next, &links) {
		rl = ipc_container(pos, struct redis_link, link);
		if (rl->ipc == ipc) {
			rl->users++;
			return rl;
		}
	}
	rl = calloc(1, sizeof(*rl));
	if (!rl)
		return NULL;
	rl->ipc = ipc;
	rl->users = 1;
	ipc_list_init(&rl->nodes);
	ipc_list_init(&rl->channels);
	ipc_list_init(&rl->leased);
	ipc_list_init(&rl->listeners);
	ipc_list_append(&links, &rl->link);
	r = link_start(rl);
	if (r == 0)
		return rl;
	link_free(rl);
	errno = -r;
	return NULL;
}

static bool link_has_calls(const struct redis_link *rl)
{
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &rl->nodes) {
		const struct redis_node *node = ipc_container(pos, struct redis_node, link);

		if (node->conn.is_up && !(ipc_list_empty(&node->queued) && ipc_list_empty(&node->sent)))
			return true;
	}
	return false;
}

void redis_link_close(struct redis_link *rl)
{
	int64_t end = ipc_now() + LAST_WORDS_MS * INT64_C(1000000);
	struct ipc_list *pos, *next;

	if (!rl || --rl->users)
		return;
	rl->closing = true;
	while (link_has_calls(rl) && ipc_now() < end)
		ipc_list_each(pos, next, &rl->nodes)
			redis_conn_turn(&ipc_container(pos, struct redis_node, link)->conn, 10);
	snprintf(rl->why, sizeof(rl->why), "the mount was ended");
	link_free(rl);
}

const char *redis_link_id(const struct redis_link *rl)
{
	return rl->id;
}

const char *redis_link_why(const struct redis_link *rl)
{
	return rl->why;
}

static struct redis_node *link_first(const struct redis_link *rl)
{
	return ipc_container(rl->nodes.next, struct redis_node, link);
}

bool redis_link_is_up(const struct redis_link *rl)
{
	return link_first(rl)->conn.is_up;
}

bool redis_link_is_of_cluster(const struct redis_link *rl)
{
	return link_first(rl)->conn.is_cluster;
}

int64_t redis_link_heard_since(const struct redis_link *rl)
{
	return rl->heard_since;
}

/* --- where to --- */

struct redis_node *redis_link_route(struct redis_link *rl, unsigned slot)
{
	return rl->slots && rl->slots[slot] ? rl->slots[slot] : link_first(rl);
}

struct redis_node *redis_link_node_at(struct redis_link *rl, const struct redis_place *place)
{
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &rl->nodes) {
		struct redis_node *node = ipc_container(pos, struct redis_node, link);

		if (redis_place_is(&node->conn.place, place))
			return node;
	}
	return redis_node_new(rl, place);
}

/* The places that were given take turns. */
void redis_link_seek(struct redis_conn *c)
{
	struct redis_link *rl = ipc_container(c, struct redis_node, conn)->owner;

	if (rl->sentinel)
		c->place = rl->primary;
	else
		redis_cluster_seek(rl, &c->place);
}

void redis_link_lost(struct redis_link *rl)
{
	rl->seed += !rl->sentinel;
	if (rl->sentinel)
		redis_sentinel_ask(rl->sentinel);
}

void redis_link_met(struct redis_link *rl)
{
	if (rl->wake)
		redis_wake_move(rl->wake, &link_first(rl)->conn.place);
}

void redis_link_found(struct redis_link *rl, const struct redis_place *place)
{
	struct redis_conn *c = &link_first(rl)->conn;
	bool moved = !redis_place_is(place, &rl->primary);

	rl->primary = *place;
	if (moved || !c->is_up)
		redis_conn_again(c, true, -ECONNRESET, "the primary is another server now");
}

/* --- channels --- */

/* CRC-16/XMODEM, as CLUSTER KEYSLOT has it. */
uint16_t redis_slot_of(const char *tag, size_t len)
{
	unsigned crc = 0;

	for (size_t i = 0; i < len; i++) {
		crc ^= (unsigned)(unsigned char)tag[i] << 8;
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1;
	}
	return crc & (REDIS_SLOTS - 1);
}

int redis_channel_init(struct redis_channel *ch, struct redis_link *rl, const char *kind, const char *name)
{
	size_t prefix = strlen(rl->prefix);
	const char *tag, *end;

	memset(ch, 0, sizeof(*ch));
	if (asprintf(&ch->key, "%s{%s/%s}", rl->prefix, kind, name) < 0) {
		ch->key = NULL;
		return -ENOMEM;
	}
	ch->link = rl;
	tag = ch->key + prefix + 1;
	end = strchr(tag, '}');
	ch->slot = redis_slot_of(tag, (size_t)(end - tag));
	ipc_list_append(&rl->channels, &ch->all);
	ipc_list_init(&ch->leased);
	return 0;
}

void redis_channel_fini(struct redis_channel *ch)
{
	if (!ch->key)
		return;
	if (ch->renewal) {
		redis_call_drop(ch->renewal);
		free(ch->renewal);
	}
	ipc_list_remove(&ch->leased);
	redis_channel_forget(ch);
	ipc_timer_stop(ch->link->ipc->loop, &ch->quiet);
	ipc_list_remove(&ch->all);
	free(ch->places);
	free(ch->key);
	ch->key = NULL;
}

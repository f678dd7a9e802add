/*
 * Places where the server keeps the answers of calls with effects, until we have them (intro.lua: keep()). A place is
 * used for one call after another, and forgotten when no call comes for a second.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/instance.h"
#include "node.h"

REDIS_SCRIPT(forget);

struct last_call {
	struct redis_call call;
	struct redis_channel channel;
};

static void last_done(struct redis_call *call, int err, const redisReply *reply)
{
	struct last_call *last = ipc_container(call, struct last_call, call);

	(void)reply;
	/* Its own answer is to be forgotten, too; not where nobody can be told. */
	if (err)
		last->channel.place_count = 0;
	redis_channel_fini(&last->channel);
	free(last);
}

/* A place that is not to be used again: whether the server has done its call is not known, and it may still do it. */
#define PLACE_ABANDONED (UINT64_C(1) << 63)

/* The places whose answers we have, as text. They are not used again: see forget.lua. */
static size_t channel_places(struct redis_channel *ch, char *text, size_t size)
{
	size_t len = 0;

	while (ch->place_count && len + 24 < size)
		len += (size_t)snprintf(text + len, size - len, "%" PRIu64 " ",
					ch->places[--ch->place_count] & ~PLACE_ABANDONED);
	text[len] = '\0';
	return len;
}

/*
 * The server forgets the answers that we have. The call has a channel of its own, as ours may be about to end.
 */
static void channel_forget_some(struct redis_channel *ch, bool release)
{
	struct last_call *last = calloc(1, sizeof(*last));
	char text[2048];
	struct redis_arg args[2];

	args[0] = (struct redis_arg){.data = text, .len = channel_places(ch, text, sizeof(text))};
	args[1] = redis_text(release ? "1" : "0");
	if (!last)
		return;
	last->channel = (struct redis_channel){.link = ch->link, .slot = ch->slot, .key = strdup(ch->key)};
	if (!last->channel.key) {
		free(last);
		return;
	}
	ipc_list_append(&ch->link->channels, &last->channel.all);
	ipc_list_init(&last->channel.leased);
	/* Behind a call that has taken the lease again it must not be released once more. */
	last->call.once = release;
	if (redis_call_start(&last->channel, &last->call, &redis_script_forget, args, 2, last_done) < 0)
		last_done(&last->call, -ENOMEM, NULL);
}

void redis_channel_forget(struct redis_channel *ch)
{
	bool release = ch->was_leased && !ch->flying && ipc_list_empty(&ch->leased);

	if (release) {
		ch->was_leased = false;
		ch->leased_at = 0;
	}
	if (release || ch->place_count)
		channel_forget_some(ch, release);
	while (ch->place_count)
		channel_forget_some(ch, false);
}

#define QUIET_NS INT64_C(1000000000)

static void channel_quiet(struct ipc_timer *timer)
{
	redis_channel_forget(ipc_container(timer, struct redis_channel, quiet));
}

void redis_channel_quiet(struct redis_channel *ch)
{
	ipc_timer_start(ch->link->ipc->loop, &ch->quiet, ipc_now() + QUIET_NS, channel_quiet);
}

uint64_t redis_channel_place(struct redis_channel *ch, uint64_t number)
{
	if (!ch->place_count || (ch->places[ch->place_count - 1] & PLACE_ABANDONED))
		return number;
	return ch->places[--ch->place_count];
}

void redis_channel_leave(struct redis_channel *ch, uint64_t place, bool answered)
{
	uint64_t *grown;

	if (ch->place_count == ch->place_room) {
		grown = realloc(ch->places, (ch->place_room + 16) * sizeof(*grown));
		if (!grown)
			return;
		ch->places = grown;
		ch->place_room += 16;
	}
	ch->places[ch->place_count++] = answered ? place : place | PLACE_ABANDONED;
	redis_channel_quiet(ch);
}

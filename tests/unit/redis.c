/* What the kinds in a Redis know without one: places, and slots of a cluster. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/instance.h"
#include "kinds/redis/node.h"

TestSuite(redis, .timeout = 20);

static const struct {
	const char *text, *host;
	unsigned port; /* 0 and no host: it is no place */
} places[] = {
	{"redis1", "redis1", 6379},
	{"redis1:7000", "redis1", 7000},
	{"10.0.0.1:1", "10.0.0.1", 1},
	{"::1", "::1", 6379},
	{"[::1]:7000", "::1", 7000},
	{"[::1]", "::1", 6379},
	{"/run/redis.sock", "/run/redis.sock", 0},
	{"/run/a:b", "/run/a:b", 0},
	{"redis1:", NULL, 0},
	{"redis1:0", NULL, 0},
	{"redis1:65536", NULL, 0},
	{"redis1:x", NULL, 0},
	{":7000", NULL, 0},
	{"[::1", NULL, 0},
	{"[::1]x", NULL, 0},
	{"[]:1", NULL, 0},
};

Test(redis, places_are_hosts_with_or_without_a_port_and_paths)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct redis_place place;
		const char *end = redis_place_parse(places[i].text, 6379, &place);

		cr_assert_eq(end != NULL, places[i].host != NULL, "%s", places[i].text);
		if (!end)
			continue;
		cr_assert_str_eq(place.host, places[i].host);
		cr_assert_eq(place.port, places[i].port, "%s: %u", places[i].text, place.port);
		cr_assert_eq(*end, '\0');
	}
}

Test(redis, several_places_stand_behind_each_other)
{
	struct redis_place place;
	const char *at = redis_place_parse("  a:1 b", 6379, &place);

	cr_assert_str_eq(place.host, "a");
	at = redis_place_parse(at, 6379, &place);
	cr_assert_str_eq(place.host, "b");
	cr_assert_eq(place.port, 6379u);
	cr_assert_eq(*at, '\0');
}

/* The first is the specification's own example, the others what CLUSTER KEYSLOT says. */
Test(redis, slots_are_those_of_the_cluster)
{
	cr_assert_eq(redis_slot_of("123456789", 9), 12739);
	cr_assert_eq(redis_slot_of("foo", 3), 12182);
	cr_assert_eq(redis_slot_of("", 0), 0);
}

/* If that one came late, it would overwrite the later call's. */
Test(redis, an_answers_place_goes_to_a_later_call_unless_it_may_still_come)
{
	struct ipc ipc = {.loop = ipc_loop_new()};
	struct redis_link link = {.ipc = &ipc};
	struct redis_channel ch = {.link = &link};

	cr_assert_eq(redis_channel_place(&ch, 1), 1);
	redis_channel_leave(&ch, 1, true);
	cr_assert_eq(redis_channel_place(&ch, 2), 1);
	redis_channel_leave(&ch, 1, false);
	cr_assert_eq(redis_channel_place(&ch, 3), 3);
	ipc_timer_stop(ipc.loop, &ch.quiet);
	free(ch.places);
	ipc_loop_free(ipc.loop);
}

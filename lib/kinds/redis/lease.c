/* Leases: that this daemon is there, said again and again for each channel where it holds something. */
#include <stdlib.h>

#include "core/instance.h"
#include "node.h"
#include "options.h"

REDIS_SCRIPT(renew);

/* Three times and more in a lease: one that is late or lost is no harm. */
static int64_t renewal_ns(const struct redis_link *rl)
{
	return redis_lease_seconds(rl->ipc) * INT64_C(4000000000) / 15;
}

static void renewal_done(struct redis_call *call, int err, const redisReply *reply)
{
	struct redis_channel *ch = call->channel;
	bool lost = err == 0 && (redis_reply_is_gone(reply) || redis_reply_number(redis_reply_at(reply, 0), 1) == 0);

	ch->renewal = NULL;
	if (lost)
		ch->leased_at = 0;
	free(call);
	if (lost && !ipc_list_empty(&ch->leased)) {
		ipc_list_remove(&ch->leased);
		if (ch->lost)
			ch->lost(ch);
	}
}

static void renew_all(struct ipc_timer *timer)
{
	struct redis_link *rl = ipc_container(timer, struct redis_link, renewal);
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &rl->leased) {
		struct redis_channel *ch = ipc_container(pos, struct redis_channel, leased);
		struct redis_call *call = ch->renewal ? NULL : calloc(1, sizeof(*call));

		if (call && redis_call_start(ch, call, &redis_script_renew, NULL, 0, renewal_done) < 0)
			free(call);
		else if (call)
			ch->renewal = call;
	}
	if (!ipc_list_empty(&rl->leased))
		ipc_timer_start(rl->ipc->loop, &rl->renewal, ipc_now() + renewal_ns(rl), renew_all);
}

bool redis_channel_lease_ages(const struct redis_channel *ch)
{
	return !ch->leased_at || ipc_now() - ch->leased_at > renewal_ns(ch->link);
}

void redis_channel_hold(struct redis_channel *ch, int more, void (*lost)(struct redis_channel *))
{
	struct redis_link *rl = ch->link;
	bool on;

	ch->held += (unsigned)more;
	on = ch->held > 0;
	ch->lost = lost;
	if (on && ipc_list_empty(&ch->leased))
		ipc_list_append(&rl->leased, &ch->leased);
	else if (!on)
		ipc_list_remove(&ch->leased);
	ch->was_leased |= on;
	if (!on)
		redis_channel_quiet(ch);
	if (on && !rl->renewal.slot)
		ipc_timer_start(rl->ipc->loop, &rl->renewal, ipc_now() + renewal_ns(rl), renew_all);
}

/* Calls of scripts: link.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/instance.h"
#include "node.h"

struct redis_arg redis_text(const char *text)
{
	return (struct redis_arg){.data = text, .len = strlen(text)};
}

struct redis_arg redis_number(int64_t n)
{
	struct redis_arg arg = {.data = NULL};

	arg.len = (size_t)snprintf(arg.own, sizeof(arg.own), "%" PRId64, n);
	return arg;
}

/* EVALSHA sha 1 key me number place prefix id args... */
enum { FIXED = 9, FEW = 32 };

/* What stands before the number: intro.lua. */
enum { FLAG_FIRST = '0', FLAG_LOOKS = '1', FLAG_AGAIN = '2' };

/* So often a call looks after what dead daemons held. */
#define LOOKS_NS INT64_C(1000000000)

static char call_flag(struct redis_channel *ch)
{
	int64_t now = ipc_now();

	if (ch->looked && now - ch->looked < LOOKS_NS)
		return FLAG_FIRST;
	ch->looked = now;
	return FLAG_LOOKS;
}

static size_t digits(size_t n)
{
	return n < 10 ? 1 : 1 + digits(n / 10);
}

/* As Redis's protocol has it: $LEN, the bytes, each with its line's end. */
static size_t bulk_len(size_t n)
{
	return 1 + digits(n) + 2 + n + 2;
}

/* Where the flag is in the command's text. */
static size_t flag_at(const size_t lens[static FIXED], unsigned count)
{
	size_t at = 1 + digits(count) + 2;

	for (int i = 0; i < 5; i++)
		at += bulk_len(lens[i]);
	return at + 1 + digits(lens[5]) + 2;
}

/* Returns the command's text, to be freed, or NULL. */
static char *call_format(struct redis_channel *ch, struct redis_call *call, const struct redis_arg *args,
			 unsigned count, size_t *len)
{
	struct redis_link *rl = ch->link;
	char number[24] = "", place[24] = "", me[REDIS_ID_LEN + REDIS_JUDGE_TEXT];
	const char *few[FIXED + FEW];
	size_t few_len[FIXED + FEW];
	bool many = count > FEW;
	const char **argv = many ? malloc((FIXED + count) * sizeof(*argv)) : few;
	size_t *lens = many ? malloc((FIXED + count) * sizeof(*lens)) : few_len;
	char *text = NULL;
	long long n = -1;

	if (argv && lens) {
		const char *fixed[FIXED] = {"EVALSHA", call->script->sha, "1",	 ch->key, me, number,
					    place,     rl->prefix,	  ch->id};

		snprintf(me, sizeof(me), "%s", rl->id);
		if (call->number) {
			snprintf(number, sizeof(number), "%c%" PRIu64, call_flag(ch), call->number);
			snprintf(place, sizeof(place), "%" PRIu64, call->place);
		}
		if (number[0] != FLAG_FIRST)
			redis_judge_time(redis_link_route(rl, ch->slot), me + REDIS_ID_LEN);
		for (unsigned i = 0; i < FIXED; i++) {
			argv[i] = fixed[i];
			lens[i] = strlen(fixed[i]);
		}
		for (unsigned i = 0; i < count; i++) {
			argv[FIXED + i] = args[i].data ? args[i].data : args[i].own;
			lens[FIXED + i] = args[i].len;
		}
		n = redisFormatCommandArgv(&text, (int)(FIXED + count), argv, lens);
		call->flag_at = call->number ? flag_at(lens, FIXED + count) : 0;
	}
	if (many) {
		free(argv);
		free(lens);
	}
	*len = n < 0 ? 0 : (size_t)n;
	return n < 0 ? NULL : text;
}

static void call_expired(struct ipc_timer *timer)
{
	struct redis_call *call = ipc_container(timer, struct redis_call, timer);

	redis_call_finish(call, -EHOSTDOWN, NULL);
}

int redis_call_start(struct redis_channel *ch, struct redis_call *call, const struct redis_script *script,
		     const struct redis_arg *args, unsigned count,
		     void (*done)(struct redis_call *, int err, const redisReply *))
{
	struct redis_link *rl = ch->link;

	call->channel = ch;
	call->script = script;
	call->done = done;
	call->flight = NULL;
	call->timer = (struct ipc_timer){0};
	call->number = call->once ? ++rl->number : 0;
	call->place = call->once ? redis_channel_place(ch, call->number) : 0;
	call->repeats = 0;
	call->asking = false;
	call->kept = NULL;
	ipc_list_init(&call->link);
	call->command = rl->ended ? NULL : call_format(ch, call, args, count, &call->len);
	if (!call->command || (call->patience && ipc_timer_start(rl->ipc->loop, &call->timer,
								 ipc_now() + call->patience, call_expired) < 0)) {
		if (call->command)
			redisFreeCommand(call->command);
		if (call->number)
			redis_channel_leave(ch, call->place, true);
		return rl->ended ? -ENOTCONN : -ENOMEM;
	}
	ch->flying++;
	redis_node_put(redis_link_route(rl, ch->slot), call);
	return 0;
}

/* Takes it out of the link's hands. over: the server has answered, or has never heard of it. */
static void call_leave(struct redis_call *call, bool over)
{
	struct redis_channel *ch = call->channel;

	ipc_list_remove(&call->link);
	ipc_timer_stop(ch->link->ipc->loop, &call->timer);
	if (call->flight)
		call->flight->call = NULL;
	call->flight = NULL;
	redis_reply_free(call->kept);
	call->kept = NULL;
	redisFreeCommand(call->command);
	call->command = NULL;
	ch->flying--;
	if (call->number)
		redis_channel_leave(ch, call->place, over);
}

void redis_call_again(struct redis_call *call)
{
	call->repeats++;
	call->asking = false;
	if (call->flag_at)
		call->command[call->flag_at] = FLAG_AGAIN;
}

bool redis_call_withdraw(struct redis_call *call)
{
	if (call->flight || call->repeats)
		return false;
	call_leave(call, true);
	return true;
}

void redis_call_drop(struct redis_call *call)
{
	call_leave(call, false);
}

/* With the last words about the connection, which may begin with where it leads. */
static void link_is_away(struct redis_link *rl, const struct redis_conn *c)
{
	const struct redis_place_text at = redis_place_text(&c->place);
	const char *why = c->is_up ? "" : c->why;
	size_t n = strlen(at.text);

	if (strncmp(why, at.text, n) == 0 && why[n] == ':')
		why += n + 2;
	if (rl->sentinel && !rl->primary.host[0]) {
		why = redis_sentinel_why(rl->sentinel);
		snprintf(rl->why, sizeof(rl->why), "no sentinel says where the primary '%s' is%s%s", rl->primary_name,
			 why[0] ? ": " : "", why);
	} else {
		snprintf(rl->why, sizeof(rl->why), "the Redis at %s does not answer%s%.200s", at.text,
			 why[0] ? ": " : "", why);
	}
}

void redis_call_finish(struct redis_call *call, int err, const redisReply *reply)
{
	struct redis_link *rl = call->channel->link;

	if (err == -EHOSTDOWN)
		link_is_away(rl, &call->node->conn);
	call_leave(call, err == 0);
	call->done(call, err, reply);
}

#include "deadlock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "reader.h"
#include "base/proc.h"
#include "cred.h"
#include "event.h"
#include "handle.h"
#include "instance.h"
#include "kind.h"
#include "path.h"

/* So many processes, holders of one channel, and open files of it are looked at; what would take more is not judged. */
enum { MEMBERS_MAX = 64, HOLDERS_MAX = 16, HANDLES_MAX = 256, STEPS_MAX = 1024 };

struct ipc_deadlock {
	unsigned count;
	struct ipc_waiter *members[MEMBERS_MAX];
};

/*
 * The search: who waits is taken to be stuck until the contrary is seen, so that a circle ends where it began. What has
 * been assumed on the way is taken back where it led to nothing.
 */
struct search {
	struct ipc_waiter *path[MEMBERS_MAX];
	unsigned count, steps;
	unsigned back; /* the earliest on the path that it came back to */
};

static bool waiter_is_stuck(struct search *, struct ipc_waiter *);

static bool came_back(struct search *s, const struct ipc_waiter *w)
{
	unsigned i = 0;

	while (s->path[i] != w)
		i++;
	if (i < s->back)
		s->back = i;
	return true;
}

static void forget_from(struct search *s, unsigned count)
{
	while (s->count > count)
		s->path[--s->count]->assumed = false;
}

/*
 * One thing is held, and every file that holds it is the same one: it comes back when all have closed it, and one of
 * them never will.
 */
static bool only_holder_is_stuck(struct search *s, const struct ipc_chan *chan)
{
	struct ipc_list *pos, *next;
	unsigned n = 0;

	ipc_list_each(pos, next, &chan->held_by)
		if (n++ < HOLDERS_MAX && waiter_is_stuck(s, ipc_container(pos, struct ipc_waiter_hold, link)->waiter))
			return true;
	return false;
}

/* Several are held, and /proc does not tell which file holds which: the one who took it must be stuck himself. */
static bool opener_is_stuck(struct search *s, const struct ipc_handle *h)
{
	pid_t opener = ipc_proc_process(h->cred.pid);
	struct ipc_list *pos, *next;
	unsigned n = 0;

	ipc_list_each(pos, next, &h->chan->held_by) {
		struct ipc_waiter *w = ipc_container(pos, struct ipc_waiter_hold, link)->waiter;

		if (n++ < HOLDERS_MAX && opener > 0 && w->process == opener && waiter_is_stuck(s, w))
			return true;
	}
	return false;
}

static bool all_holders_are_stuck(struct search *s, const struct ipc_chan *chan)
{
	struct ipc_list *pos, *next;
	unsigned found = 0, looked = 0;

	if (chan->holders > HOLDERS_MAX)
		return false;
	ipc_list_each(pos, next, &chan->handles) {
		struct ipc_handle *h = ipc_container(pos, struct ipc_handle, link);

		if (found == chan->holders || looked++ >= HANDLES_MAX)
			break;
		if (!h->kind->handles->holds(h))
			continue;
		found++;
		if (!opener_is_stuck(s, h))
			return false;
	}
	return found == chan->holders;
}

/* What others have taken without holding it, anybody may give back. */
static bool chan_is_stuck(struct search *s, const struct ipc_chan *chan)
{
	if (!chan->holders || chan->counts->lent)
		return false;
	return chan->holders == 1 ? only_holder_is_stuck(s, chan) : all_holders_are_stuck(s, chan);
}

static bool waiter_is_stuck(struct search *s, struct ipc_waiter *w)
{
	unsigned before = s->count;

	if (w->assumed)
		return came_back(s, w);
	/* Another thread may go on, and close the file. */
	if (s->count == MEMBERS_MAX || s->steps++ >= STEPS_MAX || w->threads != 1)
		return false;
	w->assumed = true;
	s->path[s->count++] = w;
	if (chan_is_stuck(s, w->chan))
		return true;
	forget_from(s, before);
	return false;
}

/* --- telling --- */

/* Who waits for a channel is for those to know who may read it. */
static bool may_know(const struct ipc_waiter *w, const struct ipc_cred *cred)
{
	struct ipc_ref ref = ipc_ref_of(w->chan->kind, w->chan->name);
	struct stat st;

	if (w->cred.uid == cred->uid || ipc_may_override(cred))
		return true;
	return ref.kind->names->stat(w->ipc, &ref, &st) == 0 && ipc_cred_may_read(cred, &st);
}

/* "sem/a,sem/b", as they are called. */
static void deadlock_names(const struct ipc_deadlock *d, char text[static IPC_DEADLOCK_TEXT])
{
	size_t n = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < d->count; i++) {
		const struct ipc_path path = ipc_chan_path(d->members[i]->chan);

		if (n + strlen(path.text) + 2 > IPC_DEADLOCK_TEXT)
			return;
		n += (size_t)snprintf(text + n, IPC_DEADLOCK_TEXT - n, "%s%s", i ? "," : "", path.text);
	}
}

void ipc_deadlock_text(const struct ipc_deadlock *d, const struct ipc_cred *cred, char text[static IPC_DEADLOCK_TEXT])
{
	size_t n = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < d->count; i++) {
		const struct ipc_waiter *w = d->members[i];
		char command[4 * IPC_WAITER_COMMAND], name[4 * IPC_NAME_MAX + 1],
			who[128] = "a process of another user";

		ipc_escape(command, sizeof(command), w->command, strlen(w->command));
		ipc_escape(name, sizeof(name), w->chan->name, strlen(w->chan->name));
		if (may_know(w, cred))
			snprintf(who, sizeof(who), "%s (pid %d)", command, (int)ipc_reader_pid(w->ipc, w->process));
		if (n + strlen(who) + strlen(name) + 32 > IPC_DEADLOCK_TEXT)
			return;
		n += (size_t)snprintf(text + n, IPC_DEADLOCK_TEXT - n, "%s%s for %s/%s", i ? ", " : "", who,
				      w->chan->kind->name, name);
	}
}

static void tell_event(const struct ipc_deadlock *d, const struct ipc_waiter *w, const char *state)
{
	char names[IPC_DEADLOCK_TEXT];
	const struct ipc_event_value value[IPC_EVENT_VALUES] = {{.key = "state", .text = state},
								{.key = "cycle", .text = names}};

	if (!w->ipc->events)
		return;
	deadlock_names(d, names);
	ipc_event_of_chan(w->chan, IPC_EVENT_DEADLOCK, &w->cred, value);
}

static void tell_error(const struct ipc_deadlock *d, const struct ipc_waiter *w)
{
	char text[IPC_DEADLOCK_TEXT];

	ipc_reader_enter(w->ipc, &w->cred);
	ipc_deadlock_text(d, &w->cred, text);
	ipc_reader_leave(w->ipc);
	ipc_refuse(w->ipc, &w->cred, EDEADLK, ipc_chan_path(w->chan).text,
		   "each of these waits for what another of them holds: %s", text);
}

void ipc_deadlock_find(struct ipc_waiter *w)
{
	struct search s = {.back = MEMBERS_MAX};
	struct ipc_deadlock *d = NULL;
	bool stuck = waiter_is_stuck(&s, w);

	/* Who only waits for those in a circle has not closed it. */
	stuck = stuck && s.back == 0;
	for (unsigned i = 0; i < s.count; i++)
		stuck = stuck && !s.path[i]->deadlock;
	if (stuck && s.count)
		d = calloc(1, sizeof(*d));
	for (unsigned i = 0; d && i < s.count; i++) {
		d->members[d->count++] = s.path[i];
		s.path[i]->deadlock = d;
		s.path[i]->chan->deadlock = d;
	}
	forget_from(&s, 0);
	for (unsigned i = 0; d && i < d->count; i++) {
		tell_error(d, d->members[i]);
		tell_event(d, d->members[i], "closed");
	}
}

void ipc_deadlock_leave(struct ipc_waiter *w)
{
	struct ipc_deadlock *d = w->deadlock;

	if (!d)
		return;
	for (unsigned i = 0; i < d->count; i++)
		tell_event(d, d->members[i], "opened");
	for (unsigned i = 0; i < d->count; i++) {
		d->members[i]->deadlock = NULL;
		if (d->members[i]->chan->deadlock == d)
			d->members[i]->chan->deadlock = NULL;
	}
	free(d);
}

/* NAME@hold: a permit that an open file has until it is closed. */
#include "sem.h"

#include <string.h>

#include "core/chan.h"
#include "core/handle.h"
#include "core/path.h"

static int reserve_place(struct sem_handle *s)
{
	struct ipc *ipc = s->h.ipc;
	char why[256];

	s->place = sem_held_reserve(sem_kind(ipc)->held, s->dev, s->h.chan->st.st_ino, why, sizeof(why));
	return s->place >= 0 ? 0
			     : ipc_refuse(ipc, &s->h.cred, -s->place, ipc_handle_path(&s->h).text,
					  "a permit cannot be held where a crash could not give it back: %s", why);
}

int sem_connect(struct ipc_op *op)
{
	struct sem_handle *s = sem_handle(op->handle);
	int r = 0;

	if (!(s->h.facets.set & IPC_F_HOLD))
		return 0;
	if (s->place < 0)
		r = reserve_place(s);
	if (r == 0)
		r = sem_permit_take(op, sem_held_mark(sem_kind(s->h.ipc)->held, s->place));
	if (r < 0)
		return r;
	s->holds = true;
	s->since = ipc_now();
	s->h.chan->holders++;
	return 0;
}

int64_t sem_holds(const struct ipc_handle *h)
{
	const struct sem_handle *s = ipc_container(h, const struct sem_handle, h);

	return s->holds ? s->since : 0;
}

void sem_hold_end(struct sem_handle *s)
{
	struct sem_held *held = sem_kind(s->h.ipc)->held;

	if (s->holds) {
		int r;

		s->h.chan->holders--;
		atomic_store(sem_held_mark(held, s->place), 0);
		r = sem_permit_give(s, 1);
		if (r < 0)
			ipc_refuse(s->h.ipc, &s->h.cred, -r, ipc_handle_path(&s->h).text,
				   "the permit could not be given back: %s", strerror(-r));
	}
	if (s->place >= 0)
		sem_held_release(held, s->place);
}

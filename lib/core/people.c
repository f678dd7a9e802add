#include "people.h"

#include "reader.h"
#include "base/proc.h"
#include "handle.h"
#include "kind.h"
#include "settle.h"

struct people {
	bool (*fn)(void *, const struct ipc_person *);
	void *arg;
};

/* sides: where it waits, a bit each. Returns whether to go on. */
static bool each_waiting(const struct people *p, const struct ipc_handle *h, unsigned *sides)
{
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &h->ops) {
		const struct ipc_op *op = ipc_container(pos, struct ipc_op, handle_link);
		struct ipc_person person = {IPC_ROLE_WAITS, op->cred.pid, op->since, op->type, 0, 1};

		*sides |= 1u << ipc_op_side(op);
		if (!p->fn(p->arg, &person))
			return false;
	}
	return true;
}

static bool each_open(const struct people *p, const struct ipc_handle *h, unsigned sides)
{
	struct ipc_person person = {IPC_ROLE_READS, h->cred.pid, 0, IPC_READ, 0, 1};

	if (h->readable && !(sides & 1u << IPC_IN) && !p->fn(p->arg, &person))
		return false;
	person.role = IPC_ROLE_WRITES;
	person.op = IPC_WRITE;
	return !h->writable || (sides & 1u << IPC_OUT) || p->fn(p->arg, &person);
}

static bool each_has(const struct people *p, const struct ipc_handle *h, int64_t holds)
{
	struct ipc_person person = {IPC_ROLE_HOLDS, h->cred.pid, holds, IPC_OPEN, 0, 1};
	const struct ipc_debt *debt = ipc_settle_oldest(h, &person.count);

	if (holds && !p->fn(p->arg, &person))
		return false;
	if (!debt)
		return true;
	person.role = IPC_ROLE_OWES;
	person.pid = debt->pid;
	person.since = debt->since;
	person.deliveries = debt->deliveries;
	return p->fn(p->arg, &person);
}

void ipc_people_each(const struct ipc_chan *chan, bool (*fn)(void *, const struct ipc_person *), void *arg)
{
	struct people p = {fn, arg};
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &chan->handles) {
		const struct ipc_handle *h = ipc_container(pos, struct ipc_handle, link);
		int64_t holds = h->kind->handles->holds ? h->kind->handles->holds(h) : 0;
		unsigned sides = 0;

		if (!each_waiting(&p, h, &sides))
			return;
		/* Who holds a permit has the file open for reading: he is shown once, as its holder. */
		if (!holds && !each_open(&p, h, sides))
			return;
		if (!each_has(&p, h, holds))
			return;
	}
}

pid_t ipc_person_show(const struct ipc *ipc, const struct ipc_person *person, char *command, size_t size)
{
	pid_t pid = ipc_reader_pid(ipc, person->pid);
	bool known = pid && (!person->since || ipc_proc_is_from(person->pid, person->since));

	ipc_command(known ? person->pid : 0, command, size);
	return pid;
}

/* What an operation is: where it waits, what it is called, and what is left of it when it ends early. */
#include "op.h"

#include "handle.h"

int ipc_op_side(const struct ipc_op *op)
{
	switch (op->type) {
	case IPC_READ:
		return IPC_IN;
	case IPC_OPEN:
		return op->handle->open_side;
	default:
		return IPC_OUT;
	}
}

const char *ipc_op_verb(enum ipc_op_type type)
{
	static const char *const verbs[] = {
		[IPC_OPEN] = "open", [IPC_READ] = "read", [IPC_WRITE] = "write", [IPC_FLUSH] = "flush"};

	return verbs[type];
}

ssize_t ipc_op_outcome(const struct ipc_op *op, int err)
{
	return op->type == IPC_WRITE && op->done ? (ssize_t)op->done : err;
}

#include "plain.h"
#include "base/sys.h"
#include "core/handle.h"
#include "core/instance.h"

#include <unistd.h>

void ipc_plain_open(struct ipc_handle *h, int fd)
{
	h->plain = true;
	h->duplex = false;
	h->lock_fd = fd;
}

ssize_t ipc_plain_read(struct ipc_op *op, int fd)
{
	char *buf = ipc_scratch(op->handle->ipc, op->size);

	if (!buf)
		return -ENOMEM;
	op->data = buf;
	return IPC_RETRY(pread(fd, buf, op->size, op->offset));
}

ssize_t ipc_plain_write(struct ipc_op *op, int fd)
{
	while (op->done < op->size) {
		ssize_t n =
			IPC_RETRY(pwrite(fd, op->data + op->done, op->size - op->done, op->offset + (off_t)op->done));

		if (n < 0)
			return op->done ? (ssize_t)op->done : n;
		op->done += (size_t)n;
	}
	return (ssize_t)op->done;
}

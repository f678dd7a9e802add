/* What is kept of the last message that a handle read: keep.h. */
#include "keep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "handle.h"
#include "kind.h"
#include "quota.h"

struct ipc_keep {
	char *mem;
	size_t size;
	char *data;	      /* somewhere in mem */
	const char *borrowed; /* where the message is instead: ipc_keep_borrowed(); NULL */
	size_t len;
	off_t at; /* offset of its first byte */
};

/* A message of any length ends before the last offset there is. */
#define OFFSET_MAX (INT64_MAX - ((off_t)1 << 40))

struct ipc_keep *ipc_keep_new(void)
{
	return calloc(1, sizeof(struct ipc_keep));
}

void ipc_keep_free(struct ipc_handle *h)
{
	ipc_quota_give(h->ipc, h->cred.uid, IPC_QUOTA_BYTES, h->keep->size);
	free(h->keep->mem);
	free(h->keep);
}

size_t ipc_keep_size(const struct ipc_handle *h)
{
	return h->keep->size;
}

char *ipc_keep_reserve(struct ipc_handle *h, size_t n)
{
	struct ipc_keep *k = h->keep;
	size_t at = k->len ? (size_t)(k->data - k->mem) : 0;
	int r = ipc_quota_grow(h, &k->mem, &k->size, n);

	k->data = k->mem + at;
	return r < 0 ? NULL : k->mem;
}

bool ipc_keep_take_loan(struct ipc_op *op, struct ipc_loan *loan, const char *data)
{
	struct ipc_handle *h = op->handle;
	struct ipc_keep *k = h->keep;
	char *mem = loan->mem;

	if (h->plain || h->duplex || k->size > loan->size ||
	    ipc_quota_charge(h->ipc, h->cred.uid, IPC_QUOTA_BYTES, loan->size - k->size) < 0)
		return false;
	loan->mem = k->size == loan->size ? k->mem : NULL;
	if (!loan->mem)
		free(k->mem);
	k->mem = mem;
	k->size = loan->size;
	k->len = 0;
	op->data = data;
	return true;
}

void ipc_keep_borrowed(struct ipc_handle *h, const char *message)
{
	h->keep->len = 0;
	h->keep->borrowed = message;
}

static void keep_nothing(struct ipc_handle *h, off_t at)
{
	h->keep->len = 0;
	h->keep->at = h->pos = at;
}

bool ipc_keep_save(struct ipc_handle *h)
{
	struct ipc_keep *k = h->keep;
	const char *borrowed = k->borrowed;

	k->borrowed = NULL;
	if (!k->len || !borrowed)
		return true;
	if (!ipc_keep_reserve(h, k->len)) {
		keep_nothing(h, h->pos);
		return false;
	}
	k->data = memcpy(k->mem, borrowed, k->len);
	return true;
}

static const char *keep_data(const struct ipc_keep *k)
{
	return k->borrowed ? k->borrowed : k->data;
}

static off_t keep_end(const struct ipc_keep *k)
{
	return k->at + (off_t)k->len;
}

size_t ipc_keep_rest(const struct ipc_handle *h)
{
	return h->pos < keep_end(h->keep) ? (size_t)(keep_end(h->keep) - h->pos) : 0;
}

ssize_t ipc_keep_serve(struct ipc_op *op)
{
	struct ipc_handle *h = op->handle;
	const struct ipc_keep *k = h->keep;
	size_t n;

	if (h->plain)
		return -ENODATA;
	if (h->duplex || op->onward)
		op->offset = h->pos;
	if (op->offset > OFFSET_MAX)
		return ipc_refuse(h->ipc, &op->cred, EOVERFLOW, ipc_handle_path(h).text,
				  "offset %lld is beyond any that reading leads to", (long long)op->offset);
	if (op->offset >= keep_end(k))
		return -ENODATA;
	if (op->offset < k->at)
		return ipc_refuse(
			h->ipc, &op->cred, EINVAL, ipc_handle_path(h).text,
			"offset %lld is before the last message that this descriptor read, which begins at %lld: "
			"a channel cannot go back further",
			(long long)op->offset, (long long)k->at);
	n = (size_t)(keep_end(k) - op->offset);
	if (n > op->size)
		n = op->size;
	op->data = keep_data(k) + (op->offset - k->at);
	h->pos = op->offset + (off_t)n;
	return (ssize_t)n;
}

static bool put_back(struct ipc_op *op, const char *message, size_t len)
{
	return op->handle->kind->handles->put_back && op->handle->kind->handles->put_back(op, message, len);
}

/*
 * There is no memory to keep the message. One that is read whole is delivered, and cannot be read again; one with a
 * rest goes back.
 */
static ssize_t keep_without_room(struct ipc_op *op, size_t len)
{
	if (len > op->size) {
		op->handle->keep->len = 0; /* the one before is not what goes back */
		put_back(op, op->data, len);
		return -ENOMEM;
	}
	keep_nothing(op->handle, op->offset + (off_t)len);
	return (ssize_t)len;
}

static bool keep_holds(const struct ipc_keep *k, const char *data, size_t len)
{
	return k->mem && data >= k->mem && data + len <= k->mem + k->size;
}

static bool keep_message(struct ipc_op *op, size_t len)
{
	struct ipc_keep *k = op->handle->keep;

	if (op->data != k->borrowed) {
		if (!keep_holds(k, op->data, len)) {
			if (!ipc_keep_reserve(op->handle, len))
				return false;
			op->data = memcpy(k->mem, op->data, len);
		}
		k->data = k->mem + (op->data - k->mem);
	}
	k->at = op->offset;
	k->len = len;
	return true;
}

ssize_t ipc_keep_deliver(struct ipc_op *op, size_t len)
{
	struct ipc_handle *h = op->handle;
	size_t n = len < op->size ? len : op->size;

	if (!len)
		op->data = "";
	if (h->plain || !len)
		return (ssize_t)n;
	if (op->data != h->keep->borrowed)
		h->keep->borrowed = NULL; /* that was the message before */
	/* A descriptor without a position never looks back, so only the rest of a long message is worth keeping. */
	if (h->duplex && n == len)
		keep_nothing(h, op->offset);
	else if (!keep_message(op, len))
		return keep_without_room(op, len);
	h->pos = op->offset + (off_t)n;
	return (ssize_t)n;
}

void ipc_keep_undeliver(struct ipc_op *op, size_t len)
{
	struct ipc_handle *h = op->handle;
	struct ipc_keep *k = h->keep;
	bool kept = k->len && op->offset >= k->at && op->offset + (off_t)len <= keep_end(k);

	if (h->plain)
		return;
	/* What the handle had delivered before, wholly or in part, is nobody else's any more. */
	if (op->taken && put_back(op, kept ? keep_data(k) : op->data, kept ? k->len : len))
		keep_nothing(h, op->offset);
	else if (!kept)
		keep_message(op, len);
	h->pos = op->offset;
}

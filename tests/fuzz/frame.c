/*
 * Fuzz target for the facets lines and nul, on a broadcast: what is written in pieces of any size must come out as the
 * messages that a simple reading of the same bytes finds, whole, in order, and once.
 *
 * An input: a byte for the facets (bit 0: nul, 1: batch, 2: a reader with little room), then records. One that begins
 * with 1 to 253 writes so many bytes that follow; 254 and 255 write 1 KiB and 15 times as much, so that lines become
 * too long; 0 ends an unfinished line, as close(2) does. After each, everything is read that there is. The buffer is
 * small, so that a long line and what follows it may be too much for it: then the oldest messages are missing, and the
 * reader is told.
 */
#include "ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kinds/kinds.h"
#include "check.h"

enum { LONG = 254, VERY_LONG = 255, LONG_SIZE = 1 << 10, MODEL_MAX = 1 << 20, LITTLE_ROOM = 7, BUFFER = 16 << 10 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must be read: all that was taken, with a delimiter wherever a line was ended without one. */
static struct {
	char *bytes;
	size_t len, room;
	size_t read;	   /* so much of it has been */
	size_t unfinished; /* bytes behind the last delimiter */
} model;

static struct ipc_loop *loop;
static struct ipc *ipc;
static struct ipc_cred cred;
static char delim;
static bool batch;
static bool refusing; /* a line became too long after its beginning had been taken */
static size_t room;
static off_t position;
static const char *got;

static void start(void)
{
	struct ipc_options options = {0};

	if (ipc)
		return;
	cred = (struct ipc_cred){.uid = getuid(), .gid = getgid()};
	loop = ipc_loop_new();
	ipc = loop ? ipc_new(loop, &options, ipc_kinds) : NULL;
	CHECK(ipc);
}

static struct ipc_handle *open_as(const char *name, int flags)
{
	struct ipc_handle *h;
	struct ipc_ref ref;
	struct stat st;

	CHECK(ipc_resolve(ipc, &cred, &ipc_bcast, name, &ref) == 0);
	CHECK(ipc_stat(ipc, &cred, &ref, &st) == 0);
	CHECK(ipc_handle_new(ipc, &cred, &ref, flags, st.st_ino, &h) == 0);
	return h;
}

static ssize_t submit(struct ipc_handle *h, enum ipc_op_type type, const char *data, size_t size)
{
	struct ipc_op op = {.type = type,
			    .handle = h,
			    .cred = cred,
			    .nonblock = true,
			    .data = data,
			    .size = size,
			    .offset = position};
	ssize_t r;

	ipc_list_init(&op.link);
	r = ipc_submit(&op);
	got = op.data;
	return r;
}

static void model_add(const char *data, size_t n)
{
	if (model.len + n > model.room) {
		model.room = 2 * (model.len + n);
		model.bytes = realloc(model.bytes, model.room);
		CHECK(model.bytes);
	}
	memcpy(model.bytes + model.len, data, n);
	model.len += n;
	for (size_t i = 0; i < n; i++)
		model.unfinished = data[i] == delim ? 0 : model.unfinished + 1;
}

static void write_piece(struct ipc_handle *w, const char *data, size_t n)
{
	while (n) {
		const char *end = memchr(data, delim, n);
		size_t first = end ? (size_t)(end - data) : n;
		ssize_t r = submit(w, IPC_WRITE, data, n);

		refusing = refusing || model.unfinished + first > BUFFER;
		if (refusing) {
			CHECK(r == -EMSGSIZE);
			return;
		}
		CHECK(r > 0 && (size_t)r <= n);
		model_add(data, (size_t)r);
		data += r;
		n -= (size_t)r;
	}
}

static void end_line(struct ipc_handle *w)
{
	CHECK(submit(w, IPC_FLUSH, NULL, 0) == 0);
	if (model.unfinished && !refusing)
		model_add(&delim, 1);
}

/* What does not fit into the buffer beside the newer messages is gone. */
static void model_drop(void)
{
	size_t end = model.len - model.unfinished, bytes = 0;

	for (size_t i = model.read; i < end; i++)
		bytes += model.bytes[i] != delim;
	CHECK(bytes > BUFFER);
	while (bytes > BUFFER)
		bytes -= model.bytes[model.read++] != delim;
	/* Messages go whole. */
	while (model.bytes[model.read - 1] != delim)
		model.read++;
}

static void read_all(struct ipc_handle *r)
{
	ssize_t n = submit(r, IPC_READ, NULL, room);

	if (n == -ENOBUFS) {
		model_drop();
		n = submit(r, IPC_READ, NULL, room);
	}
	for (; n > 0; n = submit(r, IPC_READ, NULL, room)) {
		const char *end = memchr(got, delim, (size_t)n);

		CHECK((size_t)n <= room && model.read + (size_t)n <= model.len - model.unfinished);
		CHECK(memcmp(got, model.bytes + model.read, (size_t)n) == 0);
		/* One message a read, unless there is no room for it. */
		CHECK(batch || end == got + n - 1 || (!end && (size_t)n == room));
		model.read += (size_t)n;
		position += n;
	}
	CHECK(n == -EAGAIN && model.read == model.len - model.unfinished);
}

static void write_long(struct ipc_handle *w, size_t n)
{
	char *data = malloc(n);

	CHECK(data);
	memset(data, 'x', n);
	write_piece(w, data, n);
	free(data);
}

static void run(struct ipc_handle *w, struct ipc_handle *r, const char *data, size_t size)
{
	while (size && model.len < MODEL_MAX) {
		unsigned char c = (unsigned char)*data++;
		size_t n = c < --size ? c : size;

		if (c == 0) {
			end_line(w);
		} else if (c >= LONG) {
			write_long(w, c == VERY_LONG ? 15 * LONG_SIZE : LONG_SIZE);
		} else {
			write_piece(w, data, n);
			data += n;
			size -= n;
		}
		read_all(r);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ipc_handle *w, *r;
	struct ipc_ref ref;
	char name[32];
	bool nul;

	if (!size)
		return 0;
	start();
	nul = data[0] & 1;
	batch = data[0] & 2;
	delim = nul ? '\0' : '\n';
	room = data[0] & 4 ? LITTLE_ROOM : BUFFER + 1;
	position = 0;
	refusing = false;
	model.len = model.read = model.unfinished = 0;
	CHECK(ipc_resolve(ipc, &cred, &ipc_bcast, "b", &ref) == 0);
	CHECK(ipc_create(ipc, &cred, &ref, S_IFREG | 0600) == 0);
	w = open_as("b@ctl", O_WRONLY);
	CHECK(submit(w, IPC_WRITE, "buffer=16K\n", 11) == 11);
	ipc_close(w);
	w = open_as(nul ? "b@nul" : "b@lines", O_WRONLY);
	snprintf(name, sizeof(name), "b@%s%s", nul ? "nul" : "lines", batch ? ",batch" : "");
	r = open_as(name, O_RDONLY);
	run(w, r, (const char *)data + 1, size - 1);
	/* What close finds unfinished is a message, too. */
	ipc_close(w);
	if (model.unfinished && !refusing)
		model_add(&delim, 1);
	read_all(r);
	ipc_close(r);
	CHECK(ipc_unlink(ipc, &cred, &ref) == 0);
	CHECK(ipc_loop_turn(loop, 0) == 0);
	return 0;
}

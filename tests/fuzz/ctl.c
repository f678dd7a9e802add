/*
 * Fuzz target for writes to NAME@ctl. An input: a byte for the channel (bit 0: shm, else bcast; bit 1: the broadcast
 * has had a message), then records of a length byte and so many bytes, one write each; a length of 0 closes and opens
 * it again. Whatever is written, the channel keeps what it has, and its ctl stays readable.
 */
#include "ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kinds/kinds.h"
#include "check.h"

/* So much the channel may have; more is asked for by almost every second number. */
enum { BYTES_MAX = 8 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ipc_loop *loop;
static struct ipc *ipc;
static struct ipc_cred cred;
static const struct ipc_kind *kind;
static char prefix[32];

static void stop(void)
{
	ipc_free(ipc);
	ipc_loop_free(loop);
}

static void start(void)
{
	struct ipc_options options = {.prefix = prefix, .quota = {[IPC_QUOTA_BYTES] = BYTES_MAX}};

	if (ipc)
		return;
	snprintf(prefix, sizeof(prefix), "fuzz_ctl_%d_", (int)getpid());
	cred = (struct ipc_cred){.uid = getuid(), .gid = getgid()};
	loop = ipc_loop_new();
	ipc = loop ? ipc_new(loop, &options, ipc_kinds) : NULL;
	CHECK(ipc);
	atexit(stop);
}

static struct ipc_handle *open_as(const char *name, int flags)
{
	struct ipc_handle *h;
	struct ipc_ref ref;
	struct stat st;

	CHECK(ipc_resolve(ipc, &cred, kind, name, &ref) == 0);
	CHECK(ipc_stat(ipc, &cred, &ref, &st) == 0);
	CHECK(ipc_handle_new(ipc, &cred, &ref, flags, st.st_ino, &h) == 0);
	return h;
}

static ssize_t submit(struct ipc_handle *h, enum ipc_op_type type, const char **data, size_t size)
{
	struct ipc_op op = {.type = type, .handle = h, .cred = cred, .nonblock = true, .data = *data, .size = size};
	ssize_t r;

	ipc_list_init(&op.link);
	r = ipc_submit(&op);
	*data = op.data;
	return r;
}

static void message(const char *name)
{
	struct ipc_handle *h = open_as(name, O_WRONLY);
	const char *data = "message";

	CHECK(submit(h, IPC_WRITE, &data, 7) == 7);
	ipc_close(h);
}

/* What may be said of a line that the input chose: nonsense, too long, too much, or more than the file system has. */
static bool is_refusal(ssize_t r)
{
	return r == -EINVAL || r == -EMSGSIZE || r == -EDQUOT || r == -EFBIG || r == -ENOSPC || r == -ENOMEM;
}

static void write_piece(struct ipc_handle *h, const char *text, size_t n)
{
	ssize_t r = submit(h, IPC_WRITE, &text, n);

	CHECK((r > 0 && (size_t)r <= n) || is_refusal(r));
}

static struct ipc_handle *open_again(struct ipc_handle *h)
{
	const char *none = NULL;
	ssize_t r = submit(h, IPC_FLUSH, &none, 0);

	CHECK(r == 0 || is_refusal(r));
	ipc_close(h);
	return open_as("c@ctl", O_WRONLY);
}

/* key=value lines, and nothing else. */
static void check_text(bool spoken)
{
	struct ipc_handle *h = open_as("c@ctl", O_RDONLY);
	const char *text = NULL, *line, *key = kind == &ipc_shm ? "\nsize=" : "\nbuffer=";
	ssize_t n = submit(h, IPC_READ, &text, 65536);
	char *copy;

	CHECK(n > 0 && text[n - 1] == '\n');
	copy = strndup(text, (size_t)n);
	CHECK(copy && strlen(copy) == (size_t)n && strstr(copy, key));
	CHECK(kind == &ipc_shm || strstr(copy, spoken ? "\nmessages=1\n" : "\nmessages=0\n"));
	for (line = copy; *line; line = strchr(line, '\n') + 1)
		CHECK(strcspn(line, "=") < strcspn(line, "\n"));
	free(copy);
	ipc_close(h);
}

static void run(const char *data, size_t size)
{
	struct ipc_handle *h = open_as("c@ctl", O_WRONLY);

	while (size) {
		size_t n = (unsigned char)*data++;

		size--;
		if (n > size)
			n = size;
		if (n)
			write_piece(h, data, n);
		else
			h = open_again(h);
		data += n;
		size -= n;
	}
	ipc_close(h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ipc_ref ref;
	bool spoken;

	if (!size)
		return 0;
	start();
	kind = data[0] & 1 ? &ipc_shm : &ipc_bcast;
	spoken = kind == &ipc_bcast && data[0] & 2;
	CHECK(ipc_resolve(ipc, &cred, kind, "c", &ref) == 0);
	CHECK(ipc_create(ipc, &cred, &ref, S_IFREG | 0600) == 0);
	if (spoken)
		message("c");
	run((const char *)data + 1, size - 1);
	check_text(spoken);
	CHECK(ipc_unlink(ipc, &cred, &ref) == 0);
	CHECK(ipc_loop_turn(loop, 0) == 0);
	return 0;
}

/* NAME@help: the facets of a kind in words. */
#include "help.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "handle.h"
#include "kind.h"
#include "path.h"

/* Beyond what kinds count; ipc_ref_ino() adds the kind's own bits. */
#define HELP_INO ((ino_t)1 << 54)

static const struct help {
	uint32_t facet;
	const char *what, *example;
} rows[] = {
	{IPC_F_LINES, "each written line is a message; a message that is read ends in a newline",
	 "seq 10 > M/%s@lines"},
	{IPC_F_NUL, "the same with a NUL byte in place of the newline", "find . -print0 > M/%s@nul"},
	{IPC_F_PRIO, "send with this priority; higher ones are received first", "echo now > M/%s@lines,prio=9"},
	{IPC_F_DRAIN, "end of file when it is empty, instead of waiting", "cat M/%s@lines,drain"},
	{IPC_F_ONE, "end of file after one message", "./work < M/%s@one"},
	{IPC_F_N, "end of file after so many messages", "cat M/%s@lines,n=3"},
	{IPC_F_IDLE, "end of file when no message has come for so long",
	 "while read -r line; do echo \"$line\"; done < M/%s@lines,idle=2s"},
	{IPC_F_TIMEOUT, "what has waited for so long fails with ETIMEDOUT", "cat M/%s@timeout=5s"},
	{IPC_F_BATCH, "a read returns as many whole lines as fit", "cat M/%s@lines,batch"},
	{IPC_F_META, "what is known of a message, and a tab, stand in front of it", "cat M/%s@lines,meta"},
	{IPC_F_ACK, "done when its reader asks for more or exits with 0; otherwise the next reader gets it",
	 "./work < M/%s@lines,one,ack"},
	{IPC_F_LEASE, "who has not done it within so long loses it to another", "cat M/%s@lines,ack,lease=30s"},
	{IPC_F_TRIES, "what came back so often goes to NAME.dead", "./work < M/%s@lines,one,ack,tries=3"},
	{IPC_F_LISTEN, "opening accepts a client, and waits for one", "exec 3<> M/%s@listen"},
	{IPC_F_IO, "opening connects, also to a socket that a server bound", "exec 3<> M/%s@io"},
	{IPC_F_HALF, "what is sent ends when a program that wrote closes it (printf >&3 is the shell itself)",
	 "exec 3<> M/%s@half; cat file >&3; cat <&3"},
	{IPC_F_HOLD, "opening takes a permit, and the last close gives it back", "exec 9< M/%s@hold"},
	{IPC_F_FIFO, "a FIFO of your own, for programs that know pipes and take a file for a disk", "cat M/%s@fifo"},
	{IPC_F_LAST, "start so many messages back", "cat M/%s@last=5,drain"},
	{IPC_F_MAXMSG, "a new one holds so many messages", "touch M/%s@maxmsg=10"},
	{IPC_F_MSGSIZE, "the longest message of a new one", "touch M/%s@msgsize=4K"},
	{IPC_F_SIZE, "the size of a new one", "touch M/%s@size=1M"},
	{IPC_F_VALUE, "the permits of a new one", "touch M/%s@value=4"},
	{IPC_F_STREAM, "a new one carries bytes (this is what it is unless told)", "touch M/%s@stream"},
	{IPC_F_DGRAM, "a new one carries datagrams", "touch M/%s@dgram"},
	{IPC_F_SEQPACKET, "a new one carries packets over connections", "touch M/%s@seqpacket"},
	{IPC_F_CONNECT, "a new one leads to a socket elsewhere", "touch M/%s@connect=/run/server.sock"},
	{IPC_F_ADDR, "the address, for connect() and sendto()", "socat - UNIX-CONNECT:M/%s@addr"},
	{IPC_F_TAP, "a copy of what others write and read; with lines or nul, and meta: when, which way, who",
	 "cat M/%s@tap,lines,meta"},
	{IPC_F_CTL, "the state as key=value lines", "cat M/%s@ctl"},
	{IPC_F_HELP, "this list", "cat M/%s@help"},
};

void ipc_help_of(uint32_t facet, const char **what, const char **example)
{
	*what = *example = NULL;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].facet == facet) {
			*what = rows[i].what;
			*example = rows[i].example;
		}
}

static const char *help_names(const struct ipc_kind *kind)
{
	return kind->pattern ? kind->pattern : "NAME";
}

int ipc_refuse_facet(struct ipc *ipc, const struct ipc_cred *cred, int err, const struct ipc_ref *ref, const char *why,
		     ...)
{
	char text[1024];
	va_list args;

	va_start(args, why);
	vsnprintf(text, sizeof(text), why, args);
	va_end(args);
	return ipc_refuse(ipc, cred, err, ipc_ref_path(ref).text, "%s (%s/%s@help explains it)", text, ref->kind->name,
			  help_names(ref->kind));
}

struct help_handle {
	struct ipc_handle h;
	struct ipc_text text;
};

static struct help_handle *help_handle(struct ipc_handle *h)
{
	return ipc_container(h, struct help_handle, h);
}

struct help_writer {
	FILE *out;
	const struct ipc_kind *kind;
};

/* The example with a name of the kind in it. Not printf(): the format is a variable. */
static void help_example(FILE *out, const char *example, const struct ipc_kind *kind)
{
	const char *at = strstr(example, "%s");

	fprintf(out, "%.*s%s/%s%s\n", (int)(at - example), example, kind->name, help_names(kind), at + 2);
}

static void help_line(void *arg, uint32_t facet, const char *usage)
{
	const struct help_writer *w = arg;
	const char *what, *example;

	ipc_help_of(facet, &what, &example);
	fprintf(w->out, "%-16s  %s\n%-16s  ", usage, what, "");
	help_example(w->out, example, w->kind);
}

void ipc_help_stat(struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_mode = S_IFREG | 0444;
	st->st_uid = geteuid();
	st->st_gid = getegid();
	st->st_ino = HELP_INO;
}

static int help_open(struct ipc_handle *h, const struct ipc_ref *ref, int flags, ino_t ino)
{
	struct help_handle *help = help_handle(h);
	struct help_writer w = {.kind = ref->kind};

	(void)flags;
	(void)ino;
	if (h->writable)
		return ipc_refuse(h->ipc, &h->cred, EACCES, ipc_ref_path(ref).text, "this text can only be read");
	w.out = ipc_text_open(&help->text);
	if (!w.out)
		return -ENOMEM;
	fprintf(w.out, "/%s takes these facets: %s@FACET[,FACET...]\n\n", ref->kind->name, help_names(ref->kind));
	ipc_facets_each(ref->kind->facets | IPC_F_TEXTS, help_line, &w);
	h->flushes = IPC_FLUSH_NEVER;
	return ipc_text_close(&help->text);
}

static ssize_t help_read(struct ipc_op *op)
{
	const struct ipc_text *text = &help_handle(op->handle)->text;

	if (op->offset >= (off_t)text->len)
		return 0;
	op->data = text->data + op->offset;
	return (ssize_t)text->len - op->offset;
}

static void help_close(struct ipc_handle *h)
{
	free(help_handle(h)->text.data);
}

static const struct ipc_kind_handles help_handles = {
	.open = help_open,
	.read = help_read,
	.close = help_close,
};

const struct ipc_kind ipc_help = {
	.name = "help",
	.handle_size = sizeof(struct help_handle),
	.handles = &help_handles,
};

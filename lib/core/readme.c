/* MNT/README: what a user needs who has nothing but the mount. One screenful, most of it the kinds' own lines. */
#include "instance.h"
#include "ipc.h"
#include "kind.h"

static const char head[] = "ipcfs: every IPC channel is a file. M is this directory; > writes, < or cat reads.\n";

static const char tail[] =
	"\n"
	"A read of an empty channel and a write to a full one wait; Ctrl-C ends them, O_NONBLOCK is EAGAIN.\n"
	"M/status  what is open (@json, @metrics, @dot)           M/errors  why something was refused\n"
	"M/events  what happens, as it happens (@json)            ipcfs-top  all of it, live\n";

/* Facets that several kinds have: each line is shown behind the names of those. */
static const struct {
	uint32_t facet;
	const char *line;
} shared_facets[] = {
	{IPC_F_TIMEOUT, "@timeout=5s give up"},
	{IPC_F_FIFO, "@fifo a pipe of your own: read -t, node, asyncio, . script"},
	{IPC_F_TAP, "@tap,lines,meta what passes, and who wrote and read it, without taking it"},
};

static const struct ipc_kind_readme *readme_of(const struct ipc *ipc, const struct ipc_kind *kind)
{
	static const struct ipc_kind_readme none;

	return kind->readme && ipc_kind_shown(ipc, kind) ? kind->readme : &none;
}

static void readme_where(struct ipc *ipc, FILE *out)
{
	void (*where)(struct ipc *, FILE *) = NULL;

	for (unsigned i = 0; ipc->kinds[i] && !where; i++)
		where = readme_of(ipc, ipc->kinds[i])->where;
	if (where)
		where(ipc, out);
}

static void readme_shared(const struct ipc *ipc, uint32_t facet, const char *line, FILE *out)
{
	const char *between = "  ";

	for (unsigned i = 0; ipc->kinds[i]; i++)
		if ((ipc->kinds[i]->facets & facet) && ipc_kind_shown(ipc, ipc->kinds[i])) {
			fprintf(out, "%s%s", between, ipc->kinds[i]->name);
			between = ", ";
		}
	if (between[0] == ',')
		fprintf(out, "  %s\n", line);
}

static void text_put(const char *text, FILE *out)
{
	if (text)
		fputs(text, out);
}

void ipc_text_readme(struct ipc *ipc, FILE *out)
{
	fputs(head, out);
	readme_where(ipc, out);
	fputc('\n', out);
	for (unsigned i = 0; ipc->kinds[i]; i++)
		text_put(readme_of(ipc, ipc->kinds[i])->use, out);
	fputs("\nNAME@FACET[,FACET...] opens a channel in another way:\n", out);
	for (unsigned i = 0; ipc->kinds[i]; i++)
		text_put(readme_of(ipc, ipc->kinds[i])->facets, out);
	fputs("  all   @help the facets   @ctl state as key=value\n", out);
	for (size_t i = 0; i < sizeof(shared_facets) / sizeof(shared_facets[0]); i++)
		readme_shared(ipc, shared_facets[i].facet, shared_facets[i].line, out);
	fputs(tail, out);
}

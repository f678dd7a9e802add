/* The kinds of an instance: their numbers, their names, and which of them it shows. */
#include "kind.h"

#include <stdio.h>

#include "instance.h"

const struct ipc_kind *ipc_kind_at(const struct ipc *ipc, unsigned i)
{
	return ipc->kinds[i];
}

unsigned ipc_kind_index(const struct ipc *ipc, const struct ipc_kind *kind)
{
	unsigned i = 0;

	while (ipc->kinds[i] && ipc->kinds[i] != kind)
		i++;
	return i;
}

void **ipc_kind_data(struct ipc *ipc, const struct ipc_kind *kind)
{
	return &ipc->kind_data[ipc_kind_index(ipc, kind)];
}

const char *ipc_kind_name(const struct ipc_kind *kind)
{
	return kind->name;
}

bool ipc_kind_shown(const struct ipc *ipc, const struct ipc_kind *kind)
{
	return !kind->hidden || !kind->hidden(ipc);
}

int ipc_kind_dir(struct ipc *ipc, const struct ipc_kind *kind)
{
	return kind->names->dir ? kind->names->dir(ipc) : -1;
}

static const char *kinds_text(const struct ipc_kind *const *kinds, const struct ipc *ipc, char *text)
{
	size_t len = 0;

	text[0] = '\0';
	for (unsigned i = 0; kinds[i]; i++)
		if (!ipc || ipc_kind_shown(ipc, kinds[i]))
			len += (size_t)snprintf(text + len, IPC_KINDS_TEXT - len, "%s%s", len ? ", " : "",
						kinds[i]->name);
	return text;
}

const char *ipc_kinds_text(const struct ipc_kind *const *kinds, char text[static IPC_KINDS_TEXT])
{
	return kinds_text(kinds, NULL, text);
}

const char *ipc_shown_text(const struct ipc *ipc, char text[static IPC_KINDS_TEXT])
{
	return kinds_text(ipc->kinds, ipc, text);
}

/* How a name is written below MNT/KIND that has an '@' of its own: '@@', as a single one begins the facets. */
#ifndef IPC_NAME_QUOTE_H
#define IPC_NAME_QUOTE_H

#include <stddef.h>

/* The next '@' that does not belong to the name, or NULL. */
const char *ipc_name_next_at(const char *from);
/* The name that the first n bytes of `written` mean; out has room for n + 1. */
void ipc_name_unquote(char *out, const char *written, size_t n);
/* The other way; cut where the room ends. */
void ipc_name_quote(char *out, size_t size, const char *name);

#endif

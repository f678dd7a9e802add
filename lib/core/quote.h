/* A text between quotation marks, as JSON, OpenMetrics and Graphviz read it. */
#ifndef IPC_QUOTE_H
#define IPC_QUOTE_H

#include <stdio.h>

/*
 * None of the three has bytes, and each has characters that it cannot show: what ipc_escape() does not leave as it is
 * appears as it writes it, \xNN. The quotation marks are written too. shown: of a text that is escaped already.
 */
void ipc_quote(FILE *, const char *text);
void ipc_quote_shown(FILE *, const char *shown);
/*
 * What stands between the marks; and the same in a label of Graphviz's, which takes &amp; and the like for characters.
 */
void ipc_quote_inner(FILE *, const char *shown);
void ipc_quote_label(FILE *, const char *shown);

#endif

/* Text that may hold any bytes, made fit for a line that people read. */
#ifndef IPC_ESCAPE_H
#define IPC_ESCAPE_H

#include <stddef.h>

/*
 * Writes text to out; control characters (C0, DEL, C1), backslash, bytes that are not valid UTF-8, and characters that
 * break or turn a line or are not seen (U+2028, U+202E, U+200B and the like) become \xNN, so that it stays one line and
 * reads as it is. Never cuts an escape or a character in two. Terminates out unless size is 0; returns the length that
 * would have been needed, as snprintf(3).
 */
size_t ipc_escape(char *out, size_t size, const char *text, size_t len);
/* The same for a text whose parts may have been escaped before: it leaves backslashes alone. */
size_t ipc_escape_line(char *out, size_t size, const char *text, size_t len);
/* The same as one word: a space, too, becomes \x20. */
size_t ipc_escape_word(char *out, size_t size, const char *text, size_t len);

#endif

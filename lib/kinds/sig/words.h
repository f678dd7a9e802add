/* What is written to M/sig/PID: SIGNAL or SIGNAL VALUE. Pure parsing: no system call. */
#ifndef IPC_SIG_WORDS_H
#define IPC_SIG_WORDS_H

#include <stdbool.h>
#include <stddef.h>

enum { SIG_WHY_SIZE = 512 };

struct sig_words {
	int signal;
	bool queued; /* with a value, as sigqueue(3) does */
	int value;
};

/*
 * Parses a line of n bytes, with or without its newline. A signal is a name with or without SIG, in upper or lower
 * case, RTMIN, RTMIN+n, RTMAX, RTMAX-n, or a number from 0 on. Returns 0, or -EINVAL with one line in why (SIG_WHY_SIZE
 * holds any).
 */
int sig_words_parse(const char *line, size_t n, struct sig_words *, char *why, size_t why_size);

#endif

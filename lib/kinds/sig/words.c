/* What is written to M/sig/PID: words.h. */
#include "words.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/number.h"

static int signal_named(const char *word, size_t n)
{
	static const struct {
		const char *name;
		int signal;
	} aliases[] = {{"IO", SIGIO}, {"IOT", SIGIOT}, {"CLD", SIGCHLD}};

	for (int i = 1; i < NSIG; i++) {
		const char *name = sigabbrev_np(i);

		if (name && strlen(name) == n && strncasecmp(name, word, n) == 0)
			return i;
	}
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (strlen(aliases[i].name) == n && strncasecmp(aliases[i].name, word, n) == 0)
			return aliases[i].signal;
	return -1;
}

/* RTMIN, RTMIN+n, RTMAX, RTMAX-n. */
static int signal_realtime(const char *word, size_t n)
{
	bool min = n >= 5 && strncasecmp(word, "RTMIN", 5) == 0;
	bool max = n >= 5 && strncasecmp(word, "RTMAX", 5) == 0;
	int64_t offset = 0;

	if (!min && !max)
		return -1;
	if (n > 5 &&
	    (word[5] != (min ? '+' : '-') || ipc_number_parse(word + 6, n - 6, 0, 0, SIGRTMAX - SIGRTMIN, &offset) < 0))
		return -1;
	return min ? SIGRTMIN + (int)offset : SIGRTMAX - (int)offset;
}

static int signal_parse(const char *word, size_t n)
{
	int64_t number;
	int signal;

	if (ipc_number_parse(word, n, 0, 0, SIGRTMAX, &number) == 0)
		return (int)number;
	if (n > 3 && strncasecmp(word, "SIG", 3) == 0) {
		word += 3;
		n -= 3;
	}
	signal = signal_named(word, n);
	return signal >= 0 ? signal : signal_realtime(word, n);
}

static int refuse_name(const char *word, size_t n, char *why, size_t why_size)
{
	char shown[64], names[320] = "";
	size_t len = 0;

	ipc_escape(shown, sizeof(shown), word, n);
	for (int i = 1; i < NSIG; i++)
		if (sigabbrev_np(i))
			len += (size_t)snprintf(names + len, sizeof(names) - len, " %s", sigabbrev_np(i));
	snprintf(why, why_size, "no signal '%s'; there are%s, RTMIN, RTMIN+1 to RTMAX, and the numbers 0 to %d", shown,
		 names, SIGRTMAX);
	return -EINVAL;
}

int sig_words_parse(const char *line, size_t n, struct sig_words *words, char *why, size_t why_size)
{
	const char *end = line + n, *gap, *value;
	int64_t number = 0;

	while (line < end && isblank((unsigned char)*line))
		line++;
	while (end > line && isspace((unsigned char)end[-1]))
		end--;
	for (gap = line; gap < end && !isblank((unsigned char)*gap); gap++)
		;
	for (value = gap; value < end && isblank((unsigned char)*value); value++)
		;
	words->signal = signal_parse(line, (size_t)(gap - line));
	if (words->signal < 0)
		return refuse_name(line, (size_t)(gap - line), why, why_size);
	words->queued = value < end;
	if (words->queued && ipc_number_parse(value, (size_t)(end - value), 0, INT_MIN, INT_MAX, &number) < 0) {
		snprintf(why, why_size, "a line is SIGNAL or SIGNAL VALUE, and a value is a whole number from %d to %d",
			 INT_MIN, INT_MAX);
		return -EINVAL;
	}
	words->value = (int)number;
	return 0;
}

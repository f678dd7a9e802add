/* Fuzz target for lib/kinds/sig/words.c. An input is a line. */
#include "kinds/sig/words.h"
#include "check.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of exactly that size, so that a sanitizer sees a read behind it. */
	char *line = malloc(size ? size : 1);
	char why[SIG_WHY_SIZE] = "";
	struct sig_words words;
	int r;

	if (!line)
		return 0;
	if (size)
		memcpy(line, data, size);
	r = sig_words_parse(line, size, &words, why, sizeof(why));
	if (r == 0) {
		CHECK(words.signal >= 0 && words.signal <= SIGRTMAX);
		CHECK(words.queued || words.value == 0);
		CHECK(!why[0]);
	} else {
		CHECK(r == -EINVAL);
		CHECK(why[0] && strlen(why) < sizeof(why) - 1 && !strchr(why, '\n'));
	}
	free(line);
	return 0;
}

/* ipcfs-top reads status@json: any text, whole or not. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../fs/top/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct top_view view = {.order = TOP_BY_DEPTH};
	char line[TOP_LINE], *text = malloc(size + 1);
	struct top_sample *s;
	const struct top_row **rows;
	size_t count;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	s = top_sample_parse(text);
	if (!s)
		return 0;
	top_sample_compare(s, NULL);
	rows = top_view_rows(&view, s, &count);
	for (size_t i = 0; rows && i < count; i++)
		top_line(rows[i], 80, line);
	free(rows);
	top_sample_free(s);
	return 0;
}

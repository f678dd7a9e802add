/* NAME@help: that no facet is forgotten there. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/help.h"
#include "core/facet.h"

static void explained(void *arg, uint32_t facet, const char *usage)
{
	const char *what, *example;
	const char *value = strchr(usage, '=');
	size_t name = value ? (size_t)(value - usage) : strlen(usage);
	char written[64];

	(*(unsigned *)arg)++;
	ipc_help_of(facet, &what, &example);
	cr_assert(what && *what, "%s is not explained", usage);
	cr_assert(example && strstr(example, "M/%s@"), "%s: an example is needed: %s", usage, example);
	snprintf(written, sizeof(written), "%.*s", (int)name, usage);
	cr_expect(strstr(example, written), "the example of %s does not use it: %s", usage, example);
}

Test(help, every_facet_is_explained_and_used_in_its_example)
{
	unsigned count = 0;

	ipc_facets_each(UINT32_MAX, explained, &count);
	cr_assert_gt(count, 20);
}

/* The mount options that kinds declare: found, checked, listed and read. */
#include "option.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kind.h"

/* Columns of --help: where options begin, and what is said of them. */
enum { NAME_COLUMN = 5, TEXT_COLUMN = 25 };

static size_t name_length(const char *text)
{
	return strcspn(text, "=");
}

static bool is_named(const struct ipc_option *option, const char *text)
{
	size_t len = name_length(text);

	return strlen(option->name) == len && memcmp(option->name, text, len) == 0;
}

static const struct ipc_option *kind_option(const struct ipc_kind *kind, const char *text)
{
	for (const struct ipc_option *const *o = kind->options; o && *o; o++)
		if (is_named(*o, text))
			return *o;
	return NULL;
}

const struct ipc_option *ipc_option_find(const struct ipc_kind *const *kinds, const char *text)
{
	const struct ipc_option *option = NULL;

	for (; *kinds && !option; kinds++)
		option = kind_option(*kinds, text);
	return option;
}

static int option_check(const struct ipc_options *options, const struct ipc_option *option, const char *text, char *why,
			size_t size)
{
	const char *equals = strchr(text, '=');
	char reason[256] = "";

	if (equals && !option->value)
		snprintf(reason, sizeof(reason), "it takes no value");
	else if (option->value && !equals)
		snprintf(reason, sizeof(reason), "it needs a value: %s=%s", option->name, option->value);
	else if (!option->check || option->check(options, equals ? equals + 1 : "", reason, sizeof(reason)) == 0)
		return 0;
	snprintf(why, size, "-o %s: %s", text, reason);
	return -EINVAL;
}

int ipc_options_check(const struct ipc_options *options, const struct ipc_kind *const *kinds, char *why, size_t size)
{
	for (const char *const *text = options->of_kinds; text && *text; text++) {
		const struct ipc_option *option = ipc_option_find(kinds, *text);

		if (option && option_check(options, option, *text, why, size) < 0)
			return -EINVAL;
	}
	return 0;
}

void ipc_option_help(const struct ipc_option *option, FILE *out)
{
	const char *line = option->help;
	int used = fprintf(out, "%*s%s%s%s", NAME_COLUMN, "", option->name, option->value ? "=" : "",
			   option->value ? option->value : "");

	if (used >= TEXT_COLUMN) {
		fputc('\n', out);
		used = 0;
	}
	for (;;) {
		int len = (int)strcspn(line, "\n");

		fprintf(out, "%*s%.*s\n", TEXT_COLUMN - used, "", len, line);
		if (!line[len])
			return;
		line += len + 1;
		used = 0;
	}
}

void ipc_option_row(const struct ipc_option *option, FILE *out)
{
	fprintf(out, "%s%s\t", option->name, option->value ? "=" : "");
	for (const char *c = option->words; c && *c; c++)
		if (*c != ',')
			fputc(*c, out);
	fprintf(out, "\t%.*s\n", (int)strcspn(option->help, "\n"), option->help);
}

void ipc_options_each(const struct ipc_kind *const *kinds, const struct ipc_kind *const *told,
		      void (*each)(const struct ipc_option *, FILE *out), FILE *out)
{
	for (const struct ipc_kind *const *kind = kinds; *kind; kind++)
		for (const struct ipc_option *const *o = (*kind)->options; o && *o; o++) {
			const struct ipc_kind *const *first = kinds;

			/* Of several kinds that declare it the first one tells. */
			while (*first != *kind && kind_option(*first, (*o)->name) != *o)
				first++;
			if (*first == *kind && !(told && ipc_option_find(told, (*o)->name)))
				each(*o, out);
		}
}

const char *ipc_option_text(const struct ipc_options *options, const struct ipc_option *option)
{
	const char *value = NULL;

	for (const char *const *text = options->of_kinds; text && *text; text++)
		if (is_named(option, *text))
			value = *text + name_length(*text) + ((*text)[name_length(*text)] == '=');
	return value;
}

int64_t ipc_option_number(const struct ipc_options *options, const struct ipc_option *option, int64_t none)
{
	const char *value = ipc_option_text(options, option);
	int64_t n;

	return value && ipc_number_parse(value, strlen(value), 1, INT64_MIN, INT64_MAX, &n) == 0 ? n : none;
}

int ipc_option_check_number(const char *value, int64_t min, int64_t max, char *why, size_t size)
{
	int64_t n;

	if (ipc_number_parse(value, strlen(value), 1, min, max, &n) == 0)
		return 0;
	snprintf(why, size, "a whole number from %" PRId64 " to %" PRId64 " is needed", min, max);
	return -EINVAL;
}

const char *const *ipc_options_copy(const char *const *of_kinds)
{
	char **copy;
	size_t n = 0;

	while (of_kinds && of_kinds[n])
		n++;
	copy = calloc(n + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < n; i++) {
		copy[i] = strdup(of_kinds[i]);
		if (!copy[i]) {
			ipc_options_copy_free((const char *const *)copy);
			return NULL;
		}
	}
	return (const char *const *)copy;
}

void ipc_options_copy_free(const char *const *of_kinds)
{
	for (size_t i = 0; of_kinds && of_kinds[i]; i++)
		free((char *)of_kinds[i]);
	free((void *)of_kinds);
}

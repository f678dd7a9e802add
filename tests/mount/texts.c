/* What the mount says of itself: README, status, status@json, errors; also when names are not fit to print. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue.h"

TestSuite(texts, .timeout = 60);

static const char *const odd_names[] = {"new\nline",	"tab\there", "esc\033[31m",  "quote\"back\\slash",
					"latin1-\xe9",	"\xff\xfe",  "cut-\xe2\x82", "utf8-\xe2\x82\xac",
					"nel-\xc2\x85", "del\x7f"};

enum { ODD_NAMES = sizeof(odd_names) / sizeof(odd_names[0]) };

static char *odd_path(int i)
{
	return t_path(M, "pipe/%s", t_name(odd_names[i]));
}

static void make_odd_names(void)
{
	for (int i = 0; i < ODD_NAMES; i++)
		if (mkfifo(odd_path(i), 0600) < 0)
			t_fail("mkfifo %d: %s", i, strerror(errno));
}

/* Runs the program with sys.argv[1] as the mount. */
static void python(const char *program)
{
	char *out;

	t_need("python3");
	if (t_sh(M, "sh", t_format("python3 -c '%s' $M", program), &out) != 0)
		t_fail("%s", out);
}

t_test(texts, readme_fits_a_screen)
{
	char *text = t_read(t_path(M, "README"));
	int lines = 0;

	for (const char *at = text; (at = strchr(at, '\n')); at++)
		lines++;
	cr_assert_geq(lines, 5);
	cr_assert_leq(lines, 50);
	cr_assert(strstr(text, "mq") && strstr(text, "shm") && strstr(text, "pipe") && strstr(text, "sock"));
}

t_test_bare(texts, readme_tells_of_the_kinds_that_the_mount_has)
{
	const char *text;

	M = t_mount_start("-o", "kinds=sem", NULL);
	text = t_read(t_path(M, "README"));
	cr_assert(strstr(text, "M/sem/"), "%s", text);
	cr_assert(strstr(text, "  sem  @timeout=5s"), "%s", text);
	cr_assert_not(strstr(text, "M/mq/"), "%s", text);
	cr_assert_not(strstr(text, "@fifo"), "%s", text);
}

t_test(texts, are_listed_and_plain_files)
{
	char *out;

	cr_assert_eq(t_sh(M, "sh",
			  "cd $M; ls | tr '\\n' ' '; test -f README -a -f status -a -f errors -a -f status@json", &out),
		     0);
	cr_assert(strstr(out, "README") && strstr(out, "status ") && strstr(out, "errors"), "%s", out);
}

t_test(texts, tools_read_them)
{
	char *out;

	cr_assert_eq(
		t_sh(M, "sh",
		     "cd $M; wc -c <README; tail -n1 status; head -n1 status; cp README ~- 2>/dev/null; grep -c . README",
		     &out),
		0, "%s", out);
	cr_assert_eq(t_sh(M, "sh", "cp $M/README copy && cmp copy $M/README", &out), 0, "%s", out);
}

t_test(texts, status_shows_openers_and_waiters)
{
	struct queue q = queue_make("q", 4, 16);
	pid_t pid = t_spawn(M, "sh", "exec cat $M/mq/${P}q");

	queue_await_waiters(M, &q, 1);
	python("import json, sys\n"
	       "all = json.load(open(sys.argv[1] + \"/status@json\"))[\"channels\"]\n"
	       "mine = [c for c in all if c[\"kind\"] == \"mq\" and c[\"name\"].startswith(\"ipct-\") and c[\"waiters\"]]\n"
	       "assert any(c[\"waiters\"] == 1 and c[\"openers\"] == 1 and c[\"depth\"] == 0 for c in mine), all\n");
	(void)pid;
}

t_test(texts, status_has_one_line_a_channel_whatever_its_name)
{
	char *text;
	int lines = 0;

	make_odd_names();
	text = t_read(t_path(M, "status"));
	for (const char *at = text; (at = strstr(at, t_name(""))); at++)
		lines++;
	cr_assert_eq(lines, ODD_NAMES, "%s", text);
	for (const char *at = text; *at; at++)
		cr_assert(*at == '\n' || ((unsigned char)*at >= ' ' && *at != 127), "control character in %s", text);
}

t_test(texts, status_is_valid_utf8_whatever_the_names)
{
	make_odd_names();
	python("import sys; open(sys.argv[1] + \"/status\", encoding=\"utf-8\").read()");
}

t_test(texts, json_parses_whatever_the_names)
{
	make_odd_names();
	python(t_format("import json, sys\n"
			"for form in (\"/status@json\", \"/status@json,brief\"):\n"
			"  all = json.load(open(sys.argv[1] + form, encoding=\"utf-8\"))\n"
			"  names = [c[\"name\"] for c in all[\"channels\"] if c[\"name\"].startswith(\"%s\")]\n"
			"  assert len(set(names)) == %d, names\n",
			t_name(""), ODD_NAMES));
}

t_test(texts, json_parses_without_channels)
{
	python("import json, sys; json.load(open(sys.argv[1] + \"/status@json\"))");
}

t_test(texts, errors_are_one_line_each_whatever_was_asked_for)
{
	char *text;
	int lines = 0;

	for (int i = 0; i < ODD_NAMES; i++)
		cr_expect_eq(open(t_format("%s@no%sno", odd_path(i), odd_names[i]), O_RDONLY), -1);
	text = t_read(t_path(M, "errors"));
	for (const char *at = text; (at = strchr(at, '\n')); at++)
		lines++;
	cr_assert_eq(lines, ODD_NAMES, "%s", text);
	for (const char *at = text; *at; at++)
		cr_assert(*at == '\n' || ((unsigned char)*at >= ' ' && *at != 127), "control character in %s", text);
	python("import sys; open(sys.argv[1] + \"/errors\", encoding=\"utf-8\").read()");
}

t_test(texts, errors_are_empty_of_refusals_at_first)
{
	cr_assert_str_eq(t_read(t_path(M, "errors")), "no refusals\n");
}

t_test(texts, errors_name_process_file_and_cause)
{
	char *text;

	open(t_path(M, "mq/x@nonsense"), O_RDONLY);
	text = t_read(t_path(M, "errors"));
	cr_assert(strstr(text, t_format("pid %d", getpid())) && strstr(text, "EINVAL") && strstr(text, "nonsense"),
		  "%s", text);
}

t_test(texts, errors_keep_the_last_only)
{
	char *text;

	for (int i = 0; i < 1000; i++)
		open(t_path(M, "mq/x@nonsense%d", i), O_RDONLY);
	text = t_read(t_path(M, "errors"));
	cr_assert(strstr(text, "nonsense999"), "%s", text);
	cr_assert_lt(strlen(text), 100000);
}

/* Refusals that nobody could guess the cause of. */
t_test(texts, errors_say_why_a_size_or_an_exchange_is_refused)
{
	const char *const kinds[] = {"mq", "sem", "bcast"};

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const char *path = t_path(M, "%s/%s", kinds[i], t_name("x"));
		const char *other = t_path(M, "%s/%s", kinds[i], t_name("y"));

		t_bash(0, t_format("touch %s %s", path, other));
		t_check_errno(truncate(path, 5), EINVAL);
		cr_expect(t_refused(t_format("in /%s has none, and takes 0 only", kinds[i])));
		t_check_errno(renameat2(AT_FDCWD, path, AT_FDCWD, other, RENAME_EXCHANGE),
			      i == 0 ? EOPNOTSUPP : EINVAL);
		cr_expect(t_refused(kinds[i]));
	}
	cr_expect(t_refused("two names of /bcast cannot be exchanged"));
}

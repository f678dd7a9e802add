/* ipcfs-top: a live table of an ipcfs's channels. */
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "place.h"
#include "screen.h"
#include "table.h"

static const char usage[] =
	"usage: ipcfs-top [options] [DIR]\n"
	"\n"
	"Shows the channels of the ipcfs that is mounted at DIR: their traffic, depth and limit, who reads and writes, who\n"
	"waits since when, who holds and who owes. Without DIR it is the mount in the usual place, or any there is.\n"
	"\n"
	"  -b             print the table and end; no terminal is needed\n"
	"  -d SECONDS     between two looks (default 1; 0.1 at least)\n"
	"  -n N           end after so many looks\n"
	"  -h, --help     this text\n"
	"  -V, --version  version number\n"
	"\n"
	"Within, ? lists the keys.\n";

struct options {
	const char *dir;
	double delay;
	long looks; /* 0: no end */
	bool batch;
};

/* 0, or -1 having complained. */
static int take_number(const char *text, char option, double min, double max, double *out)
{
	char *end;

	*out = strtod(text, &end);
	if (end != text && !*end && *out >= min && *out <= max)
		return 0;
	fprintf(stderr, "ipcfs-top: -%c %s: a number from %g to %g is needed\n", option, text, min, max);
	return -1;
}

/* 1: go on; else the exit status, negated or 0. */
static int take_options(struct options *opt, int argc, char **argv)
{
	static const struct option longs[] = {
		{"batch", 0, NULL, 'b'}, {"help", 0, NULL, 'h'}, {"version", 0, NULL, 'V'}, {NULL, 0, NULL, 0}};
	double number;
	int c;

	while ((c = getopt_long(argc, argv, "bd:n:hV", longs, NULL)) >= 0) {
		switch (c) {
		case 'b':
			opt->batch = true;
			break;
		case 'd':
			if (take_number(optarg, 'd', 0.1, 86400, &opt->delay) < 0)
				return -1;
			break;
		case 'n':
			if (take_number(optarg, 'n', 1, 1e9, &number) < 0)
				return -1;
			opt->looks = (long)number;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		case 'V':
			puts("ipcfs-top " IPCFS_VERSION);
			return 0;
		default:
			fputs("ipcfs-top --help shows the options\n", stderr);
			return -1;
		}
	}
	if (argc - optind > 1) {
		fprintf(stderr, "ipcfs-top: %s: one directory is enough, and %s is it\n", argv[optind + 1],
			argv[optind]);
		return -1;
	}
	opt->dir = argv[optind];
	return 1;
}

static void batch_print(const struct top_sample *s)
{
	struct top_view view = {.order = TOP_BY_TRAFFIC};
	size_t count;
	const struct top_row **rows = top_view_rows(&view, s, &count);
	char line[TOP_LINE];

	puts(top_sum(s, line));
	puts(top_head(0, line));
	for (size_t i = 0; rows && i < count; i++)
		puts(top_line(rows[i], 0, line));
	free(rows);
	fflush(stdout);
}

/* The exit status. */
static int batch_run(const struct options *opt)
{
	struct timespec pause = {.tv_sec = (time_t)opt->delay};
	struct top_sample *before = NULL;
	char why[8192];

	pause.tv_nsec = (long)((opt->delay - (double)pause.tv_sec) * 1e9);
	for (long i = 0; i < (opt->looks ? opt->looks : 1); i++) {
		struct top_sample *now;

		if (i > 0)
			nanosleep(&pause, NULL);
		now = top_sample_read(opt->dir);
		if (!now) {
			fprintf(stderr, "ipcfs-top: %s\n", top_place_trouble(opt->dir, errno, why, sizeof(why)));
			top_sample_free(before);
			return 1;
		}
		top_sample_compare(now, before);
		if (i > 0)
			putchar('\n');
		batch_print(now);
		top_sample_free(before);
		before = now;
	}
	top_sample_free(before);
	return ferror(stdout) ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct options opt = {.delay = 1};
	char *found = NULL;
	int status;

	setlocale(LC_CTYPE, "");
	status = take_options(&opt, argc, argv);
	if (status <= 0)
		return -status;
	if (!opt.dir)
		opt.dir = found = top_place_find();
	if (!opt.dir)
		return 1;
	if (!opt.batch)
		status = top_screen_run(opt.dir, opt.delay, opt.looks);
	else
		status = batch_run(&opt);
	free(found);
	return status;
}

#include "fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct top_fetch {
	const char *dir;
	bool busy;
	char file[1200];
	int asked[2], answered[2]; /* pipes: a byte that `file` is set; a struct top_fetched */
	pthread_t thread;
};

static struct top_fetched fetch_one(const struct top_fetch *f)
{
	struct top_fetched got = {0};
	char path[sizeof(f->file) + 4096];

	if (strcmp(f->file, "status@json") == 0) {
		got.sample = top_sample_read(f->dir);
	} else {
		snprintf(path, sizeof(path), "%s/%s", f->dir, f->file);
		got.text = top_file_read(path);
	}
	got.err = got.sample || got.text ? 0 : errno;
	return got;
}

static void *fetch_run(void *arg)
{
	struct top_fetch *f = arg;
	char byte;

	while (read(f->asked[0], &byte, 1) == 1) {
		struct top_fetched got = fetch_one(f);

		/* Shorter than PIPE_BUF, and the pipe is empty: it goes in whole. */
		if (write(f->answered[1], &got, sizeof(got)) != sizeof(got))
			break;
	}
	return NULL;
}

/* Signals are for the thread that has the terminal. */
static int fetch_start(struct top_fetch *f)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&f->thread, NULL, fetch_run, f);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

struct top_fetch *top_fetch_new(const char *dir)
{
	struct top_fetch *f = calloc(1, sizeof(*f));

	if (!f || pipe2(f->asked, O_CLOEXEC) < 0 || pipe2(f->answered, O_CLOEXEC) < 0) {
		free(f);
		return NULL;
	}
	fcntl(f->answered[0], F_SETFL, O_NONBLOCK);
	f->dir = dir;
	errno = fetch_start(f);
	return errno ? NULL : f;
}

bool top_fetch_ask(struct top_fetch *f, const char *file)
{
	if (f->busy)
		return false;
	snprintf(f->file, sizeof(f->file), "%s", file);
	f->busy = write(f->asked[1], "", 1) == 1;
	return f->busy;
}

int top_fetch_fd(const struct top_fetch *f)
{
	return f->answered[0];
}

bool top_fetch_take(struct top_fetch *f, struct top_fetched *got)
{
	if (read(f->answered[0], got, sizeof(*got)) != sizeof(*got))
		return false;
	f->busy = false;
	return true;
}

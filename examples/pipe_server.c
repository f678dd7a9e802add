/*
 * Named pipes, the server: answers each request line, "ANSWER-PIPE TEXT", on the pipe that the request names.
 * Run: build/examples/pipe_server M [NAME], and pipe_client beside it. The request "quit" ends it.
 * It makes M/pipe/NAME, which is a true FIFO: reading and writing it is the kernel's work alone.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void path_of(char path[PATH_MAX], const char *mount, const char *name)
{
	if (snprintf(path, PATH_MAX, "%s/pipe/%s", mount, name) >= PATH_MAX)
		errx(1, "%s: path too long", mount);
}

/* O_NONBLOCK: a client that is gone must not hold the server up. What it was told first is the error ENXIO. */
static void answer(const char *mount, const char *pipe, const char *text)
{
	char path[PATH_MAX];
	int fd;

	if (strchr(pipe, '/')) {
		warnx("%s: not the name of a pipe", pipe);
		return;
	}
	path_of(path, mount, pipe);
	fd = open(path, O_WRONLY | O_NONBLOCK);
	if (fd < 0) {
		warn("%s", path);
		return;
	}
	if (dprintf(fd, "%zu letters\n", strlen(text)) < 0)
		warn("%s", path);
	if (close(fd) < 0)
		warn("%s", path);
}

/* Returns when a client says quit. */
static void serve(const char *mount, FILE *requests)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t n;

	while ((n = getline(&line, &size, requests)) > 0) {
		char *text;

		line[n - 1] = '\0';
		text = strchr(line, ' ');
		if (!text) {
			warnx("%s: not a request", line);
			continue;
		}
		*text++ = '\0';
		printf("request: %s\n", text);
		answer(mount, line, text);
		if (strcmp(text, "quit") == 0)
			break;
	}
	if (n < 0)
		err(1, "reading requests");
	free(line);
}

int main(int argc, char **argv)
{
	const char *name = argc > 2 ? argv[2] : "demo-requests";
	char path[PATH_MAX];
	FILE *requests;
	int fd;

	if (argc < 2)
		errx(2, "usage: pipe_server MOUNT [NAME]");
	path_of(path, argv[1], name);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (mkfifo(path, 0600) < 0)
		err(1, "%s", path);
	/* Open for both, so that there is always a writer and no end of file between two clients. */
	fd = open(path, O_RDWR);
	requests = fd < 0 ? NULL : fdopen(fd, "r");
	if (!requests)
		err(1, "%s", path);
	puts("ready");
	serve(argv[1], requests);
	fclose(requests);
	if (unlink(path) < 0)
		err(1, "%s", path);
	return 0;
}

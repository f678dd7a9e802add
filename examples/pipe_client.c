/*
 * Named pipes, a client: sends TEXT to the server, and prints the answer, which comes on a pipe of the client's own.
 * Run: build/examples/pipe_client M TEXT [NAME], while pipe_server M [NAME] runs.
 * Several clients may ask at once: a write of up to PIPE_BUF bytes is never mixed with another's.
 */
#include <err.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void path_of(char path[PATH_MAX], const char *mount, const char *name)
{
	if (snprintf(path, PATH_MAX, "%s/pipe/%s", mount, name) >= PATH_MAX)
		errx(1, "%s: path too long", mount);
}

static void ask(const char *path, const char *answers, const char *text)
{
	char request[PIPE_BUF];
	int n = snprintf(request, sizeof(request), "%s %s\n", answers, text);
	int fd;

	if (n >= (int)sizeof(request))
		errx(1, "the request is too long");
	/* Waits until the server has opened its end. */
	fd = open(path, O_WRONLY);
	if (fd < 0)
		err(1, "%s", path);
	if (write(fd, request, (size_t)n) != n)
		err(1, "%s", path);
	if (close(fd) < 0)
		err(1, "%s", path);
}

int main(int argc, char **argv)
{
	const char *name = argc > 3 ? argv[3] : "demo-requests";
	char path[PATH_MAX], own_path[PATH_MAX], own[64], answer[256];
	FILE *answers;
	int fd;

	if (argc < 3)
		errx(2, "usage: pipe_client MOUNT TEXT [NAME]");
	snprintf(own, sizeof(own), "demo-answers-%d", (int)getpid());
	path_of(path, argv[1], name);
	path_of(own_path, argv[1], own);
	if (mkfifo(own_path, 0600) < 0)
		err(1, "%s", own_path);
	/* Open for both, and before the request: the server finds a reader, and we need not wait for a writer. */
	fd = open(own_path, O_RDWR);
	if (fd < 0)
		err(1, "%s", own_path);
	ask(path, own, argv[2]);
	answers = fdopen(fd, "r");
	if (!answers || !fgets(answer, sizeof(answer), answers))
		err(1, "%s", own_path);
	fputs(answer, stdout);
	fclose(answers);
	if (unlink(own_path) < 0)
		err(1, "%s", own_path);
	return 0;
}

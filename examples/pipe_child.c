/*
 * An anonymous pipe between a parent and its child: made by pipe(2), and then again through M/pipe.
 * Run: build/examples/pipe_child M
 * A FIFO whose name is removed once both ends are open is an anonymous pipe.
 */
#include <err.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The same ends as pipe(2) gives. */
static void pipe_through_mount(const char *mount, int ends[2])
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/pipe/demo-child-%d", mount, (int)getpid()) >= PATH_MAX)
		errx(1, "%s: path too long", mount);
	if (mkfifo(path, 0600) < 0)
		err(1, "%s", path);
	/* Without O_NONBLOCK the first open would wait for the second. */
	ends[0] = open(path, O_RDONLY | O_NONBLOCK);
	if (ends[0] < 0)
		err(1, "%s", path);
	ends[1] = open(path, O_WRONLY);
	if (ends[1] < 0)
		err(1, "%s", path);
	if (fcntl(ends[0], F_SETFL, O_RDONLY) < 0 || unlink(path) < 0)
		err(1, "%s", path);
}

static void child_reads(int fd, const char *how)
{
	char text[64];
	ssize_t n = read(fd, text, sizeof(text));

	if (n < 0)
		err(1, "the child's read");
	printf("child, %s: %.*s\n", how, (int)n, text);
	n = read(fd, text, sizeof(text));
	if (n < 0)
		err(1, "the child's read");
	printf("child, %s: %s\n", how, n ? "more than was sent" : "end of file");
	if (fflush(stdout) != 0)
		err(1, "the child's output");
}

static void talk(int ends[2], const char *how)
{
	static const char text[] = "hello, child";
	int status;
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	if (pid == 0) {
		/* Only the parent may hold the writing end, or there is no end of file. */
		if (close(ends[1]) < 0)
			err(1, "close");
		child_reads(ends[0], how);
		_exit(0);
	}
	if (close(ends[0]) < 0 || write(ends[1], text, strlen(text)) < 0 || close(ends[1]) < 0)
		err(1, "the parent's write");
	if (waitpid(pid, &status, 0) < 0)
		err(1, "waitpid");
	if (status != 0)
		errx(1, "the child failed");
}

int main(int argc, char **argv)
{
	int ends[2];

	if (argc != 2)
		errx(2, "usage: pipe_child MOUNT");
	if (pipe(ends) < 0)
		err(1, "pipe");
	talk(ends, "pipe(2)");
	pipe_through_mount(argv[1], ends);
	talk(ends, "M/pipe");
	return 0;
}

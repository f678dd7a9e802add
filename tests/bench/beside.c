/*
 * What a small write to a broadcast without readers costs while another user reads a directory or a text over and over:
 * the nanoseconds that one write in a thousand exceeds.
 *
 * usage: beside MOUNT FILE COUNT [WHAT]
 *
 * FILE and WHAT are below MOUNT. Without WHAT nobody reads. As root the reader is another user than the writer, which
 * takes a mount with allow_other.
 */
#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "bench.h"

enum { OTHER = 54321, COUNT_MAX = 1 << 20, PAUSE_NS = 200000, WARM_NS = 300000000 };

static void read_directory(const char *what)
{
	DIR *dir = opendir(what);

	if (!dir)
		bench_die("%s", what);
	while (readdir(dir))
		;
	closedir(dir);
}

static void read_text(const char *what)
{
	static char text[1 << 20];
	int fd = bench_open(what, O_RDONLY);

	while (read(fd, text, sizeof(text)) > 0)
		;
	close(fd);
}

/* In a child, to the end. */
static void read_for_ever(const char *what)
{
	struct stat st;

	if (geteuid() == 0 && (setresgid(OTHER, OTHER, OTHER) < 0 || setresuid(OTHER, OTHER, OTHER) < 0))
		bench_die("another user");
	if (stat(what, &st) < 0)
		bench_die("%s", what);
	for (;;)
		if (S_ISDIR(st.st_mode))
			read_directory(what);
		else
			read_text(what);
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static int64_t took[COUNT_MAX];

int main(int argc, char **argv)
{
	const struct timespec warm = {.tv_nsec = WARM_NS}, pause = {.tv_nsec = PAUSE_NS};
	long count = argc >= 4 ? bench_number(argv[3]) : 0;
	pid_t reader = 0;
	int fd;

	if (count <= 0 || count > COUNT_MAX || argc > 5) {
		fputs("usage: beside MOUNT FILE COUNT [WHAT]\n", stderr);
		return 2;
	}
	if (chdir(argv[1]) < 0)
		bench_die("%s", argv[1]);
	fd = bench_open(argv[2], O_WRONLY | O_CREAT);
	if (argc == 5) {
		reader = fork();
		if (reader == 0)
			read_for_ever(argv[4]);
		nanosleep(&warm, NULL);
	}
	for (long i = 0; i < count; i++) {
		int64_t begin = bench_now();

		if (write(fd, "x", 1) != 1)
			bench_die("%s", argv[2]);
		took[i] = bench_now() - begin;
		nanosleep(&pause, NULL);
	}
	if (reader > 0) {
		if (waitpid(reader, NULL, WNOHANG) != 0)
			return 1; /* it has said why */
		kill(reader, SIGKILL);
		waitpid(reader, NULL, 0);
	}
	qsort(took, (size_t)count, sizeof(*took), compare);
	printf("%lld\n", (long long)took[count * 999 / 1000]);
	return 0;
}

/*
 * replay PATH...: feeds each file, directories' files too, to a fuzz target once, so that a corpus is a test without
 * libFuzzer.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* nftw(3) */
#endif

#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned replayed, failed;

/* Returns the file's bytes in a block of just that size, so that a sanitizer sees a read beyond it; NULL on failure. */
static uint8_t *file_read(const char *path, size_t size)
{
	FILE *file = fopen(path, "rb");
	if (!file)
		return NULL;
	uint8_t *data = malloc(size);
	if (data && fread(data, 1, size, file) != size) {
		free(data);
		data = NULL;
	}
	fclose(file);
	return data;
}

/* In a process of its own, so that a crash is reported with its input and the rest still runs. */
static int file_replay(const char *path, size_t size)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		uint8_t *data = file_read(path, size);
		if (!data) {
			perror(path);
			_exit(EXIT_FAILURE);
		}
		LLVMFuzzerTestOneInput(data, size);
		free(data);
		/* Not _exit(2): the leak sanitizer looks now. */
		exit(EXIT_SUCCESS);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return -1;
	return status == 0 ? 0 : -1;
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)ftw;
	if (type == FTW_D)
		return 0;
	replayed++;
	if (type != FTW_F || file_replay(path, (size_t)st->st_size) != 0) {
		fprintf(stderr, "replay: %s: FAILED\n", path);
		failed++;
	}
	return 0;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (nftw(argv[i], visit, 16, 0) != 0) {
			perror(argv[i]);
			failed++;
		}
	}
	if (replayed == 0)
		fprintf(stderr, "replay: no input\n");
	return failed > 0 || replayed == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

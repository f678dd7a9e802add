/*
 * Readers who wait: opens FILE again and again, COUNT times, reads each in a thread of its own, prints how many there
 * are, and stays until it is killed.
 *
 * usage: parked FILE COUNT
 */
#include <pthread.h>
#include <sys/resource.h>

#include "bench.h"

static void *wait_for_data(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char data[64];

	while (read(fd, data, sizeof(data)) > 0)
		;
	return NULL;
}

int main(int argc, char **argv)
{
	long count = argc == 3 ? bench_number(argv[2]) : 0;
	struct rlimit files;
	pthread_attr_t attr;
	pthread_t thread;
	long n = 0;

	if (!count) {
		fputs("usage: parked FILE COUNT\n", stderr);
		return 2;
	}
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, (size_t)sysconf(_SC_THREAD_STACK_MIN));
	for (; n < count; n++) {
		int fd = open(argv[1], O_RDONLY | O_CLOEXEC);

		if (fd < 0 && errno != EMFILE)
			bench_die("%s: reader %ld", argv[1], n);
		if (fd < 0 || pthread_create(&thread, &attr, wait_for_data, (void *)(intptr_t)fd) != 0)
			break;
	}
	printf("%ld\n", n);
	fflush(stdout);
	pause();
	return 0;
}

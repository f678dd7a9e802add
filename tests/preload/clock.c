/* The wall clock, put forward by as many seconds as the file $CLOCK says: for a server whose clock jumps. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long ahead(void)
{
	const char *path = getenv("CLOCK");
	FILE *in = path ? fopen(path, "re") : NULL;
	char line[32] = "0";

	if (in) {
		(void)!fgets(line, sizeof(line), in);
		fclose(in);
	}
	return strtol(line, NULL, 10);
}

int gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
	int (*next)(struct timeval *, void *) = (int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday");
	int r = next(tv, tz);

	tv->tv_sec += ahead();
	return r;
}

int clock_gettime(clockid_t clock_id, struct timespec *tp)
{
	int (*next)(clockid_t, struct timespec *) =
		(int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	int r = next(clock_id, tp);

	if (clock_id == CLOCK_REALTIME)
		tp->tv_sec += ahead();
	return r;
}

time_t time(time_t *timer)
{
	time_t (*next)(time_t *) = (time_t(*)(time_t *))dlsym(RTLD_NEXT, "time");
	time_t now = next(NULL) + ahead();

	if (timer)
		*timer = now;
	return now;
}

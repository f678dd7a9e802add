#include "scarcity.h"

#include "cleaner.h"

#include <dlfcn.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/*
 * --- memory ---------------------------------------------------------------------------------------------------------
 */

/*
 * These take the C library's place in the whole program, so that what it allocates on the library's behalf (a stream, a
 * node of a tree) is counted, too. They hand on to a sanitizer's where there is one.
 */
void *__interceptor_malloc(size_t) __attribute__((weak));
void *__interceptor_calloc(size_t, size_t) __attribute__((weak));
void *__interceptor_realloc(void *, size_t) __attribute__((weak));
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

static _Thread_local bool counting;
static struct {
	unsigned long count, failing; /* failing: the number of the one that fails; 0: none */
	bool *failed;		      /* shared with the children that act for other users */
} memory;

/* Libraries allocate before a sanitizer has begun, which then knows of no memory yet. */
#define UNSANITIZED __attribute__((no_sanitize("address", "undefined")))

UNSANITIZED static bool memory_ends(void)
{
	if (!counting || ++memory.count != memory.failing)
		return false;
	*memory.failed = true;
	errno = ENOMEM;
	return true;
}

UNSANITIZED void *malloc(size_t size)
{
	if (memory_ends())
		return NULL;
	return __interceptor_malloc ? __interceptor_malloc(size) : __libc_malloc(size);
}

UNSANITIZED void *calloc(size_t nmemb, size_t size)
{
	if (memory_ends())
		return NULL;
	return __interceptor_calloc ? __interceptor_calloc(nmemb, size) : __libc_calloc(nmemb, size);
}

UNSANITIZED void *realloc(void *ptr, size_t size)
{
	if (memory_ends())
		return NULL;
	return __interceptor_realloc ? __interceptor_realloc(ptr, size) : __libc_realloc(ptr, size);
}

/* A sanitizer has its own of these two, which would not come by here. */
char *strdup(const char *s)
{
	size_t size = strlen(s) + 1;
	char *copy = malloc(size);

	return copy ? memcpy(copy, s, size) : NULL;
}

void *reallocarray(void *ptr, size_t nmemb, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(nmemb, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(ptr, bytes);
}

UNSANITIZED void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	return memory_ends() ? MAP_FAILED : (void *)syscall(SYS_mmap, addr, len, prot, flags, fd, offset);
}

static int (*thread_create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

/* A thread's stack is memory, too; glibc has some in reserve, so that mmap(2) alone would not do. */
int pthread_create(pthread_t *newthread, const pthread_attr_t *attr, void *(*start_routine)(void *), void *arg)
{
	if (memory_ends())
		return EAGAIN;
	if (!thread_create)
		*(void **)&thread_create = dlsym(RTLD_NEXT, "pthread_create");
	return thread_create(newthread, attr, start_routine, arg);
}

/*
 * --- descriptors ----------------------------------------------------------------------------------------------------
 */

/* Leaves room for so many more. */
static void descriptors_limit(unsigned room)
{
	struct rlimit limit;
	rlim_t n = 0;

	getrlimit(RLIMIT_NOFILE, &limit);
	for (; n < limit.rlim_cur; n++)
		if (fcntl((int)n, F_GETFD) < 0 && room-- == 0)
			break;
	limit.rlim_cur = n;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void descriptors_unlimit(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max < 1024 ? limit.rlim_max : 1024;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/*
 * --- a run ----------------------------------------------------------------------------------------------------------
 */

/* More than any scenario has open at once, and more than any one call opens. */
enum { ROOM_MAX = 24, ROOM_OF_A_CALL_MAX = 5 };

struct ipc_loop *loop;
struct ipc *ipc;
struct ipc_cred me;
char mountpoint[] = "/tmp/unit_scarce_XXXXXX";

static char prefix[32];
static struct ipc_options options;

static enum { PLENTY, LITTLE_MEMORY, FEW_DESCRIPTORS } shortage;
static unsigned room;	       /* for descriptors */
static unsigned long in_call;  /* the one call that is short of them; 0: all */
static unsigned long call_now; /* calls so far */
static bool spared;

const char *scarce_where(void)
{
	static char text[96];

	if (shortage == LITTLE_MEMORY)
		snprintf(text, sizeof(text), "with allocation %lu failing", memory.failing);
	else if (shortage == FEW_DESCRIPTORS)
		snprintf(text, sizeof(text), "with room for %u descriptors in call %lu", room, in_call);
	else
		snprintf(text, sizeof(text), "with plenty");
	return text;
}

void scarce_begin(void)
{
	if (spared)
		return;
	call_now++;
	counting = true;
	if (shortage == FEW_DESCRIPTORS && (!in_call || in_call == call_now))
		descriptors_limit(room);
}

bool scarce_is_to_blame(long result)
{
	if (shortage == LITTLE_MEMORY)
		return result == -ENOMEM && *memory.failed;
	return shortage == FEW_DESCRIPTORS && (result == -EMFILE || result == -ENFILE);
}

void scarce_spare(bool plenty)
{
	spared = plenty;
}

bool scarce_end(long result)
{
	counting = false;
	if (shortage == FEW_DESCRIPTORS)
		descriptors_unlimit();
	return scarce_is_to_blame(result);
}

static int start_loop(void)
{
	loop = ipc_loop_new();
	return loop ? 0 : -errno;
}

static int start_instance(void)
{
	ipc = ipc_new(loop, &options, ipc_kinds);
	return ipc ? 0 : -errno;
}

void scarce_start(void)
{
	lean_ok(start_loop());
	lean_ok(start_instance());
}

void scarce_stop(void)
{
	scarce_begin();
	ipc_free(ipc);
	ipc_loop_free(loop);
	scarce_end(0);
}

static void run_once(void (*scenario)(void), bool bare)
{
	call_now = memory.count = 0;
	*memory.failed = false;
	if (!bare) {
		unsigned long failing = memory.failing;

		memory.failing = 0;
		scarce_start();
		memory.failing = failing;
		call_now = memory.count = 0;
	}
	scenario();
	if (!bare)
		scarce_stop();
}

static void run_checked(void (*scenario)(void), bool bare)
{
	unsigned before = u_entries("/proc/self/fd"), after;

	run_once(scenario, bare);
	after = u_entries("/proc/self/fd");
	cr_assert_eq(after, before, "%d descriptors are left %s", (int)(after - before), scarce_where());
}

/* Returns how many allocations a run makes. */
static unsigned long run_short_of_memory(void (*scenario)(void), bool bare)
{
	unsigned long n = 0;

	shortage = LITTLE_MEMORY;
	do {
		memory.failing = ++n;
		run_checked(scenario, bare);
	} while (*memory.failed);
	memory.failing = 0;
	return n - 1;
}

static unsigned run_short_of_descriptors(void (*scenario)(void), bool bare, unsigned long calls)
{
	unsigned runs = 0;

	shortage = FEW_DESCRIPTORS;
	in_call = 0;
	for (room = 0; room < ROOM_MAX; room++, runs++)
		run_checked(scenario, bare);
	for (in_call = 1; in_call <= calls; in_call++)
		for (room = 0; room < ROOM_OF_A_CALL_MAX; room++, runs++)
			run_checked(scenario, bare);
	return runs;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void prepare(const struct ipc_options *asked)
{
	char dir[64];

	if (asked)
		options = *asked;
	me = (struct ipc_cred){.uid = getuid(), .gid = getgid(), .pid = getpid()};
	snprintf(prefix, sizeof(prefix), "scarce_%d_", (int)getpid());
	options.prefix = prefix;
	options.mountpoint = mountpoint;
	cr_assert_not_null(mkdtemp(mountpoint));
	u_clean_behind(prefix, mountpoint);
	for (unsigned i = 0; ipc_kinds[i]; i++) {
		snprintf(dir, sizeof(dir), "%s/%s", mountpoint, ipc_kind_name(ipc_kinds[i]));
		cr_assert_eq(mkdir(dir, 0755), 0);
	}
	memory.failed = mmap(NULL, sizeof(*memory.failed), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq((void *)memory.failed, MAP_FAILED);
	descriptors_unlimit();
}

static void run_all(void (*scenario)(void), const struct ipc_options *asked, bool bare)
{
	unsigned long allocations, calls;
	unsigned runs;

	prepare(asked);
	shortage = PLENTY;
	/* What the C library makes once and for all. */
	run_once(scenario, bare);
	run_checked(scenario, bare);
	calls = call_now;
	allocations = run_short_of_memory(scenario, bare);
	runs = run_short_of_descriptors(scenario, bare, calls);
	shortage = PLENTY;
	run_checked(scenario, bare);
	nftw(mountpoint, remove_one, 4, FTW_DEPTH | FTW_PHYS);
	cr_log_info("%lu allocations failed, one a run; %u runs were short of descriptors, in %lu calls", allocations,
		    runs, calls);
	if (__lsan_do_recoverable_leak_check)
		cr_assert_eq(__lsan_do_recoverable_leak_check(), 0, "memory was lost");
}

void scarce_run(void (*scenario)(void), const struct ipc_options *asked)
{
	run_all(scenario, asked, false);
}

void scarce_run_bare(void (*scenario)(void), const struct ipc_options *asked)
{
	run_all(scenario, asked, true);
}

/*
 * Which processes LeakSanitizer judges: those that run a test, and the programs that tests start. What Criterion's
 * runner has not freed at its end is Criterion's.
 */
#include <stdbool.h>
#include <stdlib.h>

static bool runs_a_test;

/* BXFI_MAP is how the runner starts a test's process; the test may change its environment. */
__attribute__((constructor)) static void leaks_init(void)
{
	runs_a_test = getenv("BXFI_MAP") != NULL;
}

/*
 * Of <sanitizer/lsan_interface.h>, which only a compiler with sanitizers brings along.
 * NOLINTNEXTLINE(bugprone-reserved-identifier)
 */
int __lsan_is_turned_off(void);

/* NOLINTNEXTLINE(bugprone-reserved-identifier) */
int __lsan_is_turned_off(void)
{
	return !runs_a_test;
}

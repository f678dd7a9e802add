/* Numbers and durations as users write them. */
#ifndef IPC_NUMBER_H
#define IPC_NUMBER_H

#include <stddef.h>
#include <stdint.h>

#define IPC_DURATION_MAX (INT64_C(1) << 62)

/*
 * A duration in nanoseconds: "500ms", "5s", "2m", "1h", "10us", "1.5s", ".5s"; a bare number is seconds. A point needs
 * a digit behind it. What is finer than a nanosecond is rounded up, so that only a zero gives 0.
 * Returns 0, or -EINVAL (also for negative, for anything behind the unit, and above 2^62 ns).
 */
int ipc_duration_parse(const char *text, size_t len, int64_t *ns);

/*
 * A whole decimal number in [min, max]; with `units`, a suffix K, M or G (1024) is taken. Leading zeros are, a '+' and
 * spaces are not, and a '-' only if min is negative. Returns 0, -EINVAL (no such number), or -ERANGE.
 */
int ipc_number_parse(const char *text, size_t len, int units, int64_t min, int64_t max, int64_t *out);

#endif

/* What a mount option of a kind was set to. */
#ifndef IPC_OPTION_H
#define IPC_OPTION_H

#include "ipc.h"

/* The value; "" where the option takes none; NULL: it was not given. */
const char *ipc_option_text(const struct ipc_options *, const struct ipc_option *);
/* The number that its check() has seen to; `none` where it was not given. */
int64_t ipc_option_number(const struct ipc_options *, const struct ipc_option *, int64_t none);
/* For an option's check(): whether the value is a whole number (K, M and G may follow) of that range. */
int ipc_option_check_number(const char *value, int64_t min, int64_t max, char *why, size_t size);

/* A copy that ipc_options_copy_free() frees; NULL when out of memory. */
const char *const *ipc_options_copy(const char *const *of_kinds);
void ipc_options_copy_free(const char *const *of_kinds);

#endif

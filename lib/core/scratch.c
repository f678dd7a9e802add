/* Memory for what is made and used up within one operation. */
#include <stdlib.h>

#include "instance.h"

enum { SCRATCH_MIN = 1 << 20 };

char *ipc_scratch(struct ipc *ipc, size_t n)
{
	if (n < SCRATCH_MIN)
		n = SCRATCH_MIN;
	if (n > ipc->scratch_size) {
		free(ipc->scratch);
		ipc->scratch = malloc(n);
		ipc->scratch_size = ipc->scratch ? n : 0;
	}
	return ipc->scratch;
}

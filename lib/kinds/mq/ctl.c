/* NAME@ctl of /mq, and how full a queue is. */
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/sys.h"
#include "core/chan.h"
#include "core/kind.h"
#include "core/path.h"
#include "kinds/kinds.h"
#include "mq.h"
#include "names.h"
#include "owed.h"

/* The text that reading a queue's descriptor gives: mq_overview(7). -1: not there, or not to be read by us. */
static int64_t mq_bytes(int fd)
{
	char text[128];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	int64_t bytes;

	if (n <= 0)
		return -1;
	text[n] = '\0';
	return sscanf(text, "QSIZE:%" SCNd64, &bytes) == 1 ? bytes : -1;
}

/* bytes: NULL, or set as well. */
static int mq_state_read(struct ipc *ipc, const struct ipc_ref *ref, struct mq_attr *attr, int64_t *bytes)
{
	char name[NAME_MAX + 1];
	struct stat st;
	int fd;
	int r = ipc_kernel_name(ipc, ref, "", name, sizeof(name));

	if (r < 0)
		return r;
	fd = mq_names_any(name);
	if (fd < 0)
		return fd;
	if (bytes)
		*bytes = mq_bytes(fd);
	r = fstat(fd, &st) < 0 || mq_getattr(fd, attr) < 0 ? -errno : 0;
	if (r == 0 && !ipc_ref_means(ref, st.st_ino))
		r = -ESTALE;
	close(fd);
	return r;
}

long mq_given(struct ipc_chan *chan)
{
	return chan && mq_chan(chan)->owed ? (long)mq_chan(chan)->owed->back.count : 0;
}

int mq_depth(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_depth *depth)
{
	struct ipc_chan *chan = ipc_chan_find(ipc, &ipc_mq, ref->base);
	struct mq_attr attr = {0};
	int r = mq_state_read(ipc, ref, &attr, NULL);

	depth->unit = "messages";
	depth->value = r < 0 ? -1 : attr.mq_curmsgs + mq_given(chan);
	depth->limit = attr.mq_maxmsg;
	return ipc_is_shortage(r) ? r : 0;
}

static int mq_ctl_show(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_chan *chan, FILE *out)
{
	struct mq_attr attr = {0};
	int64_t bytes;
	int r = mq_state_read(ipc, ref, &attr, &bytes);

	if (r < 0)
		return ipc_is_shortage(r) || r == -ESTALE ? r : 0;
	fprintf(out, "maxmsg=%ld\nmsgsize=%ld\nmessages=%ld\n", attr.mq_maxmsg, attr.mq_msgsize,
		attr.mq_curmsgs + mq_given(chan));
	if (bytes >= 0)
		fprintf(out, "bytes=%" PRId64 "\n", bytes);
	fprintf(out, "owed=%u\ngiven_back=%ld\n", chan ? chan->debts : 0, mq_given(chan));
	return 0;
}

const struct ipc_kind_ctl mq_ctl = {
	.show = mq_ctl_show,
};

/*
 * MNT/status@metrics: OpenMetrics text, version 1.0. All samples of a family must stand together, so what the walk
 * brings is kept, and written family by family.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/proc.h"
#include "instance.h"
#include "quota.h"
#include "quote.h"
#include "status.h"

/* Samples that are written in one step. */
enum { SAMPLES = 512 };

static const struct {
	const char *name; /* without the _total of a counter */
	bool counter;
	const char *help;
} families[] = {
	{"ipcfs_messages_in", true, "Messages that were sent through the files of this mount; permits of a semaphore."},
	{"ipcfs_bytes_in", true, "Bytes of them."},
	{"ipcfs_messages_out", true, "Messages that were taken through the files of this mount."},
	{"ipcfs_bytes_out", true, "Bytes of them."},
	{"ipcfs_messages_returned", true, "Messages that were taken, did not reach their reader, and went back."},
	{"ipcfs_bytes_returned", true, "Bytes of them."},
	{"ipcfs_depth", false,
	 "What is in the channel now: messages, permits, datagrams, connections or bytes, as its kind."},
	{"ipcfs_limit", false, "How much of that it takes at most."},
	{"ipcfs_readers", false, "Open files that read."},
	{"ipcfs_writers", false, "Open files that write."},
	{"ipcfs_waiters", false, "Operations that wait."},
	{"ipcfs_holders", false, "Open files that hold a permit."},
	{"ipcfs_owed", false, "Messages that were handed over with ack and are not settled."},
};

enum { FAMILIES = sizeof(families) / sizeof(families[0]) };

/* A channel. */
struct sample {
	size_t labels; /* where they are in the text */
	uint64_t values[FAMILIES];
	uint32_t known; /* a bit for each */
	int64_t since;	/* of the counters; 0: not known */
};

struct metrics {
	struct sample *samples;
	size_t count, size;
	struct ipc_text text; /* {kind="...",name="..."}, each with its NUL */
	unsigned family;
	size_t at; /* of the family's samples */
};

static struct metrics *metrics_of(const struct ipc_status *s)
{
	return s->kept;
}

static int metrics_make(struct ipc_status *s)
{
	struct metrics *m = calloc(1, sizeof(*m));

	s->kept = m;
	return m && ipc_text_open(&m->text) ? 0 : -ENOMEM;
}

static struct sample *metrics_sample(struct metrics *m)
{
	if (m->count == m->size) {
		size_t size = m->size ? 2 * m->size : 64;
		struct sample *grown = reallocarray(m->samples, size, sizeof(*grown));

		if (!grown)
			return NULL;
		m->samples = grown;
		m->size = size;
	}
	return &m->samples[m->count++];
}

static void sample_fill(struct sample *sample, const struct ipc_status_row *row)
{
	static const struct ipc_chan unused;
	const struct ipc_chan *c = row->chan ? row->chan : &unused;
	const struct ipc_counts *counts = row->counts;
	const uint64_t values[FAMILIES] = {
		counts->in_messages,
		counts->in_bytes,
		counts->out_messages,
		counts->out_bytes,
		counts->back_messages,
		counts->back_bytes,
		(uint64_t)row->depth.value,
		(uint64_t)row->depth.limit,
		c->readers,
		c->writers,
		c->waiters,
		c->holders,
		c->debts,
	};
	enum { DEPTH = 6, LIMIT = 7 };

	memcpy(sample->values, values, sizeof(values));
	sample->since = counts->since;
	sample->known = row->mediated ? (1u << FAMILIES) - 1 : 0;
	sample->known &= ~(1u << DEPTH | 1u << LIMIT);
	if (row->depth.value >= 0)
		sample->known |= 1u << DEPTH | (row->depth.limit ? 1u << LIMIT : 0);
}

static int metrics_row(struct ipc_status *s, const struct ipc_status_row *row)
{
	struct metrics *m;
	struct sample *sample;
	int r = s->kept ? 0 : metrics_make(s);

	if (r < 0)
		return r;
	m = metrics_of(s);
	sample = metrics_sample(m);
	if (!sample)
		return -ENOMEM;
	fflush(m->text.stream);
	sample->labels = m->text.len;
	sample_fill(sample, row);
	fputs("{kind=", m->text.stream);
	ipc_quote(m->text.stream, row->kind->name);
	fputs(",name=", m->text.stream);
	ipc_quote(m->text.stream, row->name);
	fputc('}', m->text.stream);
	fputc('\0', m->text.stream);
	return 0;
}

static void metrics_head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* What begins anew, as after a reboot, is told from what went back by when it began. */
static void metrics_sample_write(FILE *out, const struct metrics *m, const struct sample *sample)
{
	const char *name = families[m->family].name, *labels = m->text.data + sample->labels;
	bool counter = families[m->family].counter;

	fprintf(out, "%s%s%s %" PRIu64 "\n", name, counter ? "_total" : "", labels, sample->values[m->family]);
	if (counter && sample->since)
		fprintf(out, "%s_created%s %.3f\n", name, labels, (double)sample->since / 1e9);
}

/* Returns whether the family has more. */
static bool metrics_family(struct metrics *m, FILE *out)
{
	const char *name = families[m->family].name;
	size_t end = m->at + SAMPLES < m->count ? m->at + SAMPLES : m->count;

	if (!m->at)
		metrics_head(out, name, families[m->family].counter ? "counter" : "gauge", families[m->family].help);
	for (; m->at < end; m->at++) {
		const struct sample *sample = &m->samples[m->at];

		if (sample->known & 1u << m->family)
			metrics_sample_write(out, m, sample);
	}
	return m->at < m->count;
}

/* What the reader has of what each user may have: quota.h. */
static void metrics_quotas(struct ipc_status *s)
{
	FILE *out = s->out;

	metrics_head(out, "ipcfs_user_resources", "gauge",
		     "What the user who reads this has of each limited resource.");
	for (unsigned i = 0; i < IPC_QUOTA_COUNT; i++)
		fprintf(out, "ipcfs_user_resources{uid=\"%u\",resource=\"%s\"} %zu\n", (unsigned)s->cred.uid,
			ipc_quota_name(i), ipc_quota_used(s->ipc, s->cred.uid, i));
	metrics_head(out, "ipcfs_user_resources_limit", "gauge", "What each user may have of it.");
	for (unsigned i = 0; i < IPC_QUOTA_COUNT; i++)
		if (s->ipc->opt.quota[i])
			fprintf(out, "ipcfs_user_resources_limit{resource=\"%s\"} %zu\n", ipc_quota_name(i),
				s->ipc->opt.quota[i]);
}

static void metrics_daemon(struct ipc_status *s)
{
	FILE *out = s->out;
	struct rusage used;
	int64_t started;

	/* Not of the type info, which Prometheus's older text format, node_exporter's, does not know. */
	metrics_head(out, "ipcfs_build_info", "gauge", "The daemon.");
	fputs("ipcfs_build_info{version=\"" IPCFS_VERSION "\"} 1\n", out);
	if (ipc_proc_started(getpid(), &started) == 0) {
		metrics_head(out, "ipcfs_uptime_seconds", "gauge", "Since when the daemon runs.");
		fprintf(out, "# UNIT ipcfs_uptime_seconds seconds\nipcfs_uptime_seconds %.2f\n",
			(double)(ipc_now() - started) / 1e9);
	}
	if (getrusage(RUSAGE_SELF, &used) == 0) {
		metrics_head(out, "ipcfs_cpu_seconds", "counter", "Processor time of the daemon.");
		fprintf(out, "# UNIT ipcfs_cpu_seconds seconds\nipcfs_cpu_seconds_total %.6f\n",
			(double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
				(double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
	}
	if (s->ipc->opt.awake) {
		metrics_head(out, "ipcfs_awake_seconds", "counter", "How long all processors were kept awake.");
		fprintf(out, "# UNIT ipcfs_awake_seconds seconds\nipcfs_awake_seconds_total %.3f\n",
			(double)ipc_awake_ns(s->ipc->opt.awake) / 1e9);
	}
	metrics_head(out, "ipcfs_resident_memory_bytes", "gauge", "Memory of the daemon.");
	fprintf(out, "# UNIT ipcfs_resident_memory_bytes bytes\nipcfs_resident_memory_bytes %ld\n",
		ipc_proc_resident());
	metrics_quotas(s);
	fputs("# EOF\n", out);
}

static int metrics_end(struct ipc_status *s)
{
	int r = s->kept ? 0 : metrics_make(s);
	struct metrics *m = metrics_of(s);

	if (r == 0 && m->text.stream)
		r = ipc_text_close(&m->text);
	if (r < 0)
		return r;
	if (m->family == FAMILIES) {
		metrics_daemon(s);
		return 0;
	}
	if (!metrics_family(m, s->out)) {
		m->family++;
		m->at = 0;
	}
	return 1;
}

static size_t metrics_memory(const struct ipc_status *s)
{
	const struct metrics *m = metrics_of(s);

	return m ? sizeof(*m) + m->size * sizeof(*m->samples) + m->text.size : 0;
}

static void metrics_free(struct ipc_status *s)
{
	struct metrics *m = metrics_of(s);

	if (!m)
		return;
	if (m->text.stream)
		ipc_text_close(&m->text);
	ipc_loop_free_slowly(s->ipc->loop, m->text.data, m->text.size);
	ipc_loop_free_slowly(s->ipc->loop, m->samples, m->size * sizeof(*m->samples));
	free(m);
}

const struct ipc_status_writer ipc_status_metrics = {
	.row = metrics_row,
	.end = metrics_end,
	.memory = metrics_memory,
	.free = metrics_free,
};

#!/bin/sh
# A job queue: one producer, N workers; every line is a job, and each goes to exactly one worker.
# Run: examples/job_queue.sh M [WORKERS [JOBS [NAME]]]
# The producer waits while the queue is full (10 jobs); the workers end when nothing has come for two seconds.
set -eu
M=${1:-${M:?usage: job_queue.sh MOUNT [WORKERS [JOBS [NAME]]]}}
workers=${2:-4}
jobs=${3:-1000}
queue=$M/mq/${4:-demo-jobs}

# Each worker opens the queue for itself: a shared descriptor would serve one of them at a time.
worker() {
	while IFS= read -r job; do
		echo "$job $((job * job))"
	done <"$queue@lines,idle=2s"
}

touch "$queue@maxmsg=10"
cleanup() {
	rm -f "$queue"
}
trap cleanup EXIT
trap 'cleanup; exit 1' HUP INT TERM
{
	w=0
	while [ "$w" -lt "$workers" ]; do
		worker &
		w=$((w + 1))
	done
	seq "$jobs" >"$queue@lines,maxmsg=10"
	wait
} | sort -n | awk '$1 == NR && $2 == NR * NR { good++ } END { print NR " jobs done, " good + 0 " of them right" }'

#!/bin/sh
# Workers that may be killed at any time: each job is done, if need be by another worker.
# Run: examples/worker_pool.sh M [WORKERS [JOBS [NAME]]]
# Every tenth job kills the first worker that gets it, by SIGKILL; the pool starts another one in its place.
set -eu
M=${1:-${M:?usage: worker_pool.sh MOUNT [WORKERS [JOBS [NAME]]]}}
workers=${2:-3}
jobs=${3:-100}
queue=$M/mq/${4:-demo-pool}
done_dir=$(mktemp -d)

touch "$queue@maxmsg=10"
cleanup() {
	rm -rf "$queue" "$done_dir"
}
trap cleanup EXIT
trap 'cleanup; exit 1' HUP INT TERM

# The job that it has when it is killed goes back to the queue; asking for the next one says that the last is done.
# shellcheck disable=SC2016 # the inner shell's variables
worker() {
	sh -c '
		while IFS= read -r job; do
			if [ $((job % 10)) = 0 ] && mkdir "$1/killed-$job" 2>/dev/null; then kill -KILL $$; fi
			: >"$1/done-$job"
		done <"$2@lines,ack,idle=2s"' worker "$done_dir" "$queue"
}

# A worker that ends well has found no more work.
keep_one() {
	until worker; do :; done
}

w=0
while [ "$w" -lt "$workers" ]; do
	keep_one 2>/dev/null &
	w=$((w + 1))
done
seq "$jobs" >"$queue@lines,maxmsg=10"
wait
echo "$(find "$done_dir" -name 'done-*' | wc -l) jobs done, $(find "$done_dir" -name 'killed-*' | wc -l) workers killed"

#!/bin/sh
# A limit on workers: JOBS jobs are started all at once, and never more than LIMIT of them run.
# Run: examples/worker_limit.sh M [LIMIT [JOBS [NAME]]]
# Each job opens the semaphore with @hold: that waits for a free slot, and the slot comes back when the job ends, even if it
# crashes.
set -eu
M=${1:-${M:?usage: worker_limit.sh MOUNT [LIMIT [JOBS [NAME]]]}}
limit=${2:-3}
jobs=${3:-12}
slots=$M/sem/${4:-demo-slots}

job() {
	exec 9<"$slots@hold"
	echo begin
	sleep 0.1
	echo end
}

cleanup() {
	rm -f "$slots"
}
trap cleanup EXIT
trap 'cleanup; exit 1' HUP INT TERM
echo "$limit" >"$slots"
{
	n=0
	while [ "$n" -lt "$jobs" ]; do
		job &
		n=$((n + 1))
	done
	wait
} | awk '
	$1 == "begin" { begun++; if (++running > most) most = running }
	$1 == "end" { running-- }
	END { print begun + 0 " jobs, at most " most + 0 " at once" }'

#!/bin/sh
# A lock with a time-out: only one of those who run this at a time, and nobody waits for longer than he wants to.
# Run: examples/lock_timeout.sh M [PATIENCE [WORK [NAME]]], in two terminals at once. Times are as @timeout and sleep(1) take
# them; exit status 1: somebody else had the lock for too long.
# The lock is a semaphore of value 1. It comes back when the last descriptor of it is closed, however the holder ends.
set -eu
M=${1:-${M:?usage: lock_timeout.sh MOUNT [PATIENCE [WORK [NAME]]]}}
patience=${2:-2s}
work=${3:-1}
lock=$M/sem/${4:-demo-lock}

# Whoever comes first makes it; on one that is there the value means nothing.
touch "$lock@value=1"

if {
	echo 'I have the lock'
	sleep "$work"
} 9<"$lock@hold,timeout=$patience"; then
	echo 'and now I have not'
else
	echo 'somebody else has it' >&2
	exit 1
fi

#!/bin/sh
# Stops processes gracefully: TERM, some time to clean up, and KILL for who did not use it.
# Run: examples/graceful_stop.sh M [PATIENCE [PID...]]; without a PID it stops two of its own, one of which will not listen.
# The descriptor is the process: should it end and its number be used again, nobody else is hit. Reading it waits for the end.
set -eu
M=${1:-${M:?usage: graceful_stop.sh MOUNT [PATIENCE [PID...]]}}
patience=${2:-2s}
shift "$(($# < 2 ? $# : 2))"

stop() {
	exec 3<>"$M/sig/$1@timeout=$patience" || return
	echo TERM >&3
	if cat <&3 2>/dev/null; then
		echo "$1 ended by itself"
	else
		echo KILL >&3
		cat <&3
		echo "$1 had to be killed"
	fi
	exec 3>&-
}

if [ $# -eq 0 ]; then
	sleep 1000 &
	set -- "$!"
	# What is ignored here is ignored by the child from its first moment on.
	trap '' TERM
	sleep 1000 &
	trap - TERM
	set -- "$@" "$!"
fi
for pid; do
	(stop "$pid") || echo "$pid could not be stopped"
done

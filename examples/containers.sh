#!/bin/sh
# Workers in two sandboxes that share nothing but the mount with the host, where the producer and the results are.
# Run: examples/containers.sh M [COUNT [NAME]]. Needs bwrap; M is mounted with allow_other where the sandboxes run as somebody else.
set -eu
M=${1:-${M:?usage: containers.sh MOUNT [COUNT]}}
count=${2:-10}
jobs=${3:-demo-box}-jobs results=${3:-demo-box}-results

cleanup() {
	rm -f "$M/mq/$jobs" "$M/mq/$results"
}
trap cleanup EXIT
trap 'cleanup; exit 1' HUP INT TERM
touch "$M/mq/$jobs" "$M/mq/$results"

# A worker ends when no job has come for a second.
# shellcheck disable=SC2016 # the sandbox's shell expands it
sandbox() {
	bwrap --unshare-all --die-with-parent --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib \
		--symlink usr/lib64 /lib64 --proc /proc --dev /dev --bind "$M" /ipc \
		sh -c 'while IFS= read -r job; do echo "$1: $job" > "/ipc/mq/$3@lines"; done < "/ipc/mq/$2@lines,idle=1s"' \
		sandbox "$1" "$jobs" "$results"
}
sandbox one &
sandbox two &
seq "$count" > "$M/mq/$jobs@lines"
cat "$M/mq/$results@lines,n=$count"
wait

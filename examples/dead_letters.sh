#!/bin/sh
# Jobs that nobody can do do not stop the others: after three tries each goes to NAME.dead, where a watcher tells of it.
# Run: examples/dead_letters.sh M [JOBS [NAME]]
set -eu
M=${1:-${M:?usage: dead_letters.sh MOUNT [JOBS [NAME]]}}
jobs=${2:-9}
queue=$M/mq/${3:-demo-letters}

touch "$queue@maxmsg=10" "$queue.dead@maxmsg=10"
cleanup() {
	rm -f "$queue" "$queue.dead"
}
trap cleanup EXIT
trap 'cleanup; exit 1' HUP INT TERM

# In real use it runs for ever, and writes a mail.
while IFS= read -r job; do
	echo "cannot be done: $job"
done <"$queue.dead@lines,idle=3s" &

# One job a process: its exit status says whether it is done. 9: there was none.
# shellcheck disable=SC2016 # the inner shell's variables
one_job() {
	sh -c 'IFS= read -r job || exit 9; [ $((job % 4)) != 0 ]' <"$queue@lines,one,ack,tries=3,idle=1s"
}
seq "$jobs" >"$queue@lines" &
while :; do
	status=0
	one_job || status=$?
	[ "$status" != 9 ] || break
done
wait

#!/bin/sh
# A log with three readers: each gets every line, in the same order, and none of them holds up the writer.
# Run: examples/log_broadcast.sh M [LINES [NAME]]
# One reader keeps all, one looks for errors, and one comes late and asks for what it has missed.
set -eu
M=${1:-${M:?usage: log_broadcast.sh MOUNT [LINES [NAME]]}}
lines=${2:-1000}
log=$M/bcast/${3:-demo-log}
kept=$(mktemp)

touch "$log"
cleanup() {
	rm -f "$log" "$kept"
}
trap cleanup EXIT
trap 'cleanup; exit 1' HUP INT TERM

cat "$log@lines,batch,n=$lines" >"$kept" &
grep -c ERROR "$log@lines,batch,n=$lines" | sed 's/$/ errors seen by the second/' &
# A reader gets what is written after its open.
until grep -q '^readers=2$' "$log@ctl"; do
	sleep 0.1
done

i=0
while [ "$i" -lt "$lines" ]; do
	i=$((i + 1))
	case $i in
	*7) echo "ERROR line $i" ;;
	*) echo "line $i" ;;
	esac
done >"$log@lines"
wait
echo "$(wc -l <"$kept") lines kept by the first"
echo "the third came late; the last two lines were:"
cat "$log@lines,last=2,drain"

#!/bin/sh
# Two machines, acted by two mounts of one Redis: jobs that one makes and the other does, a lock between them, and a log on both.
# Run: examples/two_machines.sh [ADDR]   ADDR is a Redis (HOST[:PORT] or a socket); without it one is started, and ended.
# IPCFS is the program (ipcfs).
set -eu
ipcfs=${IPCFS:-ipcfs}
dir=$(mktemp -d)
address=${1:-$dir/redis.sock}
one=$dir/one two=$dir/two

cleanup() {
	trap - EXIT HUP INT TERM
	for m in "$one" "$two"; do
		! mountpoint -q "$m" || { rm -f "$m"/*/demo-*; fusermount3 -u "$m"; }
	done
	[ ! -S "$dir/redis.sock" ] || redis-cli -s "$dir/redis.sock" shutdown nosave >/dev/null || true
	rm -f "$dir"/redis.* && rmdir "$one" "$two" "$dir"
}
trap cleanup EXIT
trap 'cleanup; exit 1' HUP INT TERM

mkdir "$one" "$two"
if [ "$address" = "$dir/redis.sock" ]; then
	redis-server --port 0 --unixsocket "$address" --dir "$dir" --save '' --daemonize yes >/dev/null
	until [ "$(redis-cli -s "$address" ping 2>/dev/null)" = PONG ]; do sleep 0.1; done
fi
"$ipcfs" -o "redis=$address" "$one"
"$ipcfs" -o "redis=$address" "$two"

echo "jobs made on one, done on two:"
seq 3 >"$one/mq/demo-jobs@lines"
while IFS= read -r job; do echo "  job $job"; done <"$two/mq/demo-jobs@lines,ack,idle=1s"

echo "a lock: its number grows, so that what it guards can tell an old holder from a new one:"
touch "$one/sem/demo-lock@value=1"
exec 9<"$one/sem/demo-lock@hold"
read -r number <&9
echo "  one has it: $number"
cat "$two/sem/demo-lock@hold,timeout=0.2s" 2>/dev/null || echo "  two does not get it"
exec 9<&-
echo "  two has it: $(cat "$two/sem/demo-lock@hold")"

echo "a log that both read:"
echo hello >"$one/bcast/demo-log"
cat "$one/bcast/demo-log@last=1,n=1,lines" "$two/bcast/demo-log@last=1,n=1,lines" | sed 's/^/  /;/^  $/d'

#!/bin/sh
# A native program feeds shell workers: mq_producer sends by mq_send(3), the workers read lines from a file.
# Run: examples/native_producer.sh M [JOBS [NAME]] after `make`; BUILD says where the programs are if not in build/.
# A message from mq_send has no newline; @lines puts one behind it.
set -eu
M=${1:-${M:?usage: native_producer.sh MOUNT [JOBS [NAME]]}}
jobs=${2:-300}
name=${3:-demo-native}
producer=${BUILD:-$(dirname "$0")/../build}/examples/mq_producer

touch "$M/mq/$name@maxmsg=10"
cleanup() {
	rm -f "$M/mq/$name"
}
trap cleanup EXIT
trap 'cleanup; exit 1' HUP INT TERM
{
	for w in 1 2 3; do
		while IFS= read -r job; do
			echo "$job worker $w"
		done <"$M/mq/$name@lines,idle=1s" &
	done
	"$producer" "$name" "$jobs"
	wait
} | sort -n | awk '$1 == NR { good++ } END { print NR " jobs done, " good + 0 " in their place" }'

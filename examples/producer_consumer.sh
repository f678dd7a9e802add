#!/bin/bash
# Producer and consumer over shared memory: a C program writes items to a ring in M/shm, this script takes them out, and two
# semaphores in M/sem say how many slots are full and how many are empty.
# Run: examples/producer_consumer.sh M [ITEMS [NAME]]
# The producer, build/examples/producer_consumer, uses shm_open(3), sem_wait(3) and sem_post(3), and knows nothing of M.
set -eu
M=${1:-${M:?usage: producer_consumer.sh MOUNT [ITEMS [NAME]]}}
items=${2:-1000}
name=${3:-demo-ring}
slots=64 # and lines of 16 bytes, as in the producer
ring=$M/shm/$name
producer=${BUILD:-$(dirname "$0")/../build}/examples/producer_consumer

cleanup() {
	rm -f "$ring" "$M/sem/$name-full" "$M/sem/$name-empty"
}
trap cleanup EXIT
trap 'cleanup; exit 1' HUP INT TERM
# Not by `>`, which would cut the new ring down to nothing again.
touch "$ring@size=$((slots * 16))" "$M/sem/$name-full" "$M/sem/$name-empty@value=$slots"

"$producer" "$name" "$items" &

right=0
exec 4>"$M/sem/$name-empty"
for ((i = 0; i < items; i++)); do
	# A handle is one wait, so each wait is an open.
	read -r _ <"$M/sem/$name-full"
	((i % slots)) || exec 3<"$ring"
	read -r item <&3
	echo >&4
	((10#$item != i + 1)) || right=$((right + 1))
done
wait
echo "$items items, $right of them right"

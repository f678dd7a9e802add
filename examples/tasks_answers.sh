#!/bin/sh
# Two programs hand each other tasks and answers through two queues: an agent that asks, and a helper that may die.
# Run: examples/tasks_answers.sh M [TASKS [NAME]]
# The answer is written before the next task is asked for: a helper that is killed in between leaves its task to the next one.
set -eu
M=${1:-${M:?usage: tasks_answers.sh MOUNT [TASKS [NAME]]}}
count=${2:-5}
name=${3:-demo-agent}
tasks=$M/mq/$name
answers=$M/mq/$name.answers

touch "$tasks@maxmsg=10" "$answers@maxmsg=10"
cleanup() {
	rm -f "$tasks" "$answers"
}
trap cleanup EXIT
trap 'cleanup; exit 1' HUP INT TERM

# One that dies at its third task, and one that does not.
# shellcheck disable=SC2004 # the question is a formula
helper() {
	while read -r number question; do
		[ "$1" != mortal ] || [ "$number" -lt 3 ] || exit 1
		echo "$number $question=$(($question))" >"$answers@lines"
	done <"$tasks@lines,ack,idle=2s"
}

(
	(helper mortal) || helper immortal
) &
i=1
while [ "$i" -le "$count" ]; do
	echo "$i $i*$i" >"$tasks@lines"
	i=$((i + 1))
done
while read -r number answer; do
	echo "answer $number: $answer"
done <"$answers@lines,n=$count,timeout=30s"
wait

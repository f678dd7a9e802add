#!/bin/sh
# Priorities: what is sent with prio=9 overtakes what was sent before it; equals stay in order.
# Run: examples/priority.sh M [NAME]
# @meta puts the priority and a tab in front of each message; @drain ends when the queue is empty.
set -eu
M=${1:-${M:?usage: priority.sh MOUNT [NAME]}}
queue=$M/mq/${2:-demo-priority}

cleanup() {
	rm -f "$queue"
}
trap cleanup EXIT
trap 'cleanup; exit 1' HUP INT TERM
echo 'routine, sent first' >"$queue@lines"
echo 'routine, sent second' >"$queue@lines"
echo 'urgent, sent third' >"$queue@lines,prio=9"
echo 'soon, sent fourth' >"$queue@lines,prio=5"
cat "$queue@lines,drain,meta"

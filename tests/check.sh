#!/bin/sh
# Runs what was built in DIR: the fuzz targets over their corpora, the examples, the README's commands, what shells complete,
# the units, then both sets of Criterion tests, whose skipped tests and summaries are the last lines. FILTER (suite/name) leaves
# only the tests that match. With AGAIN=1 a test that failed is run once more by itself, and named whatever comes of it: on a
# machine that is loaded by others, one time-out says little.
# Usage: sh tests/check.sh DIR [FILTER]
set -u
dir=$1 filter=${2-}
rc=0

# A test waits for most of its time (for a mount, a signal, a process). More than two at once for a processor would find
# delays in each other, and take all that one user may have of queues.
jobs=$(($(nproc) * 2))

# PROGRAM FILTER: its output, without the lines about what passed, goes to the screen, all of it to PROGRAM.log.
run() {
	rm -f "$1.failed"
	{
		# shellcheck disable=SC2086 # no filter is no argument
		timeout -k 10 900 "$1" --verbose=1 "-j$jobs" --timeout 60 ${2:+--filter "$2"} 2>&1 || : >"$1.failed"
	} | tee "$1.log" |
		grep --line-buffered -v -e '^\[RUN' -e '^\[PASS' -e '^\[SKIP' -e 'Criterion v' -e '^\[====\]'
	[ ! -e "$1.failed" ]
}

# PROGRAM: each test that failed in its last run, by itself.
again() {
	sed -n 's/^\[\(FAIL\|CRASH\)\] \([a-z0-9_]*\)::\([a-z0-9_]*\):.*/\2\/\3/p' "$1.log" >"$1.again"
	cp "$1.log" "$1.first"
	[ -s "$1.again" ] || return 1
	ok=0
	while read -r name; do
		if run "$1" "$name" </dev/null; then
			echo "again by itself: $name passed"
		else
			echo "again by itself: $name FAILED"
			ok=1
		fi
	done <"$1.again"
	mv "$1.first" "$1.log"
	return $ok
}

for corpus in tests/fuzz/corpus/*/; do
	target=$dir/fuzz/$(basename "$corpus")
	"$target" "$corpus"* || { echo "$target: FAILED" >&2; rc=1; }
done
if [ -z "$filter" ]; then
	# At the same time as the next two, which look at all channels that there are, as these make none.
	(
		sh tests/completion.sh || rc=1
		bash tests/units.sh || rc=1
		exit $rc
	) >"$dir/tests/shells.log" 2>&1 &
	sh tests/examples.sh || rc=1
	python3 -B tests/readme.py || rc=1
	wait $! || rc=1
	cat "$dir/tests/shells.log"
fi
for t in "$dir"/tests/unit-tests "$dir"/tests/mount-tests; do
	run "$t" "$filter" || { [ "${AGAIN-}" = 1 ] && again "$t"; } || rc=1
done
for t in "$dir"/tests/unit-tests "$dir"/tests/mount-tests; do
	sed -n -e '/: Test is disabled$/d' -e 's/^\[SKIP\]/skipped:/p' "$t.log"
done
grep -h '^\[====\] Synthesis' "$dir"/tests/unit-tests.log "$dir"/tests/mount-tests.log || rc=1
exit $rc

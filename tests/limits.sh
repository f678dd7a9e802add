#!/bin/sh
# No file of the program has more than 400 lines, and no function more than 50 between its braces. What is longer is two things.
# Prints what is too long, a line each. Usage: sh tests/limits.sh
find lib fs -name '*.[ch]' | sort | xargs awk '
	function file() { if (lines > 400) { print name ": " lines " lines; 400 are the most"; bad = 1 } }
	FNR == 1 { file(); name = FILENAME; start = 0 }
	{ lines = FNR }
	/^\{/ { start = FNR }
	/^\}/ && start {
		if (FNR - start - 1 > 50) { print name ":" start ": a function of " FNR - start - 1 " lines; 50 are the most"; bad = 1 }
		start = 0
	}
	END { file(); exit bad }'

#!/bin/bash
# Four workers in one language on the native faces of one queue: workers.sh once|killed LANGUAGE QUEUE, in an empty directory.
#
# once: each job is done once. killed: every few milliseconds one of the workers is killed by SIGKILL, and another takes its place; no
# job is done twice, and none is lost but those that a worker had read and not noted yet. Noting is the first thing that it does with a
# job, and then it sleeps, so that nearly all are killed with one more job in the pipe.
set -u
mode=$1 language=$2 queue=$3 face=$3@fifo,idle=1s

# run_LANGUAGE FACE OUT: becomes a worker, which appends each line that it reads to OUT at once, and then sleeps for 10 ms.
# shellcheck disable=SC2016 # not this shell's
shell_worker='while read -r job; do echo "$job" >>"$2"; sleep .01; done <"$1"'
run_bash() { exec bash -c "$shell_worker" sh "$1" "$2"; }
run_dash() { exec dash -c "$shell_worker" sh "$1" "$2"; }
run_zsh() { exec zsh -c "$shell_worker" sh "$1" "$2"; }
run_busybox() { exec busybox sh -c "$shell_worker" sh "$1" "$2"; }
# shellcheck disable=SC2016 # awk's
awk_worker='{ print >>out; fflush(); system("sleep .01") }'
run_mawk() { exec mawk -W interactive -v out="$2" "$awk_worker" "$1"; }
run_gawk() { exec gawk -v out="$2" "$awk_worker" "$1"; }
run_busybox_awk() { exec busybox awk -v out="$2" "$awk_worker" "$1"; }
# shellcheck disable=SC2016 # its shell's
run_xargs() { out=$2 exec xargs -r -n1 sh -c 'echo "$1" >>"$out"; sleep .01' sh <"$1"; }
run_perl() {
	# shellcheck disable=SC2016 # perl's
	exec perl -e 'open my $in, "<", $ARGV[0] or die; open my $out, ">>", $ARGV[1] or die; $out->autoflush;
		while (<$in>) { print $out $_; select undef, undef, undef, .01 }' "$1" "$2"
}
run_python3() {
	exec python3 -c 'import sys, time
with open(sys.argv[1]) as jobs, open(sys.argv[2], "ab", 0) as out:
    for job in jobs:
        out.write(job.encode())
        time.sleep(.01)' "$1" "$2"
}
run_node() {
	exec node -e 'const fs = require("fs"), out = fs.openSync(process.argv[2], "a");
		fs.createReadStream(process.argv[1]).on("data", data => {
			fs.writeSync(out, data); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10); });' "$1" "$2"
}
run_tclsh() {
	cat >worker.tcl <<-'T'
		set in [open [lindex $argv 0]]
		set out [open [lindex $argv 1] a]
		fconfigure $out -buffering line
		while {[gets $in job] >= 0} {puts $out $job; after 10}
	T
	exec tclsh worker.tcl "$1" "$2"
}
run_ruby() {
	exec ruby -e 'out = File.open(ARGV[1], "a"); out.sync = true; File.open(ARGV[0]).each { |job| out.write job; sleep 0.01 }' "$1" "$2"
}
run_lua() {
	exec lua -e 'local out = io.open(arg[2], "a"); out:setvbuf("no"); for job in io.lines(arg[1]) do out:write(job .. "\n")
		os.execute("sleep .01") end' /dev/null "$1" "$2"
}
run_php() {
	# shellcheck disable=SC2016 # php's
	exec php -r '$in = fopen($argv[1], "r"); while (($job = fgets($in)) !== false) {
		file_put_contents($argv[2], $job, FILE_APPEND); usleep(10000); }' "$1" "$2"
}
run_java() { exec java -Xshare:auto -XX:TieredStopAtLevel=1 -cp . Worker "$1" "$2"; }
run_go() { exec ./worker "$1" "$2"; }

build_java() {
	cat >Worker.java <<-'J'
		import java.io.*;

		class Worker {
			public static void main(String[] args) throws Exception {
				// A BufferedReader goes on reading for as long as available() says that there is more.
				var in = new FileInputStream(args[0]);
				var job = new byte[8192];
				try (var out = new FileOutputStream(args[1], true)) {
					for (int n; (n = in.read(job)) > 0; Thread.sleep(10))
						out.write(job, 0, n);
				}
			}
		}
	J
	javac Worker.java
}

build_go() {
	cat >worker.go <<-'G'
		package main

		import (
			"bufio"
			"fmt"
			"os"
			"time"
		)

		func main() {
			in, err := os.Open(os.Args[1])
			if err != nil {
				panic(err)
			}
			out, err := os.OpenFile(os.Args[2], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0666)
			if err != nil {
				panic(err)
			}
			for lines := bufio.NewScanner(in); lines.Scan(); time.Sleep(10 * time.Millisecond) {
				fmt.Fprintln(out, lines.Text())
			}
		}
	G
	HOME=$PWD GOCACHE=$PWD/cache GOFLAGS=-mod=mod go build -o worker worker.go
}

workers=()
start() { # start SLOT
	"run_$language" "$face" "out$1" </dev/null &
	workers[$1]=$!
}

kill_one() { # kill_one SLOT
	disown "${workers[$1]}"
	kill -9 "${workers[$1]}" 2>/dev/null && kills=$((kills + 1))
	start "$1"
}

jobs_done() { sort -u out? 2>/dev/null | wc -l; }

if declare -F "build_$language" >/dev/null; then "build_$language" || exit 1; fi
count=200 kills=0
: >"$queue" || exit 1
seq $count >"$queue@fifo" &
for slot in 0 1 2 3; do start $slot; done
if [ "$mode" = killed ]; then
	# Those that live shorter than they take to start would do nothing: their lives are made longer.
	before=0 life=100
	while now=$(jobs_done) && [ "$now" -lt $((count * 9 / 10)) ] && [ $life -lt 10000 ]; do
		[ "$now" = "$before" ] && life=$((2 * life)) || life=100
		before=$now
		wait_ms=$((RANDOM % life))
		sleep "$((wait_ms / 1000)).$(printf %03d $((wait_ms % 1000)))"
		kill_one $((RANDOM % 4))
	done
fi
wait
unlink "$queue"

done=$(jobs_done) twice=$(sort out? | uniq -d | wc -l)
case $mode-$language in
once-*) lost_max=0 ;;
killed-xargs) lost_max=$kills ;; # starts a job when it has read the next one
killed-*) lost_max=$((kills / 4 + 1)) ;;
esac
if [ "$twice" != 0 ] || [ "$mode$kills" = killed0 ] || [ $((count - done)) -gt "$lost_max" ]; then
	echo "$language: of $count jobs $((count - done)) are lost and $twice were done twice, with $kills killed workers"
	exit 1
fi
echo "$language: $count jobs, $kills killed, $((count - done)) lost" >&2

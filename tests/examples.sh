#!/bin/sh
# Runs every example against a mount of its own and compares what it prints, byte for byte.
# IPCFS is the program (build/ipcfs); the examples are beside it. Names carry our pid, as queues and shared memory are
# the whole system's.
set -u
cd "$(dirname "$0")/.." || exit 1
IPCFS=${IPCFS:-$PWD/build/ipcfs}
BUILD=$(dirname "$IPCFS")
export BUILD
bin=$BUILD/examples
id=ipcfs-examples-$$
patience=60 # seconds, for a machine that is busy with other things
failed=0
passed=0
server=

dir=$(mktemp -d) || exit 1
M=$dir/mnt

cleanup() {
	trap - EXIT HUP INT TERM
	[ -z "$server" ] || kill "$server" 2>/dev/null
	rm -f "$M/mq/$id" "$M/mq/$id.dead" "$M/mq/$id.answers" "$M/shm/$id" "$M/sem/$id" "$M/sem/$id-full" "$M/sem/$id-empty"
	fusermount3 -u "$M" || fusermount3 -u -z "$M"
	# Never what is below a mount: that would be the whole system's channels.
	rmdir "$M" && rm -rf "${dir:?}"
}
trap cleanup EXIT
trap 'cleanup; exit 1' HUP INT TERM

mkdir "$M" "$dir/out" && "$IPCFS" "$M" || exit 1

# result NAME EXPECTED ACTUAL
result() {
	if [ "$2" = "$3" ]; then
		passed=$((passed + 1))
		return
	fi
	failed=$((failed + 1))
	printf 'examples: %s: FAILED\nexpected:\n%s\nprinted:\n%s\n' "$1" "$2" "$3" >&2
}

# once NAME EXPECTED COMMAND...
once() {
	name=$1
	expected=$2
	shift 2
	result "$name" "$expected" "$(timeout "$patience" "$@" 2>&1)"
}

# edited NAME EXPECTED SCRIPT COMMAND...: the same behind sed SCRIPT.
edited() {
	name=$1
	expected=$2
	script=$3
	shift 3
	result "$name" "$expected" "$(timeout "$patience" "$@" 2>&1 | sed "$script")"
}

# start LINE COMMAND...: a server in the background; returns when it has printed LINE, by which it says that it is ready.
start() {
	expected=$1
	shift
	mkfifo "$dir/out/fifo"
	timeout "$patience" "$@" >"$dir/out/fifo" 2>&1 &
	server=$!
	exec 3<"$dir/out/fifo"
	rm "$dir/out/fifo"
	IFS= read -r line <&3
	result "$1 is ready" "$expected" "$line"
}

# stop NAME EXPECTED: what the server has printed since; it ends by itself.
stop() {
	result "$1" "$2" "$(cat <&3)"
	exec 3<&-
	wait "$server"
	result "$1, exit status" 0 $?
	server=
}

start ready "$bin/pipe_server" "$M" "$id"
once pipe_client '5 letters' "$bin/pipe_client" "$M" hello "$id"
once pipe_client '8 letters' "$bin/pipe_client" "$M" 'two word' "$id"
once pipe_client '4 letters' "$bin/pipe_client" "$M" quit "$id"
stop pipe_server 'request: hello
request: two word
request: quit'

once pipe_child 'child, pipe(2): hello, child
child, pipe(2): end of file
child, M/pipe: hello, child
child, M/pipe: end of file' "$bin/pipe_child" "$M"

start ready "$bin/shm_server" "$id"
once shm_client HELLO "$bin/shm_client" "$M" hello "$id"
once shm_client QUIT "$bin/shm_client" "$M" quit "$id"
stop shm_server 'request: hello
request: quit'

once mq_sender '' "$bin/mq_sender" "$id" first 2:urgent 'with space' 1:soon
once mq_receiver 'urgent
soon
first
with space' "$bin/mq_receiver" "$M" 4 "$id"

# The receiver first: it waits for a sender that comes later.
mkfifo "$dir/out/fifo"
timeout "$patience" "$bin/mq_receiver" "$M" 2 "$id" >"$dir/out/fifo" 2>&1 &
server=$!
exec 3<"$dir/out/fifo"
rm "$dir/out/fifo"
once mq_sender '' "$bin/mq_sender" "$id" one
IFS= read -r line <&3
result 'mq_receiver before mq_sender' one "$line"
once mq_sender '' "$bin/mq_sender" "$id" two
stop mq_receiver two

start ready "$bin/sock_server" "$M" "$id"
once sock_client HELLO "$bin/sock_client" "$M" hello "$id"
once 'sock_client.sh to a native server' 'BY FILE' examples/sock_client.sh "$M" 'by file' "$id@io"
once sock_client QUIT "$bin/sock_client" "$M" quit "$id"
stop sock_server 'request: hello
request: by file
request: quit'

start ready examples/sock_server.sh "$M" "$id"
once sock_client.sh 'you said: hello' examples/sock_client.sh "$M" hello "$id"
once 'sock_client to a script' 'you said: native' "$bin/sock_client" "$M" native "$id@addr"
once sock_client.sh 'you said: quit' examples/sock_client.sh "$M" quit "$id"
stop sock_server.sh 'request: hello
request: native
request: quit'

# A port that nobody has at the moment.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])')
for server_is in "$bin/tcp_server" examples/tcp_server.sh; do
	start ready "$server_is" "$M" "$port"
	once tcp_client 'got: hello' "$bin/tcp_client" "$M" hello 127.0.0.1 "$port"
	once tcp_client.sh 'got: one line' examples/tcp_client.sh "$M" 'one line' 127.0.0.1 "$port"
	once tcp_client 'got: quit' "$bin/tcp_client" "$M" quit localhost "$port"
	stop "$server_is" 'hello
one line
quit'
	rm -f "$M/net/tcp/*/$port"
done

once job_queue.sh '1000 jobs done, 1000 of them right' examples/job_queue.sh "$M" 4 1000 "$id"
once worker_pool.sh '100 jobs done, 10 workers killed' examples/worker_pool.sh "$M" 3 100 "$id"
once dead_letters.sh 'cannot be done: 4
cannot be done: 8' examples/dead_letters.sh "$M" 9 "$id"
once tasks_answers.sh 'answer 1: 1*1=1
answer 2: 2*2=4
answer 3: 3*3=9
answer 4: 4*4=16
answer 5: 5*5=25' examples/tasks_answers.sh "$M" 5 "$id"
once native_producer.sh '300 jobs done, 300 in their place' examples/native_producer.sh "$M" 300 "$id"
once priority.sh '9	urgent, sent third
5	soon, sent fourth
0	routine, sent first
0	routine, sent second' examples/priority.sh "$M" "$id"

# A lock with a time-out: one has it, one gives up (of which each shell speaks in its own words), one waits.
start 'I have the lock' examples/lock_timeout.sh "$M" 30s 3 "$id"
edited 'lock_timeout.sh, given up' 'somebody else has it' '/timed out/d' examples/lock_timeout.sh "$M" 50ms 0 "$id"
once 'lock_timeout.sh, after the other' 'I have the lock
and now I have not' examples/lock_timeout.sh "$M" 30s 0 "$id"
stop lock_timeout.sh 'and now I have not'
rm -f "$M/sem/$id"

# On a busy machine it may happen that not even three run at once.
edited worker_limit.sh '12 jobs, at most 3 at once' 's/most [12] at/most 3 at/' examples/worker_limit.sh "$M" 3 12 "$id"
# Debian's redis-tools has the server by another name.
if ! command -v redis-server >/dev/null && command -v redis-check-rdb >/dev/null; then
	ln -s "$(command -v redis-check-rdb)" "$dir/redis-server"
	PATH=$dir:$PATH
fi
if ! command -v redis-server >/dev/null || ! command -v redis-cli >/dev/null; then
	echo 'examples: two_machines.sh: skipped: no redis-server here'
elif "$IPCFS" -f -o redis=host,kinds=pipe "$M" 2>&1 | grep -q 'without hiredis'; then
	echo 'examples: two_machines.sh: skipped: the build is without hiredis'
else
	edited two_machines.sh '  job 1
  job 2
  job 3
  one has it: 1
  two does not get it
  two has it: 2
  hello
  hello' '/:$/d' env IPCFS="$IPCFS" examples/two_machines.sh
fi
once producer_consumer.sh '500 items, 500 of them right' examples/producer_consumer.sh "$M" 500 "$id"
once log_broadcast.sh '100 errors seen by the second
1000 lines kept by the first
the third came late; the last two lines were:
line 999
line 1000' examples/log_broadcast.sh "$M" 1000 "$id"
edited graceful_stop.sh 'N ended by itself
N had to be killed' 's/^[0-9][0-9]*/N/' examples/graceful_stop.sh "$M" 3s

if bwrap --unshare-all --ro-bind / / true 2>/dev/null; then
	result containers.sh "$(seq 8)" \
		"$(timeout "$patience" examples/containers.sh "$M" 8 "$id" 2>&1 | sed 's/^[a-z]*: //' | sort -n)"
else
	echo 'examples: containers.sh skipped: no bwrap, or it may not make its namespaces here' >&2
fi

for kind in pipe shm mq sock sem bcast; do
	once "$kind: nothing is left" '' find "$M/$kind/" -name "*$id*"
done
once 'pipe, sock, bcast: nothing at all is left' '' find "$M/pipe/" "$M/sock/" "$M/bcast/" -mindepth 1

# Those that run in other examples: mq_producer, producer_consumer.
for file in examples/*.c examples/*.sh; do
	name=$(basename "${file%.*}")
	grep -q "$name" tests/examples.sh || result "$file" 'a test of it' 'none'
done

echo "examples: $passed passed, $failed failed"
[ "$failed" = 0 ]

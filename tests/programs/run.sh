#!/bin/bash
# Programs that Debian packages, on a mount: run.sh IPCFS. Exit status 1 if one of them fails. What is missing is installed where we
# are root and apt-get is there, without starting its services; what is missing still is skipped, and named.
set -u
ipcfs=$(readlink -f "$1") here=$(dirname "$(readlink -f "$0")")
dir=$(mktemp -d) M=$dir/mnt passed=0 failed=() skipped=()
mkdir "$M"
pids=()

finish() {
	[ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null
	wait
	fusermount3 -u "$M" 2>/dev/null || umount -l "$M" 2>/dev/null
	# Of podman, whose cgroups outlive its containers a little.
	rmdir /sys/fs/cgroup/libpod_parent /sys/fs/cgroup/*/libpod_parent 2>/dev/null
	rm -rf "$dir"
}
trap finish EXIT

# start COMMAND...: in the background until the end.
start() {
	"$@" >>"$dir/log" 2>&1 </dev/null &
	pids+=($!)
}

# await COMMAND...: until it succeeds, for 10 seconds.
await() {
	for _ in $(seq 100); do
		"$@" >/dev/null 2>&1 && return
		sleep .1
	done
	return 1
}

install_packages() {
	local policy=/usr/sbin/policy-rc.d packages=()
	while read -r program package; do
		PATH=$PATH:/usr/sbin command -v "$program" >/dev/null || packages+=("$package")
	done <<-P
		busybox busybox
		ssh openssh-client
		sshd openssh-server
		supervisord supervisor
		haproxy haproxy
		node nodejs
		go golang-go
		javac default-jdk-headless
		mawk mawk
		/usr/lib/cargo/bin/coreutils/cat rust-coreutils
		gawk gawk
		ruby ruby
		lua lua5.4
		php php-cli
		tclsh tcl
		zsh zsh
		socat socat
		sqlite3 sqlite3
		screen screen
		psql postgresql
		podman podman
		runc runc
		python3 python3
	P
	[ ${#packages[@]} -gt 0 ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 0
	[ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy && touch "$dir/policy"; }
	DEBIAN_FRONTEND=noninteractive timeout 300 apt-get install -y --no-install-recommends "${packages[@]}" >"$dir/apt" 2>&1 ||
		tail -n3 "$dir/apt"
	[ ! -e "$dir/policy" ] || rm -f $policy
}

# try NAME PROGRAM...: runs the function NAME if all the programs are there. Its status 77: this machine does not let them.
try() {
	local name=$1 program
	shift
	for program; do
		PATH=$PATH:/usr/sbin command -v "$program" >/dev/null || { skipped+=("$name (no $program)"); return; }
	done
	# Not in the condition: there set -e would mean nothing.
	( set -e; $name ) >"$dir/out" 2>&1
	local status=$?
	if [ $status = 0 ]; then
		passed=$((passed + 1))
	elif [ $status = 77 ]; then
		skipped+=("$name ($(tail -n1 "$dir/out"))")
	else
		failed+=("$name")
		sed "s/^/$name: /" "$dir/out" "$dir/log" 2>/dev/null | tail -n 20
	fi
}

busybox_reads_and_writes() {
	echo job >"$M/mq/bb"
	[ "$(timeout 5 busybox cat "$M/mq/bb@one")" = job ]
	timeout 5 busybox sh -c "echo more > $M/mq/bb"
	[ "$(timeout 5 busybox head -n1 "$M/mq/bb@lines,one")" = more ]
	rm "$M/mq/bb"
}

mawk_reads_lines() {
	printf 'a\nb\n' >"$M/mq/mawk@lines"
	# shellcheck disable=SC2016 # awk's variables
	[ "$(timeout 5 mawk '{ print NR, $0 }' "$M/mq/mawk@lines,n=2")" = $'1 a\n2 b' ]
	rm "$M/mq/mawk"
}

node_reads_a_stream() {
	printf 'a\nb\n' >"$M/mq/node@lines"
	[ "$(timeout 10 node -e 'require("fs").createReadStream(process.argv[1]).pipe(process.stdout)' "$M/mq/node@fifo,n=2")" = $'a\nb' ]
	rm "$M/mq/node"
}

go_serves_on_a_name_with_an_at() {
	cat >"$dir/main.go" <<-'G'
		package main

		import (
			"fmt"
			"io"
			"net"
			"os"
		)

		func main() {
			l, err := net.Listen("unix", os.Args[1])
			if err != nil {
				panic(err)
			}
			go func() { c, _ := l.Accept(); io.WriteString(c, "hello"); c.Close() }()
			c, err := net.Dial("unix", os.Args[1])
			if err != nil {
				panic(err)
			}
			b, _ := io.ReadAll(c)
			fmt.Print(string(b))
			l.Close()
		}
	G
	[ "$(cd "$dir" && HOME=$dir GOCACHE=$dir/go timeout 120 go run main.go "$M/sock/go@1.sock")" = hello ]
	[ ! -e "$M/sock/go@1.sock" ]
}

# Four workers on the native faces of a queue, killed and not: in a language of mount/workers.sh.
workers() {
	local mode
	for mode in once killed; do
		mkdir "$dir/$1-$mode"
		(cd "$dir/$1-$mode" && timeout 120 bash "$here/../mount/workers.sh" "$mode" "$1" "$M/mq/$1")
	done
}
for language in bash dash zsh busybox busybox_awk mawk gawk xargs perl python3 node tclsh ruby lua php java go; do
	eval "workers_in_$language() { workers $language; }"
done

# What Java asks a regular file is its size, which is 0.
java_asks_what_is_available() {
	cat >"$dir/Available.java" <<-'J'
		class Available {
			public static void main(String[] args) throws Exception {
				while (System.in.available() == 0)
					Thread.sleep(10);
				System.out.write(System.in.readNBytes(System.in.available()));
				System.out.flush();
			}
		}
	J
	javac -d "$dir" "$dir/Available.java"
	(sleep 1; echo job >"$M/mq/available@lines") &
	: >"$M/mq/available"
	[ "$(timeout 20 java -cp "$dir" Available <"$M/mq/available@fifo")" = job ]
	wait
	rm "$M/mq/available"
}

uutils_reads_a_queue() {
	local uutils=/usr/lib/cargo/bin/coreutils
	printf 'a\nb\nc\n' >"$M/mq/uutils@lines"
	[ "$(timeout 5 $uutils/head -n1 "$M/mq/uutils@lines")" = a ]
	[ "$(timeout 5 $uutils/cat "$M/mq/uutils@lines,drain")" = $'b\nc' ]
	printf 'a\nb\n' >"$M/mq/uutils@lines"
	timeout 5 $uutils/cp "$M/mq/uutils@lines,drain" "$dir/uutils"
	[ "$(cat "$dir/uutils")" = $'a\nb' ]
	rm "$M/mq/uutils"
}

# What Java's readers do with three messages: print the first, and leave the others or not.
java_reads_lines() {
	mkdir "$dir/lines"
	cat >"$dir/lines/First.java" <<-'J'
		import java.io.*;
		import java.nio.file.*;
		import java.util.*;

		class First {
			static String line(String reader, String path) throws Exception {
				switch (reader) {
				case "FileReader": return new BufferedReader(new FileReader(path)).readLine();
				case "Path": return new Scanner(Path.of(path)).nextLine();
				case "File": return new Scanner(new File(path)).nextLine();
				default: return new Scanner(System.in).nextLine();
				}
			}
			public static void main(String[] args) throws Exception {
				System.out.println(line(args[0], args[1]));
			}
		}
	J
	javac -d "$dir/lines" "$dir/lines/First.java"
	java_line() { # READER FACETS WHAT-IT-PRINTS WHAT-IT-LEAVES
		printf 'a\nb\nc\n' >"$M/mq/java@lines"
		# shellcheck disable=SC2094 # a queue, not a file
		printed=$(timeout 20 java -cp "$dir/lines" First "$1" "$M/mq/java@$2" <"$M/mq/java@$2" 2>"$dir/lines/log") || true
		[ "$printed" = "$3" ]
		# shellcheck disable=SC2016 # await's eval expands it
		await eval '[ "$(sed -n s/^messages=//p "$M/mq/java@ctl")" = '"$4"' ]'
		cat "$M/mq/java@lines,drain" >/dev/null
	}
	java_line FileReader lines a 2
	java_line Path lines a 2
	java_line File lines,drain a 0
	java_line System.in lines '' 2
	java_line System.in fifo a 2
	rm "$M/mq/java"
}

# Go has deadlines for what its poller can wait on.
go_reads_with_a_deadline() {
	mkdir "$dir/deadline"
	cat >"$dir/deadline/main.go" <<-'G'
		package main

		import (
			"errors"
			"fmt"
			"os"
			"time"
		)

		func main() {
			f, err := os.Open(os.Args[1])
			if err != nil {
				panic(err)
			}
			buf := make([]byte, 64)
			if err := f.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
				panic(err)
			}
			_, err = f.Read(buf)
			fmt.Println(errors.Is(err, os.ErrDeadlineExceeded))
			f.SetReadDeadline(time.Time{})
			n, err := f.Read(buf)
			fmt.Print(string(buf[:n]), err, "\n")
		}
	G
	: >"$M/mq/deadline"
	(cd "$dir/deadline" && HOME=$dir GOCACHE=$dir/go go build -o deadline main.go)
	(sleep 1; echo job >"$M/mq/deadline@lines") &
	[ "$(timeout 20 "$dir/deadline/deadline" "$M/mq/deadline@fifo")" = $'true\njob\n<nil>' ]
	wait
	rm "$M/mq/deadline"
}

ssh_shares_a_connection() {
	mkdir -p "$dir/ssh" /run/sshd
	ssh-keygen -q -t ed25519 -N '' -f "$dir/ssh/host"
	ssh-keygen -q -t ed25519 -N '' -f "$dir/ssh/user"
	cp "$dir/ssh/user.pub" "$dir/ssh/keys"
	local port=$((20000 + RANDOM % 9000))
	"$(PATH=$PATH:/usr/sbin command -v sshd)" -D -e -p $port -h "$dir/ssh/host" -f /dev/null -o ListenAddress=127.0.0.1 -o PidFile=none \
		-o StrictModes=no -o AuthorizedKeysFile="$dir/ssh/keys" -o PermitRootLogin=yes >"$dir/ssh/log" 2>&1 &
	server=$! # not local: the trap runs behind the function
	trap 'kill $server ${master-} 2>/dev/null || true' EXIT
	local options=(-F /dev/null -p "$port" -i "$dir/ssh/user" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes
		-o ControlPath="$M/sock/%r@%h")
	await ssh "${options[@]}" -o ControlPath=none 127.0.0.1 true || { cat "$dir/ssh/log"; return 1; }
	ssh "${options[@]}" -o ControlMaster=yes -N 127.0.0.1 &
	master=$!
	await ssh "${options[@]}" -O check 127.0.0.1
	[ "$(timeout 10 ssh "${options[@]}" 127.0.0.1 echo shared)" = shared ]
	[ "$(ls "$M/sock")" = "$(id -un)@127.0.0.1" ]
	ssh "${options[@]}" -O exit 127.0.0.1
	await test ! -e "$M/sock/$(id -un)@127.0.0.1"
}

supervisor_is_controlled() {
	cat >"$dir/supervisor.conf" <<-C
		[unix_http_server]
		file=$M/sock/supervisor
		[supervisord]
		nodaemon=true
		logfile=$dir/supervisor.log
		pidfile=$dir/supervisor.pid
		[rpcinterface:supervisor]
		supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
		[supervisorctl]
		serverurl=unix://$M/sock/supervisor
		[program:sleeper]
		command=sleep 60
		startsecs=0
	C
	supervisord -c "$dir/supervisor.conf" &
	server=$! # not local: the trap runs behind the function
	trap 'kill $server 2>/dev/null && wait $server || true' EXIT
	await supervisorctl -c "$dir/supervisor.conf" pid
	supervisorctl -c "$dir/supervisor.conf" status sleeper | grep -q RUNNING
	supervisorctl -c "$dir/supervisor.conf" shutdown
	await test ! -e "$M/sock/supervisor"
}

haproxy_listens_on_a_socket() {
	cat >"$dir/haproxy.cfg" <<-C
		global
		  stats socket $M/sock/haproxy-stats mode 600 level admin
		defaults
		  mode http
		  timeout connect 2s
		  timeout client 2s
		  timeout server 2s
		frontend f
		  bind unix@$M/sock/haproxy
		  http-request return status 200 content-type text/plain string hello
	C
	"$(PATH=$PATH:/usr/sbin command -v haproxy)" -db -f "$dir/haproxy.cfg" &
	server=$! # not local: the trap runs behind the function
	trap 'kill $server 2>/dev/null || true' EXIT
	await test -S "$M/sock/haproxy"
	printf 'GET / HTTP/1.0\r\n\r\n' | timeout 5 socat -t2 - "UNIX-CONNECT:$M/sock/haproxy" | grep -q '^hello'
	echo 'show info' | timeout 5 socat -t2 - "UNIX-CONNECT:$M/sock/haproxy-stats" | grep -q ^Uptime
}

socat_serves_and_connects() {
	socat "UNIX-LISTEN:$M/sock/socat" SYSTEM:'echo hi' &
	await test -S "$M/sock/socat"
	[ "$(timeout 5 socat -u "UNIX-CONNECT:$M/sock/socat" -)" = hi ]
	wait
}

sqlite_keeps_a_database_in_shared_memory() {
	sqlite3 "$M/shm/ipcfs-programs-db" 'create table t(a); insert into t values(42);'
	[ "$(sqlite3 "$M/shm/ipcfs-programs-db" 'select a from t')" = 42 ]
	rm "$M/shm/ipcfs-programs-db"
}

screen_keeps_its_session() {
	export SCREENDIR=$M/sock
	screen -dmS ipcfs sleep 60
	await eval 'screen -ls | grep -q "\.ipcfs"'
	screen -S ipcfs -X quit
	await eval '! screen -ls | grep -q "\.ipcfs"'
}

# A server that refuses to be root: as nobody, on a mount of its own which he may use.
postgresql_locks_and_listens() {
	# Not local, as the trap runs behind the function.
	user=() bins=(/usr/lib/postgresql/*/bin) M=$dir/shared
	bin=${bins[-1]}
	mkdir "$M" "$dir/pg"
	if [ "$(id -u)" = 0 ]; then
		user=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
		chown nobody "$dir/pg"
		chmod 755 "$dir"
		"$ipcfs" -f -o allow_other "$M" &
	else
		"$ipcfs" -f "$M" &
	fi
	server=$!
	trap '"${user[@]}" "$bin/pg_ctl" -D "$dir/pg/data" -m immediate stop >/dev/null 2>&1 || true; kill $server; wait $server || true' EXIT
	await test -e "$M/README"
	"${user[@]}" "$bin/initdb" -D "$dir/pg/data" -A trust >"$dir/pg.log"
	"${user[@]}" "$bin/pg_ctl" -D "$dir/pg/data" -w -l "$dir/pg/log" -o "-k $M/sock -c listen_addresses=''" start >"$dir/pg.log"
	[ "$("${user[@]}" "$bin/psql" -h "$M/sock" -d postgres -Atc 'select 41+1')" = 42 ]
	grep -q "$dir/pg/data" "$M/sock/.s.PGSQL.5432.lock"
	"${user[@]}" "$bin/pg_ctl" -D "$dir/pg/data" -w -m fast stop >"$dir/pg.log"
	[ ! -e "$M/sock/.s.PGSQL.5432.lock" ]
}

# Two containers with BusyBox inside, and one that has an ipcfs of its own.
podman_shares_the_mount_with_containers() {
	local root=$dir/root file name=ipcfs-programs-box M=$dir/boxed
	mkdir -p "$root"/{bin,tmp,m} "$M"
	cp "$(command -v busybox)" "$ipcfs" "$root/bin"
	ldd "$root/bin/busybox" "$root/bin/ipcfs" | grep -o '/[^ :]*\.so[^ :]*' | sort -u | while read -r file; do
		mkdir -p "$root$(dirname "$file")"
		cp -L "$file" "$root$file"
	done
	for file in sh cat ls mount; do
		ln -s busybox "$root/bin/$file"
	done
	runc=$(PATH=$PATH:/usr/sbin command -v runc)
	pod() {
		timeout 60 podman --runtime "$runc" --root "$dir/store" --runroot "$dir/run" --storage-driver vfs --cgroup-manager cgroupfs \
			--events-backend none --tmpdir "$dir/tmp" "$@"
	}
	"$ipcfs" -f -o allow_other "$M" &
	server=$! # not local: the trap runs behind the function
	trap 'pod rm -af -t 0 >/dev/null; kill $server; wait $server || true; rm -f "/dev/shm/ipcfs-programs-box"' EXIT
	await test -e "$M/README"
	tar -C "$root" -c . | pod import - box
	# What this machine forbids to every container says nothing about ours.
	pod run --rm --network none box sh -c : || exit 77
	echo state >"/dev/shm/$name"
	touch "$M/mq/box"
	mkfifo "$M/pipe/box"
	# shellcheck disable=SC2016 # the container's shell expands it
	pod run --rm --network none -v "$M:/ipc" box sh -c 'read -r job < /ipc/mq/box@lines; echo "$job done" > /ipc/pipe/box' &
	worker=$!
	[ "$(pod run --rm --network none -v "$M:/ipc" box sh -c "echo job > /ipc/mq/box@lines
		cat /ipc/pipe/box /ipc/shm/$name; echo more >> /ipc/shm/$name; ls -A /dev/shm")" = $'job done\nstate' ]
	wait $worker
	[ "$(cat "/dev/shm/$name")" = $'state\nmore' ]
	rm "/dev/shm/$name" "$M/mq/box"
	# shellcheck disable=SC2016
	[ "$(pod run --rm --network none --device /dev/fuse --cap-add SYS_ADMIN --security-opt apparmor=unconfined box sh -c '
		ipcfs -f /m & until [ -e /m/README ]; do busybox sleep .1; done
		echo within > /m/mq/q; cat /m/mq/q@one; kill $!; wait $!')" = within ]
}

install_packages
start "$ipcfs" -f "$M"
await test -e "$M/README" || { cat "$dir/log"; exit 1; }
try busybox_reads_and_writes busybox
try mawk_reads_lines mawk
try uutils_reads_a_queue /usr/lib/cargo/bin/coreutils/cat
try node_reads_a_stream node
try go_serves_on_a_name_with_an_at go
try java_asks_what_is_available java javac
try java_reads_lines java javac
try go_reads_with_a_deadline go
try workers_in_bash bash
try workers_in_dash dash
try workers_in_zsh zsh
try workers_in_busybox busybox
try workers_in_busybox_awk busybox
try workers_in_mawk mawk
try workers_in_gawk gawk
try workers_in_xargs xargs
try workers_in_perl perl
try workers_in_python3 python3
try workers_in_node node
try workers_in_tclsh tclsh
try workers_in_ruby ruby
try workers_in_lua lua
try workers_in_php php
try workers_in_java java javac
try workers_in_go go
try ssh_shares_a_connection ssh sshd ssh-keygen
try supervisor_is_controlled supervisord supervisorctl
try haproxy_listens_on_a_socket haproxy socat
try socat_serves_and_connects socat
try sqlite_keeps_a_database_in_shared_memory sqlite3
try screen_keeps_its_session screen
try postgresql_locks_and_listens psql setpriv
try podman_shares_the_mount_with_containers podman runc busybox tar
echo "programs: $passed passed, ${#failed[@]} failed, ${#skipped[@]} skipped"
[ ${#skipped[@]} = 0 ] || printf 'skipped: %s\n' "${skipped[@]}"
[ ${#failed[@]} = 0 ] || { printf 'failed: %s\n' "${failed[@]}"; exit 1; }

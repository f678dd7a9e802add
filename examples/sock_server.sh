#!/bin/sh
# Unix sockets, a server that is a script: each open of NAME@listen accepts one client; the line "quit" ends it.
# Run: examples/sock_server.sh M [NAME], with sock_client.sh, or any program that connects to M/sock/NAME@addr.
# Both directions of a connection are one descriptor, here 3.
set -eu
M=${1:-${M:?usage: sock_server.sh MOUNT [NAME]}}
name=${2:-demo-script}

touch "$M/sock/$name@listen"
cleanup() {
	rm -f "$M/sock/$name"
}
trap cleanup EXIT
trap 'cleanup; exit 1' HUP INT TERM
echo ready
while exec 3<>"$M/sock/$name@listen"; do
	IFS= read -r line <&3 || continue
	echo "request: $line"
	# A client may be gone already; that ends its connection, not the server.
	(trap '' PIPE; echo "you said: $line" >&3) 2>/dev/null || echo "client gone"
	exec 3>&-
	if [ "$line" = quit ]; then
		break
	fi
done

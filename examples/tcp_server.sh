#!/bin/sh
# TCP, a server that is a script: prints the line that each client of PORT sends, and says what it got; "quit" ends it.
# Run: examples/tcp_server.sh M [PORT], with tcp_client.sh, or any program that connects.
# '*' is every address of this machine. It stands in quotes, or the shell would look for files.
set -eu
M=${1:-${M:?usage: tcp_server.sh MOUNT [PORT]}}
here="$M/net/tcp/*/${2:-8888}@listen"

# An open that does not wait binds the port, and nobody is refused from here on.
touch "$here"
echo ready
while exec 3<>"$here"; do
	IFS= read -r line <&3 || continue
	echo "$line"
	# A client may be gone already; that ends its connection, not the server.
	(trap '' PIPE; echo "got: $line" >&3) 2>/dev/null || echo "client gone"
	exec 3>&-
	if [ "$line" = quit ]; then
		break
	fi
done

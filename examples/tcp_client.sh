#!/bin/sh
# TCP, a client that is a script: sends TEXT as a line to HOST and PORT, and prints the answer; gives up after five seconds.
# Run: examples/tcp_client.sh M TEXT [HOST [PORT]], while tcp_server.sh or tcp_server runs.
set -eu
M=${1:-${M:?usage: tcp_client.sh MOUNT TEXT [HOST [PORT]]}}
text=${2:?usage: tcp_client.sh MOUNT TEXT [HOST [PORT]]}

exec 3<>"$M/net/tcp/${3:-localhost}/${4:-8888}@timeout=5s"
printf '%s\n' "$text" >&3
IFS= read -r answer <&3
printf '%s\n' "$answer"

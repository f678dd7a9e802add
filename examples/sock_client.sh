#!/bin/sh
# Unix sockets, a client that is a script: sends TEXT as a line, prints the answer; gives up after five seconds.
# Run: examples/sock_client.sh M TEXT [NAME]; NAME@io reaches a native server such as sock_server.
# With several lines to send, leave the descriptor open.
set -eu
M=${1:-${M:?usage: sock_client.sh MOUNT TEXT [NAME]}}
text=${2:?usage: sock_client.sh MOUNT TEXT [NAME]}
name=${3:-demo-script}

case $name in
*@*) name=$name,timeout=5s ;;
*) name=$name@timeout=5s ;;
esac
exec 3<>"$M/sock/$name"
printf '%s\n' "$text" >&3
IFS= read -r answer <&3
printf '%s\n' "$answer"

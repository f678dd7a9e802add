#!/bin/sh
# What bash, zsh and fish offer behind a command line; those that are missing are skipped. IPCFS is the program (build/ipcfs).
set -u
cd "$(dirname "$0")/.." || exit 1
IPCFS=${IPCFS:-$PWD/build/ipcfs}
files=$PWD/fs/completion
failed=0
passed=0
dir=$(mktemp -d) || exit 1
M=$dir/mnt
# Completion asks the program that is called.
PATH=${IPCFS%/*}:$PATH
export M files PATH

cleanup() {
	trap - EXIT HUP INT TERM
	fusermount3 -u "$M" || fusermount3 -u -z "$M"
	rmdir "$dir"/* "$dir"
}
trap cleanup EXIT
trap 'cleanup; exit 1' HUP INT TERM
mkdir "$M" "$dir/some" "$dir/other" && "$IPCFS" "$M" || exit 1

# As readline calls it: words are broken at = @ and : too.
in_bash() {
	# shellcheck disable=SC2016
	bash -c '. "$files/ipcfs.bash"
		compopt() { :; }
		COMP_LINE=$1 COMP_POINT=${#1} COMP_WORDS=() COMP_CWORD=0 COMPREPLY=()
		case $1 in ipcfs-top*) _ipcfs_top ;; ipcfs*) _ipcfs ;; *) _ipcfs_channel ;; esac
		before=${1%"${1##*[ =@:]}"}
		before=${before##* }
		printf "%s\n" "${COMPREPLY[@]/#/$before}"' bash "$1"
}

in_fish() {
	# shellcheck disable=SC2016
	fish --no-config -c 'source $files/ipcfs.fish; source $files/ipcfs-top.fish; source $files/ipcfs_facets.fish
		complete -c cat -a "(ipcfs_facets)"; complete -C $argv[1]' "$1" | cut -f1
}

in_zsh() {
	timeout 20 zsh -f tests/completion.zsh "$1"
}

# offers LINE WORD...: each shell offers each WORD behind LINE. Some offer only the word, others all from the blank on.
offers() {
	line=$1
	shift
	for shell in bash zsh fish; do
		command -v $shell >/dev/null || continue
		offered=$("in_$shell" "$line" 2>&1)
		for word; do
			if printf '%s\n' "$offered" | grep -q -e "^\\(.*[@,=/]\\)\\{0,1\\}${word}\\([=/].*\\)\\{0,1\\}\$"; then
				passed=$((passed + 1))
			else
				failed=$((failed + 1))
				printf 'completion: %s: no "%s" behind "%s", but:\n%s\n' "$shell" "$word" "$line" "$offered" >&2
			fi
		done
	done
}

options=$("$IPCFS" --help | sed -n 's/^     \([a-z_]\{1,\}\).*/\1/p')
for option in $options; do
	grep -q "^.*Cm $option" "${IPCFS%/*}/ipcfs.1" && continue
	failed=$((failed + 1))
	echo "completion: ipcfs(1) does not have -o $option" >&2
done
kinds=$(sed -n 's/^KIND(\(.*\))$/\1/p' lib/kinds/kinds.list)
for kind in $kinds; do
	grep -q "^.Ss $kind\$" "${IPCFS%/*}/ipcfs.7" && continue
	failed=$((failed + 1))
	echo "completion: ipcfs(7) has no part for $kind: lib/kinds/$kind.7, or $kind.7 in its folder" >&2
done
# shellcheck disable=SC2086
offers 'ipcfs -o ' $options
offers 'ipcfs -' -f -d --help --version -o
offers 'ipcfs -o net,wal' walkers
offers 'ipcfs -o net,walkers=' refuse strict allow
offers 'ipcfs -o kinds=' mq bcast
offers 'ipcfs -o mq_framing=' message lines
offers 'ipcfs -o redis_prefix=' ipcfs:
offers 'ipcfs -o redis' redis redis_prefix redis_user redis_password_file redis_replicas redis_lease redis_sentinel
offers "ipcfs $dir/so" some
offers 'ipcfs-top -' -b -d -n --help --version
offers "ipcfs-top $dir/so" some
offers "cat $M/mq/jobs@" lines prio help
offers "cat $M/mq/jobs@lines,i" idle
# shellcheck disable=SC2016
offers 'cat $M/sem/lock@' hold value

echo "completion: $passed passed, $failed failed"
[ "$failed" = 0 ]

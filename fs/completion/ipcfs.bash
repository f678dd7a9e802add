# bash completion for ipcfs(1) and ipcfs-top(1)                                         -*- shell-script -*-
#
# Facets behind a channel's name are completed for the commands that you name in ~/.bashrc:
#     . /usr/share/bash-completion/completions/ipcfs; complete -o default -F _ipcfs_channel cat head tail touch grep

# _ipcfs_reply WORD...: those that go on from $cur. readline breaks words at = @ and :, and replaces what follows the last one.
_ipcfs_reply()
{
	local word done=${cur%"${cur##*[=@:]}"}

	for word; do
		[[ $word == "$cur"* ]] && COMPREPLY+=("${word#"$done"}")
	done
	# What ends so goes on.
	if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]]; then compopt -o nospace; fi
}

# The rows of ipcfs --options: NAME= TAB WORD WORD... TAB what it does.
_ipcfs_options()
{
	local last=${cur##*,} before='' list=(ro nosuid nodev noexec noatime allow_root auto_unmount) name words word
	[[ $cur == *,* ]] && before=${cur%,*},
	[[ $last == *=* ]] && list=()

	while IFS=$'\x1f' read -r name words _; do
		if [[ $last != *=* ]]; then
			list+=("$name")
			# kinds=mq,bcast: the list goes on behind a comma.
			[[ $name == kinds= && $before =~ (^|,)kinds=[a-z,]*$ ]] && for word in $words; do list+=("$word"); done
		elif [[ $last == "$name"* && $words == / ]]; then
			mapfile -t list < <(compgen -f -P "$name" -- "${last#*=}")
		elif [[ $last == "$name"* ]]; then
			for word in $words; do list+=("$name$word"); done
		fi
	done < <("$program" --options 2>/dev/null | tr '\t' '\37')
	_ipcfs_reply "${list[@]/#/$before}"
}

# The directories where an ipcfs is mounted.
_ipcfs_mounts()
{
	local line
	while read -r _ line type _; do
		[[ $type == fuse.ipcfs ]] && printf '%b\n' "$line"
	done < /proc/self/mounts
}

_ipcfs_words()
{
	local line=${COMP_LINE:0:COMP_POINT}
	COMPREPLY=()
	cur=${line##*[[:space:]]}
	line=${line%"$cur"}
	line=${line%"${line##*[![:space:]]}"}
	prev=${line##*[[:space:]]}
}

_ipcfs()
{
	local cur prev program
	_ipcfs_words
	# As in the command line: ipcfs, build/ipcfs.
	program=${COMP_LINE%%[[:space:]]*}
	case $prev:$cur in
	-o:*) _ipcfs_options ;;
	*:-*) _ipcfs_reply -f -d -o -h --help -V --version ;;
	*)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		;;
	esac
}
complete -F _ipcfs ipcfs

_ipcfs_top()
{
	local cur prev list
	_ipcfs_words
	case $prev:$cur in
	-[dn]:*) _ipcfs_reply 1 2 5 10 ;;
	*:-*) _ipcfs_reply -b -d -n -h --help -V --version ;;
	*)
		compopt -o filenames
		mapfile -t list < <(_ipcfs_mounts; compgen -d -- "$cur")
		_ipcfs_reply "${list[@]}"
		;;
	esac
}
complete -F _ipcfs_top ipcfs-top

# M/KIND/NAME@FACET,FACET: what the channel itself says that it takes.
_ipcfs_channel()
{
	local cur prev name before facets
	_ipcfs_words
	[[ $cur =~ ^(.*/[^/]+)@([^/@]*)$ ]] || return
	name=${BASH_REMATCH[1]}
	before=$name@
	[[ ${BASH_REMATCH[2]} == *,* ]] && before+=${BASH_REMATCH[2]%,*},
	# As in the command line: $M/mq/jobs, ~/ipcfs/mq/jobs.
	if [[ $name =~ ^\$\{?([A-Za-z_][A-Za-z_0-9]*)\}?(/.*)$ ]]; then
		name=${!BASH_REMATCH[1]}${BASH_REMATCH[2]}
	fi
	name=${name/#\~\//$HOME/}
	facets=$(sed -n -e '1{/takes these facets/!q;}' -e 's/^\([a-z]*=\?\).*/\1/p' "$name@help" 2>/dev/null) || return
	compopt -o nospace
	# shellcheck disable=SC2046,SC2086
	_ipcfs_reply $(printf "$before%s\n" $facets)
}

# bash completion for ipcfs(1)                                                          -*- shell-script -*-

_ipcfs()
{
	local cur prev
	local options='allow_other net prefix= mq_maxmsg= mq_msgsize= mq_framing= max_handles= max_parked=
		max_channels= max_bytes= spin= walkers= cpu_latency= ro nosuid nodev noexec noatime auto_unmount allow_root'

	COMPREPLY=()
	cur=${COMP_WORDS[COMP_CWORD]}
	prev=${COMP_WORDS[COMP_CWORD - 1]}
	# bash splits words at '=': mq_framing=l is three of them.
	case "$prev:$cur" in
	mq_framing:= | cpu_latency:=) prev=$prev= cur= ;;
	=:*) prev=${COMP_WORDS[COMP_CWORD - 2]}= ;;
	esac
	case $prev in
	*mq_framing=)
		mapfile -t COMPREPLY < <(compgen -W 'message lines' -- "$cur")
		return
		;;
	*cpu_latency=)
		mapfile -t COMPREPLY < <(compgen -W '0 10us any' -- "$cur")
		return
		;;
	-o)
		local before=
		[[ $cur == *,* ]] && before=${cur%,*},
		mapfile -t COMPREPLY < <(compgen -P "$before" -W "$options" -- "${cur##*,}")
		[[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace
		return
		;;
	esac
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W '-f -d -o -h --help -V --version' -- "$cur")
	else
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
	fi
}
complete -F _ipcfs ipcfs

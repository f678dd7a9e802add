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

_ipcfs_options()
{
	local kinds=(pipe shm mq sock net sem bcast sig) last=${cur##*,} before='' list=()
	[[ $cur == *,* ]] && before=${cur%,*},

	case $last in
	kinds=*) list=("${kinds[@]/#/kinds=}") ;;
	mq_framing=*) list=(mq_framing=message mq_framing=lines) ;;
	walkers=*) list=(walkers=refuse walkers=strict walkers=allow) ;;
	cpu_latency=*) list=(cpu_latency=0 cpu_latency=10us cpu_latency=any) ;;
	spin=*) list=(spin=0 spin=50us spin=1ms) ;;
	max_handles=* | max_parked=* | max_channels=*) list=("${last%%=*}=65536" "${last%%=*}=0") ;;
	max_bytes=*) list=(max_bytes=1G max_bytes=0) ;;
	mq_maxmsg=*) list=(mq_maxmsg=10) ;;
	mq_msgsize=*) list=(mq_msgsize=8K) ;;
	redis=*) list=(redis=127.0.0.1 redis=/run/redis/redis.sock) ;;
	redis_prefix=*) list=(redis_prefix=ipcfs:) ;;
	redis_replicas=*) list=(redis_replicas=0 redis_replicas=1) ;;
	redis_password_file=*) mapfile -t list < <(compgen -f -P redis_password_file= -- "${last#*=}") ;;
	*)
		list=(allow_other net prefix= kinds= mq_maxmsg= mq_msgsize= mq_framing= max_handles= max_parked=
			max_channels= max_bytes= walkers= spin= cpu_latency= redis= redis_prefix= redis_user=
			redis_password_file= redis_replicas= redis_sentinel= ro nosuid nodev noexec noatime allow_root
			auto_unmount)
		# kinds=mq,bcast: the list goes on behind a comma.
		[[ $before =~ (^|,)kinds=[a-z,]*$ ]] && list+=("${kinds[@]}")
		;;
	esac
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
	local cur prev
	_ipcfs_words
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

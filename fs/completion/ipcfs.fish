# fish completion for ipcfs(1)
complete -c ipcfs -f -a '(__fish_complete_directories)' -d 'mount point'
complete -c ipcfs -s f -d 'stay in the foreground'
complete -c ipcfs -s d -d 'the same, and print every request'
complete -c ipcfs -s h -l help -d 'print the options'
complete -c ipcfs -s V -l version -d 'print the versions'
complete -c ipcfs -s o -x -d 'mount option' -a '(__fish_append , \
	allow_other\t"let other users in" \
	net\t"with allow_other: lend them our network" \
	prefix=\t"only kernel objects whose names begin so" \
	mq_maxmsg=\t"messages that a new queue holds" \
	mq_msgsize=\t"longest message of a new queue" \
	mq_framing=message\t"a write to a queue is a message" \
	mq_framing=lines\t"a line is one" \
	max_handles=\t"open channels of one user" \
	max_parked=\t"waiting operations of one user" \
	max_channels=\t"channels of one user" \
	max_bytes=\t"memory held for one user" \
	spin=\t"how long to poll after a request" \
	walkers=strict\t"refuse also who has listed a minute ago" \
	walkers=allow\t"let grep -r and rm -r in" \
	cpu_latency=0\t"no processor sleeps while requests come" \
	cpu_latency=any\t"processors may sleep")'

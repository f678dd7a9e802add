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
	kinds={pipe,shm,mq,sock,net,sem,bcast,sig}\t"only these kinds of channels" \
	mq_maxmsg=10\t"messages that a new queue holds" \
	mq_msgsize=8K\t"longest message of a new queue" \
	mq_framing=message\t"a write to a queue is a message" \
	mq_framing=lines\t"a line is one" \
	max_handles={65536,0}\t"open channels of one user" \
	max_parked={65536,0}\t"waiting operations of one user" \
	max_channels={65536,0}\t"channels of one user" \
	max_bytes={1G,0}\t"memory held for one user" \
	walkers=refuse\t"who lists channels neither takes nor removes them" \
	walkers=strict\t"nor for a minute after" \
	walkers=allow\t"let grep -r and rm -r in" \
	spin={0,50us,1ms}\t"how long to poll after a request" \
	cpu_latency=0\t"no processor sleeps while requests come" \
	cpu_latency=10us\t"none sleeps more deeply than that" \
	cpu_latency=any\t"processors may sleep" \
	redis={127.0.0.1,/run/redis/redis.sock}\t"channels that many machines share" \
	redis_prefix=ipcfs:\t"what its keys begin with" \
	redis_user=\t"who we are there" \
	redis_password_file=\t"whose first line is the password" \
	redis_replicas={0,1}\t"so many have a message before its writer goes on" \
	redis_sentinel=\t"the primary that the sentinels at redis= watch" \
	ro\t"nothing can be written" nosuid\t"no set-user-ID programs" nodev\t"no devices" noexec\t"no programs" \
	noatime\t"no times of access" allow_root\t"let root in" auto_unmount\t"unmount when the daemon dies")'

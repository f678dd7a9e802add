# fish completion for ipcfs(1)
complete -c ipcfs -f -a '(__fish_complete_directories)' -d 'mount point'
complete -c ipcfs -s f -d 'stay in the foreground'
complete -c ipcfs -s d -d 'the same, and print every request'
complete -c ipcfs -s h -l help -d 'print the options'
complete -c ipcfs -s V -l version -d 'print the versions'
# The rows of ipcfs --options, NAME= TAB WORD WORD... TAB what it does, as NAME=WORD TAB what it does.
function __ipcfs_options
	set -l program (commandline -opc)[1]
	for row in ($program --options 2>/dev/null)
		set -l column (string split \t -- $row)
		set -l words (string split --no-empty ' ' -- $column[2])
		test "$words" = / -o -z "$words"; and set words ''
		printf '%s\n' $column[1]$words\t$column[3]
	end
	printf '%s\t%s\n' ro 'nothing can be written' nosuid 'no set-user-ID programs' nodev 'no devices' noexec 'no programs' \
		noatime 'no times of access' allow_root 'let root in' auto_unmount 'unmount when the daemon dies'
end
complete -c ipcfs -s o -x -d 'mount option' -a '(__fish_append , (__ipcfs_options))'

# fish completion for ipcfs-top(1)
complete -c ipcfs-top -f -a '(__fish_complete_directories)' -d 'mount point'
complete -c ipcfs-top -s b -d 'print the table once'
complete -c ipcfs-top -s d -x -d 'seconds between two looks' -a '1 2 5 10'
complete -c ipcfs-top -s n -x -d 'end after so many looks' -a '1 2 5 10'
complete -c ipcfs-top -s h -l help -d 'print the options'
complete -c ipcfs-top -s V -l version -d 'print the version'

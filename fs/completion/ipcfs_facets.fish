# fish completion of facets behind a channel's name, M/KIND/NAME@FACET,FACET: what the channel itself says that it takes.
# In ~/.config/fish/config.fish:  for c in cat head tail touch grep; complete -c $c -a '(ipcfs_facets)'; end
function ipcfs_facets --description 'facets of the channel that is being completed'
	set -l token (commandline -ct)
	set -l parts (string match -r '^(.*/[^/@]+)@([^/@]*)$' -- $token)
	or return
	set -l name $parts[2]
	set -l before (string match -r '^.*,' -- $parts[3])
	# As in the command line: $M/mq/jobs, ~/ipcfs/mq/jobs.
	set -l variable (string match -r '^\$(\w+)(/.*)$' -- $name)
	and set name $$variable[2]$variable[3]
	set name (string replace -r '^~/' "$HOME/" -- $name)
	string match -q '*takes these facets*' (head -n1 $name@help 2>/dev/null)
	or return
	for line in (string match -r '^[a-z].*' < $name@help)
		set -l facet (string match -r '^([a-z]+=?)\S* +(.*)$' -- $line)
		printf '%s@%s%s\t%s\n' $parts[2] "$before" $facet[2] $facet[3]
	end
end

-- args: the suffixes of the kind's own keys. {1}, or GONE.
run = function()
	if call('HGET', key 'm', 'id') ~= expected then return GONE end
	call('DEL', key 'm', key 'l', key 'r')
	for suffix in args[1]:gmatch('.') do call('DEL', key(suffix)) end
	changed()
	return {1}
end

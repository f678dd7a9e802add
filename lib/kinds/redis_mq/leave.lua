-- args: the ticket of a writer who waits no more.
run = function()
	if call('HGET', key 'm', 'id') ~= expected then return GONE end
	if call('ZREM', key 'f', args[1]) == 1 then make_room() end
	return {1}
end

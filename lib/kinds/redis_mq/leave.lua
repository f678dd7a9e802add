-- args: the ticket of a writer who waits no more.
run = function()
	if call('HGET', key 'm', 'id') ~= expected then return GONE end
	call('ZREM', key 'x', args[1])
	if call('ZREM', key 'f', args[1]) == 1 then make_room() end
	return {1}
end

-- args: field, value, ... The attributes as they are then, or GONE.
run = function()
	if call('HGET', key 'm', 'id') ~= expected then return GONE end
	call('HSET', key 'm', unpack(args))
	changed()
	return call('HGETALL', key 'm')
end

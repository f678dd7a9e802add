-- args: the new object's id, field, value, ... {'1', field, value...}: it is there now; {'0', field, value...}: it was
-- there before.
run = function()
	local id = call('HGET', key 'm', 'id')
	local made = '1'
	if not id then
		call('HSET', key 'm', 'id', unpack(args))
		changed()
	elseif id ~= args[1] then
		made = '0'
	end
	local answer = call('HGETALL', key 'm')
	table.insert(answer, 1, made)
	return answer
end

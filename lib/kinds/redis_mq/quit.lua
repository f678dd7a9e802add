-- A reader waits no more. args: his holder's number, and that of the call by which he waited. What he was sent goes
-- back: he does not take it.
run = function()
	if call('HGET', key 'm', 'id') ~= expected then return GONE end
	local reader, number = me .. ':' .. args[1], args[2]
	call('LREM', key 't', 0, reader .. ':' .. number)
	local sent = call('HGET', key 'p', reader)
	if not sent or sent:sub(11) ~= number then return {0} end
	local tag = sent:sub(1, 10)
	local owed = call('HGET', key 'o', tag)
	call('HDEL', key 'p', reader)
	if owed and owed:sub(1, #me + #args[1]) == me .. args[1] then
		call('HDEL', key 'o', tag)
		call('ZADD', key 'q', '0', tag .. owed:sub(29))
		deal()
	end
	return {1}
end

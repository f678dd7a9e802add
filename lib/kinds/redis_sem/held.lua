-- args: a handle. {its fencing number}, or {0}: it does not hold a permit any more.
run = function()
	if call('HGET', key 'm', 'id') ~= expected then return GONE end
	recover()
	return {tonumber(call('HGET', key 'h', me .. ':' .. args[1]) or 0)}
end

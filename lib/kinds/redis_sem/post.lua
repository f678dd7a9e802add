-- args: how many permits, the most that there may be. {1}, or {0}: they would be too many, and none was posted.
run = function()
	local m = call('HMGET', key 'm', 'id', 'value')
	if m[1] ~= expected then return GONE end
	needs_no_memory()
	recover()
	if m[2] + args[1] > tonumber(args[2]) then return {0}, true end
	post(args[1])
	return {1}
end

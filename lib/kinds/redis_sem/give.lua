-- A permit goes back. args: the handle that held it, or '': one that nobody holds. {1}, or {0}: it was lost before.
run = function()
	if call('HGET', key 'm', 'id') ~= expected then return GONE end
	needs_no_memory()
	if args[1] ~= '' and call('HDEL', key 'h', me .. ':' .. args[1]) == 0 then return {0}, true end
	post(1)
	return {1}
end

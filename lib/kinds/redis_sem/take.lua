-- args: the handle that will hold the permit, or ''; 1 where somebody waits if there is none. {1, what is left, the
-- fencing number, 1 where this daemon had no lease: whatever it held before is lost}; {0}: there is none.
run = function()
	local id = call('HGET', key 'm', 'id')
	if id ~= expected then return GONE end
	needs_no_memory()
	recover()
	if tonumber(call('HGET', key 'm', 'value')) < 1 then
		if args[2] == '1' then call('SADD', key 'w', me) end
		return {0}, true
	end
	local left = call('HINCRBY', key 'm', 'value', -1)
	if args[1] == '' then return {1, left, 0, 0} end
	local token = call('HINCRBY', key 'm', 'token', 1)
	local fresh = call('ZSCORE', key 'l', me) and 0 or 1
	call('HSET', key 'h', me .. ':' .. args[1], token)
	lease()
	return {1, left, token, fresh}
end

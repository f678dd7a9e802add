-- For who opens, polls or looks. args: the number of the message that is waited for, if there is none yet; or ''.
-- {number of the oldest that is kept, of the next to come, buffer, bytes that are kept}
run = function()
	local m = call('HMGET', key 'm', 'id', 'buffer', 'bytes')
	if m[1] ~= expected then return GONE end
	local first, nxt = bounds()
	if args[1] ~= '' and tonumber(args[1]) >= nxt then
		needs_no_memory()
		call('SADD', key 'w', me)
	end
	return {first, nxt, tonumber(m[2]), tonumber(m[3] or 0)}
end

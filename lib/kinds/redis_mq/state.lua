-- For who polls or looks. args: 1 to be woken by the next message, 1 where there is no room.
-- {messages, owed, given back, maxmsg, msgsize, writers in line}
run = function()
	local m = call('HMGET', key 'm', 'id', 'maxmsg', 'msgsize')
	if m[1] ~= expected then return GONE end
	recover()
	local count, owed, line = call('ZCARD', key 'q'), call('HLEN', key 'o'), call('ZCARD', key 'f')
	if args[1] == '1' then
		needs_no_memory()
		call('SADD', key 'w', me)
	end
	if args[2] == '1' and count + owed + line >= tonumber(m[2]) then call('SADD', key 'g', me) end
	return {count, owed, call('HLEN', key 'd'), tonumber(m[2]), tonumber(m[3]), line}
end

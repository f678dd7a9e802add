-- args: messages. {the number behind the last}. The oldest make room.
run = function()
	local m = call('HMGET', key 'm', 'id', 'buffer', 'bytes', 'next')
	if m[1] ~= expected then return GONE end
	local buffer, bytes, nxt = tonumber(m[2]), tonumber(m[3] or 0), tonumber(m[4] or 1)
	for i = 6, #ARGV do
		call('XADD', key 's', nxt .. '-1', 'm', ARGV[i])
		nxt, bytes = nxt + 1, bytes + #ARGV[i]
	end
	local excess = call('XLEN', key 's') - math.floor(buffer / 16)
	while excess > 0 or bytes > buffer do
		local oldest = call('XRANGE', key 's', '-', '+', 'COUNT', 100)
		local n = 0
		for _, entry in ipairs(oldest) do
			if excess <= 0 and bytes <= buffer then break end
			n, excess, bytes = n + 1, excess - 1, bytes - #entry[2][2]
		end
		if n == 0 then break end
		call('XTRIM', key 's', 'MAXLEN', '=', call('XLEN', key 's') - n)
	end
	call('HSET', key 'm', 'bytes', bytes, 'next', nxt)
	wake('w', 'm')
	return {nxt}
end

-- One message, and nobody is in line before it. Who waits for one has it handed over; whom else it wakes is for deal(),
-- behind the prelude.
local added = false

if flag == '0' and #ARGV == 9 then
	local room, waiting
	if call('EXISTS', key 'q', key 'o', key 'f', key 'x') == 0 then
		room, waiting = call('HGET', key 'm', 'id') == expected, 0
	elseif call('EXISTS', key 'f', key 'x') == 0 then
		local m = call('HMGET', key 'm', 'id', 'maxmsg')
		waiting = call('ZCARD', key 'q')
		room = m[1] == expected and waiting + call('HLEN', key 'o') < tonumber(m[2])
	end
	if room then
		local tag = ARGV[8] .. struct.pack('>I8', FIRST + call('HINCRBY', key 'm', 'seq', '1'))
		if waiting == 0 and hand_over(tag, ONCE, ARGV[9]) then return keep({1}) end
		call('ZADD', key 'q', '0', tag .. ARGV[9])
		if call('EXISTS', key 't', key 'w') == 0 then return keep({1}) end
		added = true
	end
end

-- One message, and nobody is in line before it. Who waits for one has it handed over; whom else it wakes is for deal(), behind the prelude.
local added = false

if flag == '0' and #ARGV == 9 and call('EXISTS', key 'f', key 'x') == 0 then
	local m, waiting = call('HMGET', key 'm', 'id', 'maxmsg'), call('ZCARD', key 'q')
	if m[1] == expected and waiting + call('HLEN', key 'o') < tonumber(m[2]) then
		local tag = ARGV[8] .. struct.pack('>I8', FIRST + call('HINCRBY', key 'm', 'seq', '1'))
		if waiting == 0 and hand_over(tag, ONCE, ARGV[9]) then return keep({1}) end
		call('ZADD', key 'q', '0', tag .. ARGV[9])
		if call('EXISTS', key 't', key 'w') == 0 then return keep({1}) end
		added = true
	end
end

-- Messages that were taken and did not reach their reader. args: each behind priority and number. With the number 0 it
-- was handed out for good, and goes before all others of its priority: below the numbers that send.lua gives.
local NONE = ('\0'):rep(8)

local function numbered(message)
	if message:sub(3, 10) ~= NONE then return message end
	return message:sub(1, 2) .. struct.pack('>I8', FIRST - call('HINCRBY', key 'm', 'before', '1')) .. message:sub(11)
end

run = function()
	if call('HGET', key 'm', 'id') ~= expected then return GONE end
	for i = 6, #ARGV do call('ZADD', key 'q', '0', numbered(ARGV[i])) end
	deal()
	return {1}
end

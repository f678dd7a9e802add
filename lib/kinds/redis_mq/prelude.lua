-- What the scripts of a queue share, beside intro.lua.

-- There are messages, for readers who wait; who only looks is woken.
local function deal()
	while true do
		local message = call('ZRANGE', key 'q', '0', '0')[1]
		if not message then return end
		local tag = message:sub(1, 10)
		local delivered = call('HGET', key 'd', tag) or 0
		if not hand_over(tag, struct.pack('>I4', delivered + 1), message:sub(11)) then break end
		call('ZREM', key 'q', message)
	end
	wake('w', 'r')
end

-- There may be room: the first in line is woken, or if nobody waits who only polls. One who does not hear it (his
-- daemon has died, or has no connection at the moment) steps aside, to key'x', and holds nobody up; he has his place
-- again when he comes back.
local function make_room()
	if call('EXISTS', key 'f', key 'g') == 0 then return end
	local room
	while true do
		local first = call('ZRANGE', key 'f', '0', '0', 'WITHSCORES')
		if #first == 0 then
			wake('g', 'w')
			return
		end
		room = room or call('HGET', key 'm', 'maxmsg') - call('ZCARD', key 'q') - call('HLEN', key 'o')
		if room <= 0 then return end
		local id, holder, counted = first[1]:match('^(.*):(.*)([+-])$')
		if publish('d:' .. id, 'w' .. holder) > 0 or counted == '-' then return end
		call('ZREM', key 'f', first[1])
		call('ZADD', key 'x', first[2], first[1])
	end
end

local function leave_line(dead)
	for _, line in ipairs({key 'f', key 'x'}) do
		for _, ticket in ipairs(call('ZRANGE', line, 0, -1)) do
			if dead[ticket:match('^[^:]*')] then call('ZREM', line, ticket) end
		end
	end
end

-- What daemons held that have not been heard of for their lease goes back, and their readers and writers wait no more.
local function recover()
	local gone = expired()
	if #gone == 0 then return end
	local dead, back = {}, false
	for _, id in ipairs(gone) do dead[id] = true end
	local owed = call('HGETALL', key 'o')
	for i = 1, #owed, 2 do
		local tag, value = owed[i], owed[i + 1]
		if dead[value:sub(1, 16)] then
			local deliveries = struct.unpack('>I4', value:sub(25, 28))
			call('ZADD', key 'q', '0', tag .. value:sub(29))
			call('HSET', key 'd', tag, deliveries)
			call('HDEL', key 'o', tag)
			back = true
		end
	end
	leave_line(dead)
	for _, reader in ipairs(call('LRANGE', key 't', 0, -1)) do
		if dead[reader:match('^[^:]*')] then call('LREM', key 't', 0, reader) end
	end
	for _, reader in ipairs(call('HKEYS', key 'p')) do
		if dead[reader:match('^[^:]*')] then call('HDEL', key 'p', reader) end
	end
	if back then deal() end
	make_room()
end

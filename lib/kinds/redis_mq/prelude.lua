-- What the scripts of a queue share. Its keys: key'q', a sorted set of messages, each behind two bytes of its priority (the highest
-- first) and eight of its number, so that its order is theirs; key'o', a hash of what is owed: those ten bytes to who owes it (daemon, holder, four bytes of
-- how often it was delivered) and the message; key'd', a hash: how often what was given back has been delivered; key'f', the writers in line
-- (daemon:handle by arrival); key'w', key'g': daemons to be woken when there is a message, or room.
-- Numbers begin in the middle of what eight bytes hold.
local FIRST = 4503599627370496

-- Room for some: those at the head of the line are woken, or if nobody waits who only polls.
local function make_room()
	local waiting = call('ZCARD', key 'f')
	if waiting == 0 then
		wake('g', 'w')
		return
	end
	local room = call('HGET', key 'm', 'maxmsg') - call('ZCARD', key 'q') - call('HLEN', key 'o')
	if room <= 0 then return end
	local told = {}
	for _, ticket in ipairs(call('ZRANGE', key 'f', 0, math.min(room, 100) - 1)) do
		local id = ticket:match('^[^:]*')
		if not told[id] then
			told[id] = true
			publish('d:' .. id, 'w')
		end
	end
end

-- What daemons held that have not been heard of for their lease goes back, and their writers lose their places.
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
			call('ZADD', key 'q', 0, tag .. value:sub(29))
			call('HSET', key 'd', tag, deliveries)
			call('HDEL', key 'o', tag)
			back = true
		end
	end
	for _, ticket in ipairs(call('ZRANGE', key 'f', 0, -1)) do
		if dead[ticket:match('^[^:]*')] then call('ZREM', key 'f', ticket) end
	end
	if back then wake('w', 'r') end
	make_room()
end

-- What the scripts of a queue share. Its keys: key'q', a sorted set of messages, each behind two bytes of its priority (the highest
-- first) and eight of its number, so that its order is theirs; key'o', a hash of what is owed: those ten bytes to who owes it (daemon, holder, four bytes of
-- how often it was delivered) and the message; key'd', a hash: how often what was given back has been delivered; key'f', the writers in line
-- (daemon:handle by arrival, and '-' where nobody can tell here whether the daemon hears us); key'x', those who stepped aside; key'w', key'g': daemons to be woken when there is a message, or room.
-- Numbers begin in the middle of what eight bytes hold.
local FIRST = 4503599627370496

-- There may be room: the first in line is woken, or if nobody waits who only polls. One who does not hear it (his daemon has died, or has
-- no connection at the moment) steps aside, to key'x', and holds nobody up; he has his place again when he comes back.
local function make_room()
	local room
	while true do
		local first = call('ZRANGE', key 'f', 0, 0, 'WITHSCORES')
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
	leave_line(dead)
	if back then wake('w', 'r') end
	make_room()
end

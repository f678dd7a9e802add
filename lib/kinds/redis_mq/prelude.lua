-- What the scripts of a queue share. Its keys: key'q', a sorted set of messages, each behind two bytes of its priority (the highest
-- first) and eight of its number, so that its order is theirs; key'o', a hash of what is owed: those ten bytes to who owes it (daemon, holder, four bytes of
-- how often it was delivered) and the message; key'd', a hash: how often what was given back has been delivered; key'f', the writers in line
-- (daemon:handle by arrival, and '-' where nobody can tell here whether the daemon hears us); key'x', those who stepped aside; key't',
-- a list of readers who wait (daemon:holder:number of their call); key'p', a hash of those who were sent a message, and have not been heard
-- of since (daemon:holder), to its tag and that number; key'w', key'g': daemons to be woken when there is a message, or room.
-- Numbers begin in the middle of what eight bytes hold.
local FIRST = 4503599627370496

-- The message is sent to the first reader who waits, who owes it until it is settled, ack or not; a reader whose daemon does not hear it
-- waits no more: he asks again when it is back. False: there is none. Whose daemon dies is found by its lease, which who waits has.
local function hand_over(message, delivered)
	while true do
		local reader = call('LPOP', key 't')
		if not reader then return false end
		local id, holder, number = reader:match('^(.*):(.*):(.*)$')
		local tag, deliveries = message:sub(1, 10), struct.pack('>I4', delivered + 1)
		if publish('d:' .. id, 'p' .. holder .. number, deliveries .. message) > 0 then
			call('HSET', key 'o', tag, id .. holder .. deliveries .. message:sub(11))
			call('HSET', key 'p', id .. ':' .. holder, tag .. number)
			return true
		end
	end
end

-- There are messages, for readers who wait; who only looks is woken.
local function deal()
	while true do
		local message = call('ZRANGE', key 'q', '0', '0')[1]
		if not message then return end
		if not hand_over(message, call('HGET', key 'd', message:sub(1, 10)) or 0) then break end
		call('ZREM', key 'q', message)
	end
	wake('w', 'r')
end

-- There may be room: the first in line is woken, or if nobody waits who only polls. One who does not hear it (his daemon has died, or has
-- no connection at the moment) steps aside, to key'x', and holds nobody up; he has his place again when he comes back.
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

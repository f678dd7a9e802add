-- A writer's messages; of those in line only the first finds room. args: his ticket, 1 where these follow others of the
-- same write (they must not overtake what did not fit), the priority's two bytes; then the messages. {how many went
-- in}. If not all did, he has a place in the line of those who wait for room, and is woken by "w" and his number.

-- His place, from 0; nil: none.
local function place_of(ticket)
	local was = call('ZSCORE', key 'x', ticket)
	if was then
		call('ZREM', key 'x', ticket)
		call('ZADD', key 'f', was, ticket)
	end
	return call('ZRANK', key 'f', ticket) or nil
end

run = function()
	if added then
		deal()
		return {1}
	end
	local m = call('HMGET', key 'm', 'id', 'maxmsg')
	if m[1] ~= expected then return GONE end
	if looks then recover() end
	local ticket, follows, prio, first = args[1], args[2] == '1', args[3], 9
	local count = #ARGV - first + 1
	local waiting = call('ZCARD', key 'q')
	local room = m[2] - waiting - call('HLEN', key 'o')
	local place, before = nil, 0
	if call('EXISTS', key 'f', key 'x') > 0 then
		place = place_of(ticket)
		before = place or call('ZCARD', key 'f')
	end
	local n = math.max(0, math.min(room, count))
	if before > 0 or (follows and place) then n = 0 end
	if n > 0 then
		local seq = call('HINCRBY', key 'm', 'seq', n == 1 and '1' or n) - n
		local add = {}
		for i = 1, n do
			add[2 * i - 1] = '0'
			add[2 * i] = prio .. struct.pack('>I8', FIRST + seq + i) .. ARGV[first + i - 1]
		end
		if n > 1 or waiting > 0 or not hand_over(add[2]:sub(1, 10), ONCE, ARGV[first]) then
			for i = 1, 2 * n, 2000 do call('ZADD', key 'q', unpack(add, i, math.min(i + 1999, 2 * n))) end
			deal()
		end
	end
	if n == count and place then
		call('ZREM', key 'f', ticket)
	elseif n < count and not place then
		call('ZADD', key 'f', call('HINCRBY', key 'm', 'line', 1), ticket)
		lease()
	end
	-- Those before him may have died since they were woken.
	if place or before > 0 then make_room() end
	return {n}
end

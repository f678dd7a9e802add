-- A writer's messages. args: his ticket, 1 where these follow others of the same write (they must not overtake what did not fit),
-- the priority's two bytes; then the messages.
-- {how many went in}. If not all did, he has a place in the line of those who wait for room, and is woken by "w".
run = function()
	local m = call('HMGET', key 'm', 'id', 'maxmsg')
	if m[1] ~= expected then return GONE end
	recover()
	local ticket, follows, prio, first = args[1], args[2] == '1', args[3], 9
	local count = #ARGV - first + 1
	local room = m[2] - call('ZCARD', key 'q') - call('HLEN', key 'o')
	local line = call('ZCARD', key 'f')
	local mine = line > 0 and call('ZRANK', key 'f', ticket)
	if line > 0 then room = room - (mine or line) end
	if follows and mine then room = 0 end
	local n = math.max(0, math.min(room, count))
	if n > 0 then
		local seq = call('HINCRBY', key 'm', 'seq', n) - n
		local add = {}
		for i = 1, n do
			add[2 * i - 1] = 0
			add[2 * i] = prio .. struct.pack('>I8', FIRST + seq + i) .. ARGV[first + i - 1]
		end
		for i = 1, 2 * n, 2000 do call('ZADD', key 'q', unpack(add, i, math.min(i + 1999, 2 * n))) end
		wake('w', 'r')
	end
	if n == count and mine then
		call('ZREM', key 'f', ticket)
		make_room()
	elseif n < count and not mine then
		call('ZADD', key 'f', call('HINCRBY', key 'm', 'line', 1), ticket)
		lease()
	end
	return {n}
end

-- On NAME.dead: a message that was delivered too often. args: the id, uid, gid, mode, time, maxmsg and msgsize that it
-- is made with if there is none; the priority's two bytes and the message. {'1'}: it is there; {'0'}: there is no room;
-- {'2', uid}: the queue is another user's.
run = function()
	local uid = call('HGET', key 'm', 'uid')
	if not uid then
		call('HSET', key 'm', 'id', args[1], 'uid', args[2], 'gid', args[3], 'mode', args[4], 'time', args[5], 'maxmsg', args[6],
			'msgsize', args[7])
		changed()
	elseif uid ~= args[2] then
		return {'2', uid}, true
	end
	if call('ZCARD', key 'q') + call('HLEN', key 'o') >= tonumber(call('HGET', key 'm', 'maxmsg')) then return {'0'}, true end
	local seq = call('HINCRBY', key 'm', 'seq', 1)
	call('ZADD', key 'q', '0', args[8] .. struct.pack('>I8', FIRST + seq) .. args[9])
	deal()
	return {'1'}
end

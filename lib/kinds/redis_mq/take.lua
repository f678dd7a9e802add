-- A reader's next messages. args: how many at most, how many bytes at most (one always), the holder's number, 1 where
-- they are to be owed; where there is none, '' or 'wake': his daemon is to be woken, or this call's number: he is to be
-- sent one; 1 where others wait beside him; the tags of what he owed, and is done; the number of an earlier call by
-- which he waits, or ''; 1 where the daemon's lease is to be taken again; how many bytes a reader's framing adds to
-- each at most. {how many are left, message, ...}, each behind the two bytes of its priority and eight of its number;
-- owed ones behind four more of how often they were delivered. What waits is woken by "r", or has it sent. sent: his
-- entry of key'p'. Returns what is left of it.
local function settle(reader, holder, tags, sent)
	for i = 1, #tags, 10 do
		local tag = tags:sub(i, i + 9)
		local owed = call('HGET', key 'o', tag)
		if owed and owed:sub(1, #me + #holder) == me .. holder then
			call('HDEL', key 'o', tag)
			if owed:sub(25, 28) ~= ONCE then call('HDEL', key 'd', tag) end
		end
		if sent and sent:sub(1, 10) == tag then
			call('HDEL', key 'p', reader)
			sent = nil
		end
	end
	return sent
end

-- What he was sent did not come.
local function sent_before(reader, holder, owes, sent)
	local tag = sent:sub(1, 10)
	local owed = call('HGET', key 'o', tag)
	call('HDEL', key 'p', reader)
	if not owed or owed:sub(1, #me + #holder) ~= me .. holder then return nil end
	if owes then return {call('ZCARD', key 'q'), owed:sub(25, 28) .. tag .. owed:sub(29)} end
	call('HDEL', key 'o', tag)
	call('HDEL', key 'd', tag)
	make_room()
	return {call('ZCARD', key 'q'), tag .. owed:sub(29)}
end

-- fresh: this daemon has not taken a lease for a while.
local function hold(fresh)
	if fresh or not call('ZSCORE', key 'l', me) then lease() end
end

local function wait(reader, waits, fresh)
	if waits == 'wake' then
		call('SADD', key 'w', me)
	elseif waits ~= '' then
		call('RPUSH', key 't', reader .. ':' .. waits)
		hold(fresh)
	end
end

run = function()
	if call('HGET', key 'm', 'id') ~= expected then return GONE end
	local count, bytes, holder, owes, waits, tags, framing = tonumber(args[1]), tonumber(args[2]), args[3], args[4] == '1', args[5], args[7], tonumber(args[10])
	local reader, fresh = me .. ':' .. holder, args[9] == '1'
	local sent = call('HGET', key 'p', reader)
	if tags ~= '' then sent = settle(reader, holder, tags, sent) end
	if looks then
		recover()
		sent = call('HGET', key 'p', reader)
	end
	if args[8] ~= '' or again then
		call('LREM', key 't', 0, reader .. ':' .. args[8])
		call('LREM', key 't', 0, reader .. ':' .. waits)
	end
	local answer = sent and sent_before(reader, holder, owes, sent)
	if answer then
		if owes then hold(fresh) end
		return answer
	end
	local found = call('ZRANGE', key 'q', '0', count == 1 and '0' or count - 1)
	if #found == 0 then
		if tags == '' then needs_no_memory() end
		wait(reader, waits, fresh)
		if tags ~= '' then make_room() end
		return {0}, true
	end
	local n = 0
	answer = {0}
	for _, message in ipairs(found) do
		bytes = bytes - #message + 10 - framing
		if n > 0 and bytes < 0 then break end
		n = n + 1
		answer[n + 1] = message
	end
	call('ZREMRANGEBYRANK', key 'q', '0', n == 1 and '0' or n - 1)
	local returned = call('EXISTS', key 'd') == 1
	if owes then
		for i = 2, n + 1 do
			local tag, body = answer[i]:sub(1, 10), answer[i]:sub(11)
			local deliveries = (returned and call('HGET', key 'd', tag) or 0) + 1
			call('HSET', key 'o', tag, me .. holder .. struct.pack('>I4', deliveries) .. body)
			answer[i] = struct.pack('>I4', deliveries) .. answer[i]
		end
		hold(fresh)
	elseif returned then
		for i = 2, n + 1 do call('HDEL', key 'd', answer[i]:sub(1, 10)) end
	end
	if tags ~= '' or not owes then make_room() end
	answer[1] = call('ZCARD', key 'q')
	if answer[1] == 0 and args[6] == '1' then call('SADD', key 'w', me) end
	return answer
end

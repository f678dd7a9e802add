-- A reader's next messages. args: how many at most, how many bytes at most (one always), the holder's number or '' where nothing is to be
-- owed, 1 where somebody waits if there is none, 1 where others wait beside him; the tags of what he owed, and is done.
-- {how many are left, message, ...}, each behind the two bytes of its priority and eight of its number; owed ones behind four more
-- of how often they were delivered. What waits is woken by "r".
local function settle(holder, tags)
	for i = 1, #tags, 10 do
		local tag = tags:sub(i, i + 9)
		local owed = call('HGET', key 'o', tag)
		if owed and owed:sub(1, #me + #holder) == me .. holder then
			call('HDEL', key 'o', tag)
			call('HDEL', key 'd', tag)
		end
	end
end

run = function()
	local m = call('HMGET', key 'm', 'id')
	if m[1] ~= expected then return GONE end
	local count, bytes, holder, tags = tonumber(args[1]), tonumber(args[2]), args[3], args[6]
	settle(holder, tags)
	recover()
	local found = call('ZRANGE', key 'q', 0, count - 1)
	if #found == 0 then
		if args[4] == '1' then call('SADD', key 'w', me) end
		if tags ~= '' then make_room() end
		return {0}, true
	end
	local answer, n = {0}, 0
	for _, message in ipairs(found) do
		bytes = bytes - #message + 10
		if n > 0 and bytes < 0 then break end
		n = n + 1
		answer[n + 1] = message
	end
	call('ZREMRANGEBYRANK', key 'q', 0, n - 1)
	if holder ~= '' then
		local again = call('EXISTS', key 'd') == 1
		for i = 2, n + 1 do
			local tag, body = answer[i]:sub(1, 10), answer[i]:sub(11)
			local deliveries = (again and call('HGET', key 'd', tag) or 0) + 1
			call('HSET', key 'o', tag, me .. holder .. struct.pack('>I4', deliveries) .. body)
			answer[i] = struct.pack('>I4', deliveries) .. answer[i]
		end
		lease()
		if tags ~= '' then make_room() end
	else
		if call('EXISTS', key 'd') == 1 then
			for i = 2, n + 1 do call('HDEL', key 'd', answer[i]:sub(1, 10)) end
		end
		make_room()
	end
	answer[1] = call('ZCARD', key 'q')
	if answer[1] == 0 and args[5] == '1' then call('SADD', key 'w', me) end
	return answer
end

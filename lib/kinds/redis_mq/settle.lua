-- What becomes of owed messages. args: the tag (priority and number), the holder's number, and '' where it is done, or
-- how often it has been delivered where it goes back; and so on. Of those that are not owed by that holder any more,
-- nothing. {how many}
local function received(holder, tag)
	local reader = me .. ':' .. holder
	local was = call('HGET', key 'p', reader)
	if was and was:sub(1, 10) == tag then call('HDEL', key 'p', reader) end
end

run = function()
	if call('HGET', key 'm', 'id') ~= expected then return GONE end
	local n, back, sent = 0, false, call('EXISTS', key 'p') == 1
	for i = 6, #ARGV, 3 do
		local tag, holder, deliveries = ARGV[i], ARGV[i + 1], ARGV[i + 2]
		local owed = call('HGET', key 'o', tag)
		if owed and owed:sub(1, #me + #holder) == me .. holder then
			n = n + 1
			if sent then received(holder, tag) end
			call('HDEL', key 'o', tag)
			if deliveries == '' or deliveries == '0' then
				call('HDEL', key 'd', tag)
			else
				call('HSET', key 'd', tag, deliveries)
			end
			if deliveries ~= '' then
				call('ZADD', key 'q', '0', tag .. owed:sub(#me + #holder + 5))
				back = true
			end
		end
	end
	if back then deal() end
	make_room()
	return {n}
end

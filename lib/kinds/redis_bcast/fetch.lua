-- args: the number of the message that is wanted, how many at most, how many bytes at most (one always), 1 to be woken
-- where there is none. {number of the oldest that is kept, of the next to come, of the first that follows, message,
-- ...}
run = function()
	if call('HGET', key 'm', 'id') ~= expected then return GONE end
	local first, nxt = bounds()
	local from, bytes = math.max(tonumber(args[1]), first), tonumber(args[3])
	local answer = {first, nxt, from}
	if from >= nxt then
		if args[4] == '1' then
			needs_no_memory()
			call('SADD', key 'w', me)
		end
		return answer, true
	end
	for _, entry in ipairs(call('XRANGE', key 's', from .. '-1', '+', 'COUNT', args[2])) do
		bytes = bytes - #entry[2][2]
		if #answer > 3 and bytes < 0 then break end
		answer[#answer + 1] = entry[2][2]
	end
	return answer, true
end

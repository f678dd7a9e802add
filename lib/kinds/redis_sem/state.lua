-- For who polls or looks. args: 1 to be woken by the next permit. {value, the last fencing number, holder,
-- fencing number, ...}
run = function()
	local m = call('HMGET', key 'm', 'id', 'value', 'token')
	if m[1] ~= expected then return GONE end
	recover()
	local value = tonumber(call('HGET', key 'm', 'value'))
	if args[1] == '1' then
		needs_no_memory()
		call('SADD', key 'w', me)
	end
	local answer = {value, tonumber(m[3] or 0)}
	local holders = call('HGETALL', key 'h')
	for i = 1, math.min(#holders, 200) do answer[#answer + 1] = holders[i] end
	return answer
end

-- Nothing more is to be asked: the answers in the places args[1] may be forgotten, and our lease where args[2] is 1,
-- and the call has a number. No later call has these places: for them it may be executed twice.
run = function()
	local done = {}
	for place in args[1]:gmatch('%d+') do done[#done + 1] = me .. ':' .. place end
	if #done > 0 then call('HDEL', key 'r', unpack(done)) end
	if args[2] == '1' then call('ZREM', key 'l', me) end
	return {}
end

-- Nothing more is to be asked: the answers that we have may be forgotten, args[1], and our lease where args[2] is 1.
run = function()
	local done = {}
	for number in args[1]:gmatch('%d+') do done[#done + 1] = me .. ':' .. number end
	if #done > 0 then call('HDEL', key 'r', unpack(done)) end
	if args[2] == '1' then call('ZREM', key 'l', me) end
	return {}
end

-- args: a cursor, a pattern. {next cursor, key, ...}: the names' keys, some perhaps twice; the cursor is '0' at the
-- end.
run = function()
	local cursor, answer = args[1], {''}
	for _ = 1, 50 do
		local found = call('SCAN', cursor, 'MATCH', args[2], 'COUNT', 200)
		cursor = found[1]
		for _, name in ipairs(found[2]) do answer[#answer + 1] = name end
		if cursor == '0' or #answer > 200 then break end
	end
	answer[1] = cursor
	return answer
end

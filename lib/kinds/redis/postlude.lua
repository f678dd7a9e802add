if ARGV[2] == '' then
	local answer = run()
	return answer
end
if again then
	local number, kept = ARGV[2]:sub(2) .. ' ', call('HGET', key 'r', me .. ':' .. ARGV[3])
	if kept and kept:sub(1, #number) == number then return cmsgpack.unpack(kept:sub(#number + 1)) end
end
local answer, unchanged = run()
if answer ~= GONE and not unchanged then keep(answer) end
return answer

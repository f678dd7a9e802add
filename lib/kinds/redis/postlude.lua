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
-- What is kept lasts while calls come. Behind the rest: see needs_no_memory().
if looks then call('EXPIRE', key 'r', '3600') end
return answer

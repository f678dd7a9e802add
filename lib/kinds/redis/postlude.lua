
if ARGV[2] == '' then
	local answer = run()
	return answer
end
local field = me .. ':' .. ARGV[2]
local kept = call('HGET', key 'r', field)
if kept then return cmsgpack.unpack(kept) end
-- The forgetting comes behind: a script whose first change is one that needs no memory is let through when there is none.
local answer, unchanged = run()
if ARGV[3] ~= '' then
	local done = {}
	for number in ARGV[3]:gmatch('%d+') do done[#done + 1] = me .. ':' .. number end
	call('HDEL', key 'r', unpack(done))
end
if answer ~= GONE and not unchanged then
	call('HSET', key 'r', field, cmsgpack.pack(answer))
	call('EXPIRE', key 'r', 3600)
end
return answer

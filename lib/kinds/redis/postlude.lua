
if ARGV[2] == '' then
	local answer = run()
	return answer
end
local field = me .. ':' .. ARGV[2]:sub(2)
local kept = again and call('HGET', key 'r', field)
if kept then return cmsgpack.unpack(kept) end
local answer, unchanged = run()
if answer ~= GONE and not unchanged then
	call('HSET', key 'r', field, cmsgpack.pack(answer))
	-- While there are others the key has its end already, which is put off now and then, once in a second or so.
	if looks or call('HLEN', key 'r') == 1 then call('EXPIRE', key 'r', '3600') end
end
forget()
return answer

-- What the scripts of a semaphore share. Its keys: in key'm' the value, and the last fencing number, token; key'h', a
-- hash of the permits that are held: daemon and handle to the fencing number; key'w': daemons to be woken when there is
-- a permit.

local function post(n)
	local value = call('HINCRBY', key 'm', 'value', n)
	wake('w', 'p')
	return value
end

-- What daemons held that have not been heard of for their lease is anybody's.
local function recover()
	local gone = expired()
	if #gone == 0 then return end
	local dead, n = {}, 0
	for _, id in ipairs(gone) do dead[id] = true end
	for _, holder in ipairs(call('HKEYS', key 'h')) do
		if dead[holder:match('^[^:]*')] then n = n + call('HDEL', key 'h', holder) end
	end
	if n > 0 then post(n) end
end

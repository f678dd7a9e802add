-- What every script finds: intro.lua, args[1] and on, its own arguments, and what stands here.
--
-- A script ends in  run = function() ... return ANSWER end.  ANSWER is kept until the daemon has it where the call has
-- a number; return ANSWER, true  says that nothing was changed, so that it need not be kept.
--
-- The channel's keys are key'm' (a hash: id, uid, gid, mode, and what the kind wants), key'l' (the leases), key'r'
-- (answers), and the kind's own. GONE says that the object is not there any more. Removing a channel must remove all of
-- them.
local args = {unpack(ARGV, 6, math.min(#ARGV, 40))}
local GONE = {'GONE'}
local again, looks = flag == '2', flag ~= '0'
local run

-- Milliseconds, of the server's clock.
local function now()
	local t = call('TIME')
	return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- What follows works where memory is out, too: the server looks at that before a script's first write, and this is none
-- that needs any. For what takes things out, and for what has a bound of its own.
local function needs_no_memory() call('HDEL', key 'm', '') end

-- The daemons of a set are told, once, and are in it no more.
local function wake(suffix, what)
	local waiting = call('SMEMBERS', key(suffix))
	if #waiting == 0 then return end
	for _, id in ipairs(waiting) do publish('d:' .. id, what) end
	call('DEL', key(suffix))
end

-- Every daemon is told that the name has appeared, has gone, or has other attributes.
local function changed() publish('names', 'n') end

-- This daemon holds something of the channel: if it is not heard of for its lease, that is anybody's.
local function lease() call('ZADD', key 'l', now() + tonumber(me:sub(14), 16) * 1000, me) end

-- The daemons whose lease is over; they have none any more.
local function expired()
	if call('EXISTS', key 'l') == 0 then return {} end
	local t = now()
	local ids = call('ZRANGEBYSCORE', key 'l', '-inf', t)
	if #ids > 0 then call('ZREMRANGEBYSCORE', key 'l', '-inf', t) end
	return ids
end

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

-- This daemon holds something of the channel: if it is not heard of for its lease, that is anybody's. Daemons of older
-- builds have no lease in their ids, and one of 30 s.
local function lease_of(id) return tonumber(id:match('l(%x+)$') or '1e', 16) * 1000 end
local function lease() call('ZADD', key 'l', now() + lease_of(me), me) end

-- The daemons whose lease is over; they have none any more. Nobody is judged while the server's clock is not what this
-- daemon takes it to be (the clock has jumped, or the call was long under way), nor before he had the time to find the
-- server and to renew, which he does every four fifteenths of his lease. A lease that ends later than any can was taken
-- before the clock was put back.
local function expired()
	local gone, believed, calm = {}, ARGV[1]:match('^(%d+) (%d+)$', 17)
	if not believed or call('EXISTS', key 'l') == 0 then return gone end
	local t = now()
	local off = math.abs(t - believed)
	if off > 3000 then return gone end
	local leases = call('ZRANGE', key 'l', '0', '-1', 'WITHSCORES')
	for i = 1, #leases, 2 do
		local id, ends = leases[i], tonumber(leases[i + 1])
		local lasts = lease_of(id)
		if ends > t + lasts + 3000 then
			call('ZADD', key 'l', t + lasts, id)
		elseif ends <= t and off <= lasts / 2 and tonumber(calm) >= math.max(lasts / 2, 5000) then
			gone[#gone + 1] = id
			call('ZREM', key 'l', id)
		end
	end
	return gone
end

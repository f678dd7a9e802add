-- What every script finds. KEYS[1] is PREFIX{KIND/NAME}; ARGV: this daemon, 16 hex digits, the last three of which are its lease in
-- seconds; '' or a digit and the call's number: 0, the call is sent for the first time, 1, it also looks after what dead daemons held, 2,
-- the same, and it may have been here before; the numbers whose answers may be forgotten, PREFIX, the object's id or ''; then the
-- script's own, args[1] and on.
-- Numbers that are given to call() as text ('0') spare the server a printf(3).
--
-- A script ends in  run = function() ... return ANSWER end.  ANSWER is kept until the daemon has it where the call has a number;
-- return ANSWER, true  says that nothing was changed, so that it need not be kept.
--
-- The channel's keys are key'm' (a hash: id, uid, gid, mode, and what the kind wants), key'l' (the leases), key'r' (answers), and
-- the kind's own. GONE says that the object is not there any more. Removing a channel must remove all of them.
local base, me, prefix, expected = KEYS[1], ARGV[1], ARGV[4], ARGV[5]
local args = {unpack(ARGV, 6, math.min(#ARGV, 40))}
local GONE = {'GONE'}
local call = redis.call
local again, looks = ARGV[2]:sub(1, 1) == '2', ARGV[2]:sub(1, 1) ~= '0'
local run

local function key(suffix) return base .. ':' .. suffix end

-- Milliseconds, of the server's clock.
local function now()
	local t = call('TIME')
	return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- How many hear it; of a cluster, only those on this server. data goes behind it, or nil.
local function publish(topic, what, data)
	local kind, name = base:sub(#prefix + 2, -2):match('^(%a+)/(.*)$')
	local text = kind .. ' ' .. what .. ' ' .. name
	return call('PUBLISH', prefix .. topic, data and text .. '\0' .. data or text)
end

-- What follows works where memory is out, too: the server looks at that before a script's first write, and this is none that needs any.
-- For what takes things out, and for what has a bound of its own.
local function needs_no_memory() call('HDEL', key 'm', '') end

-- What the daemon needs no more. It comes behind the rest: see needs_no_memory().
local function forget()
	if ARGV[3] == '' then return end
	local done = {}
	for number in ARGV[3]:gmatch('%d+') do done[#done + 1] = me .. ':' .. number end
	call('HDEL', key 'r', unpack(done))
	ARGV[3] = ''
end

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

-- What stands first in every script. KEYS[1] is PREFIX{KIND/NAME}; ARGV: this daemon, 16 characters (prelude.lua:
-- lease_of()), and where it may judge others what it takes the server's time to be, and for how long they have been
-- able to renew their leases, both in milliseconds; '' or a digit and the call's number: 0, the call is sent for the
-- first time, 1, it also looks after what dead daemons held, 2, the same, and it may have been here before; the place
-- of its answer, a number; PREFIX, the object's id or ''; then the script's own.
--
-- A script is put together from intro.lua, its kind's intro.lua, its own plain/NAME.lua, prelude.lua, its kind's
-- prelude.lua, NAME.lua and postlude.lua, as far as they are there. plain/NAME.lua does what is usual and returns; what
-- is behind it is not even set up then, which would take the server longer than the commands do. Numbers that are given
-- to call() as text ('0') spare the server a printf(3).
local base, me, prefix, expected = KEYS[1], ARGV[1]:sub(1, 16), ARGV[4], ARGV[5]
local call, flag = redis.call, ARGV[2]:sub(1, 1)

local function key(suffix) return base .. ':' .. suffix end

-- The answer of a call with a number is kept until its place is given to a later call; who has it gives it.
local function keep(answer)
	local new = call('HSET', key 'r', me .. ':' .. ARGV[3], ARGV[2]:sub(2) .. ' ' .. cmsgpack.pack(answer))
	if new == 1 then call('EXPIRE', key 'r', '3600') end
	return answer
end

-- How many hear it; of a cluster, only those on this server; nobody, if we may not publish. data goes behind it, or
-- nil.
local function publish(topic, what, data)
	local kind, name = base:sub(#prefix + 2, -2):match('^(%a+)/(.*)$')
	local text = kind .. ' ' .. what .. ' ' .. name
	local heard = redis.pcall('PUBLISH', prefix .. topic, data and text .. '\0' .. data or text)
	return tonumber(heard) or 0
end

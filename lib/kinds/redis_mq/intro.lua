-- What the scripts of a queue share. Its keys: key'q', a sorted set of messages, each behind two bytes of its priority
-- (the highest first) and eight of its number, so that its order is theirs; key'o', a hash of what is owed: those ten
-- bytes to who owes it (daemon, holder, four bytes of how often it was delivered) and the message; key'd', a hash: how
-- often what was given back has been delivered; key'f', the writers in line (daemon:handle by arrival, and '-' where
-- nobody can tell here whether the daemon hears us); key'x', those who stepped aside; key't', a list of readers who
-- wait (daemon:holder:number of their call); key'p', a hash of those who were sent a message, and have not been heard
-- of since (daemon:holder), to its tag and that number; key'w', key'g': daemons to be woken when there is a message, or
-- room. Numbers begin in the middle of what eight bytes hold. A daemon has 16 characters, a holder 8.
local FIRST, ONCE = 4503599627370496, '\0\0\0\1'

-- The message is sent to the first reader who waits, who owes it until it is settled, ack or not; a reader whose daemon
-- does not hear it waits no more: he asks again when it is back. deliveries: with this one, four bytes. False: there is
-- none. Whose daemon dies is found by its lease, which who waits has.
local function hand_over(tag, deliveries, message)
	while true do
		local reader = call('LPOP', key 't')
		if not reader then return false end
		local id, holder, number = reader:sub(1, 16), reader:sub(18, 25), reader:sub(27)
		if publish('d:' .. id, 'p' .. holder .. number, deliveries .. tag .. message) > 0 then
			call('HSET', key 'o', tag, id .. holder .. deliveries .. message)
			call('HSET', key 'p', reader:sub(1, 25), tag .. number)
			return true
		end
	end
end

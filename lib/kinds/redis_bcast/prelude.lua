-- What the scripts of a broadcast share. Its keys: key's', a stream of the last messages, N-1 for the N-th, each with
-- its field m; in key'm' buffer (how many bytes of messages are kept, and 16 of them allow one message), bytes (that
-- are kept), next (the number of the next message); key'w': daemons to be woken when there is one.

-- The numbers of the oldest message that is kept, and of the next one.
local function bounds()
	local nxt = tonumber(call('HGET', key 'm', 'next') or 1)
	return nxt - call('XLEN', key 's'), nxt
end

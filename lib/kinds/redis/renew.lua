-- {1}: the lease goes on; {0}: it had ended.
run = function()
	if expected ~= '' and call('HGET', key 'm', 'id') ~= expected then return GONE end
	if not call('ZSCORE', key 'l', me) then return {0} end
	call('ZADD', key 'l', now() + 30000, me)
	return {1}
end

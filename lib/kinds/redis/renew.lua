-- {1}: the lease goes on; {0}: it had ended.
run = function()
	if expected ~= '' and call('HGET', key 'm', 'id') ~= expected then return GONE end
	if not call('ZSCORE', key 'l', me) then return {0} end
	lease()
	return {1}
end

-- Messages that were taken and did not reach their reader. args: each behind priority and number.
run = function()
	if call('HGET', key 'm', 'id') ~= expected then return GONE end
	for i = 6, #ARGV do call('ZADD', key 'q', '0', ARGV[i]) end
	deal()
	return {1}
end

-- A reader finds the queue empty, is done with nothing but what he was sent, and waits for the next. (The arguments:
-- ../take.lua.)
if flag == '0' and ARGV[13] == '' and ARGV[14] == '' and #ARGV[12] <= 10 and tonumber(ARGV[10]) and
	call('EXISTS', key 'q', key 'd', key 'f', key 'g') == 0 and call('HGET', key 'm', 'id') == expected and call('ZSCORE', key 'l', me) then
	local reader, tag = me .. ':' .. ARGV[8], ARGV[12]
	local sent = call('HGET', key 'p', reader)
	if sent and tag == sent:sub(1, 10) then
		call('HDEL', key 'o', tag)
		call('HDEL', key 'p', reader)
		sent = nil
	elseif tag ~= '' then
		sent = true
	else
		-- Waiting must be possible where memory is out: needs_no_memory().
		call('HDEL', key 'm', '')
	end
	if not sent then
		call('RPUSH', key 't', reader .. ':' .. ARGV[10])
		return {0}
	end
end

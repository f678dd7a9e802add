-- {field, value, ...}; {}: there is no such object.
run = function() return call('HGETALL', key 'm') end

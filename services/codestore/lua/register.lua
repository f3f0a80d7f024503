-- The functions by their names; those that write nothing may be called on a replica.

local function write(name, callback)
  redis.register_function(name .. '_' .. VERSION, callback)
end

local function read(name, callback)
  redis.register_function{function_name = name .. '_' .. VERSION, callback = callback, flags = {'no-writes'}}
end

write('create', create)
read('collection', collection)
read('status', status)
write('begin', begin)
write('publish', publish)
write('rollback', rollback)
write('discard', discard)
write('forget', forget)
write('put_items', put_items)
read('item', item)
read('thumbnail', thumbnail)
write('begin_segment', begin_segment)
read('missing', missing)
write('put_codes', put_codes)
read('snapshot', snapshot)
read('counts', counts)
write('drop', drop)

-- Collection: its taxonomy, its generations, the history of what was published. KEYS[1] is the prefix of a collection.

local function event(collection, operation, generation)
  redis.call('XADD', collection .. ':events', 'MAXLEN', '~', KEPT, '*', 'operation', operation, 'generation', generation)
end

-- layout, segments, taxonomy sha256, taxonomy
local function create(keys, args)
  local key, names = keys[1] .. ':collection', {'layout', 'segments', 'taxonomy_sha256'}
  if redis.call('EXISTS', key) == 0 then
    redis.call('HSET', key, 'layout', args[1], 'segments', args[2], 'taxonomy_sha256', args[3], 'taxonomy', args[4])
    return 1
  end
  for i, name in ipairs(names) do
    local known = redis.call('HGET', key, name)
    if known ~= args[i] then
      return refuse('collection ' .. keys[1] .. ' has ' .. name .. ' ' .. known .. ', not ' .. args[i]
        .. ': use what it was made with, or another name')
    end
  end
  return 0
end

-- -> {layout, segments, taxonomy}, the values nil when there is no collection
local function collection(keys, args)
  return redis.call('HMGET', keys[1] .. ':collection', 'layout', 'segments', 'taxonomy')
end

-- -> {generation, "bits taxonomy_sha256 unix-time", ...}, {published ids, the current one first}
local function status(keys, args)
  local flat, generations = redis.call('HGETALL', keys[1] .. ':generations'), {}
  for i, value in ipairs(flat) do generations[i] = value end
  return {generations, redis.call('LRANGE', keys[1] .. ':history', 0, -1)}
end

local function known(base, generation)
  if redis.call('SISMEMBER', base .. ':discarding', generation) == 1 then
    return nil, refuse('generation ' .. generation .. ' is being discarded: discard it again to finish, then begin it')
  end
  local found = redis.call('HGET', base .. ':generations', generation)
  if not found then return nil, refuse('there is no generation ' .. generation .. ' in ' .. base .. ': begin it first') end
  return found
end

-- generation, bits, taxonomy sha256
local function begin(keys, args)
  local base, generation, bits, taxonomy = keys[1], args[1], args[2], args[3]
  local own = redis.call('HGET', base .. ':collection', 'taxonomy_sha256')
  if own ~= taxonomy then
    return refuse('generation ' .. generation .. ' was trained for taxonomy ' .. taxonomy .. ', ' .. base
      .. ' has taxonomy ' .. tostring(own) .. ': use a generation trained for that one')
  end
  local found, refused = known(base, generation)
  if found then
    local known_bits = string.match(found, '^%d+')
    if known_bits ~= bits then
      return refuse('generation ' .. generation .. ' has ' .. known_bits .. ' bits, not ' .. bits
        .. ': another hasher needs another generation id')
    end
    return 0
  end
  if redis.call('SISMEMBER', base .. ':discarding', generation) == 1 then return refused end
  local now = redis.call('TIME')[1]
  redis.call('HSET', base .. ':generations', generation, bits .. ' ' .. taxonomy .. ' ' .. now)
  event(base, 'begin', generation)
  return 1
end

-- generation -> the one published before it, or nothing
local function publish(keys, args)
  local history, generation = keys[1] .. ':history', args[1]
  local found, refused = known(keys[1], generation)
  if not found then return refused end
  if redis.call('LINDEX', history, 0) ~= generation then
    redis.call('LREM', history, 0, generation)
    redis.call('LPUSH', history, generation)
    event(keys[1], 'publish', generation)
  end
  return redis.call('LINDEX', history, 1)
end

-- generation to leave, generation to go back to. Both are named, so that a call sent twice goes back once.
local function rollback(keys, args)
  local history = keys[1] .. ':history'
  local newest = redis.call('LRANGE', history, 0, 1)
  if newest[1] == args[2] then return args[2] end
  if newest[1] ~= args[1] or newest[2] ~= args[2] then
    return refuse('generation ' .. tostring(newest[1]) .. ' was published meanwhile, not ' .. args[1] .. ': look, then roll back again')
  end
  redis.call('LPOP', history)
  event(keys[1], 'rollback', args[2])
  return args[2]
end

-- generation. Marked first and forgotten last, so that an interrupted discard can be finished.
local function discard(keys, args)
  local base, generation = keys[1], args[1]
  if redis.call('LINDEX', base .. ':history', 0) == generation then
    return refuse('generation ' .. generation .. ' is published: publish another one or roll back first')
  end
  if redis.call('SISMEMBER', base .. ':discarding', generation) == 1 then return 0 end
  local found, refused = known(base, generation)
  if not found then return refused end
  redis.call('SADD', base .. ':discarding', generation)
  redis.call('HDEL', base .. ':generations', generation)
  redis.call('LREM', base .. ':history', 0, generation)
  event(base, 'discard', generation)
  return 1
end

local function forget(keys, args)
  return redis.call('SREM', keys[1] .. ':discarding', args[1])
end

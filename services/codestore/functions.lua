-- Server-side functions of the code store: every write is one of them, so it is atomic in its slot.
-- KEYS[1] is the prefix of a segment ("taxohash:{name:3}") or of a collection ("taxohash:{name}"); all other
-- keys are made from it and share its hash tag. The loader puts the shebang line and `local VERSION` in front;
-- the version is part of every function name, so that two versions of the program can share a server.

local CHUNK = 4080       -- rows of a column chunk; 4096 rows are an allocator class, 16 fewer leave room for its header
local KEPT = 4096        -- entries kept in a stream
local MAX_RUNS = 64      -- runs of rows named in a stream entry; more of them mean "read the segment again"
local SLICE = 1000       -- values given to one command, below Lua's limit on unpack

local function refuse(text)
  return redis.error_reply('REFUSED ' .. text)
end

local function lines(text)
  local found = {}
  for line in string.gmatch(text, '([^\n]*)\n') do found[#found + 1] = line end
  return found
end

local function sliced(command, key, values)
  for first = 1, #values, SLICE do
    redis.call(command, key, unpack(values, first, math.min(first + SLICE - 1, #values)))
  end
end

-- Rows and columns ---------------------------------------------------------------------------------

local function row_count(segment)
  return tonumber(redis.call('HGET', segment .. ':state', 'rows') or 0)
end

local function lookup(segment, ids)
  local rows, missing, first_missing = {}, 0, ''
  for first = 1, #ids, SLICE do
    local found = redis.call('HMGET', segment .. ':rows', unpack(ids, first, math.min(first + SLICE - 1, #ids)))
    for i = 1, #found do
      if found[i] then
        rows[first + i - 1] = tonumber(found[i])
      else
        rows[first + i - 1] = false
        missing = missing + 1
        if missing == 1 then first_missing = ids[first + i - 1] end
      end
    end
  end
  return rows, missing, first_missing
end

-- Consecutive rows, as {index of the first, row of the first, length}.
local function runs_of(rows)
  local runs = {}
  for i, row in ipairs(rows) do
    local run = runs[#runs]
    if run and row == run[2] + run[3] then
      run[3] = run[3] + 1
    else
      runs[#runs + 1] = {i, row, 1}
    end
  end
  return runs
end

-- A chunk is made in its full length at once: a string that grows is given up to twice the room it needs.
local function write_column(column, width, runs, values)
  for _, run in ipairs(runs) do
    local from, row, left = (run[1] - 1) * width, run[2], run[3]
    while left > 0 do
      local key, offset = column .. ':' .. math.floor(row / CHUNK), row % CHUNK
      local count = math.min(left, CHUNK - offset)
      if redis.call('EXISTS', key) == 0 then redis.call('SETRANGE', key, CHUNK * width - 1, '\0') end
      redis.call('SETRANGE', key, offset * width, string.sub(values, from + 1, from + count * width))
      from, row, left = from + count * width, row + count, left - count
    end
  end
end

local function read_column(column, width, rows)
  local parts = {}
  for chunk = 0, math.ceil(rows / CHUNK) - 1 do
    parts[#parts + 1] = redis.call('GET', column .. ':' .. chunk) or string.rep('\0', CHUNK * width)
  end
  return string.sub(table.concat(parts), 1, rows * width)
end

-- Set the bits of rows, whole bytes at a time.
local function mark(bitmap, runs)
  for _, run in ipairs(runs) do
    local row, stop = run[2], run[2] + run[3]
    while row < stop do
      local bytes = math.floor((stop - row) / 8)
      if row % 8 == 0 and bytes > 0 then
        redis.call('SETRANGE', bitmap, row / 8, string.rep('\255', bytes))
        row = row + bytes * 8
      else
        redis.call('SETBIT', bitmap, row, 1)
        row = row + 1
      end
    end
  end
end

local function append_ids(segment, first, ids)
  local chunk, parts = math.floor(first / CHUNK), {}
  for i, id in ipairs(ids) do
    parts[#parts + 1] = id .. '\n'
    local next_chunk = math.floor((first + i) / CHUNK)
    if next_chunk > chunk or i == #ids then
      local key = segment .. ':ids:' .. chunk
      redis.call('APPEND', key, table.concat(parts))
      if next_chunk > chunk then redis.call('SET', key, redis.call('GET', key)) end  -- gives back what it grew in advance
      chunk, parts = next_chunk, {}
    end
  end
end

-- Columns that most rows leave empty: a hash with a field a row.
local function replace(key, rows, old_rows, values)
  local set, drop = {}, {}
  for i, row in ipairs(rows) do
    local value = values[i] or ''
    if value ~= '' then
      set[#set + 1] = row
      set[#set + 1] = value
    elseif row < old_rows then
      drop[#drop + 1] = row
    end
  end
  sliced('HSET', key, set)
  sliced('HDEL', key, drop)
end

-- Position and stream: positions count the writes of a segment without a gap, so a reader sees what it missed.
local function log(segment, operation, generation, runs)
  local position = redis.call('HINCRBY', segment .. ':state', 'position', 1)
  local packed = {}
  if #runs <= MAX_RUNS then
    for i, run in ipairs(runs) do packed[i] = struct.pack('<I4I4', run[2], run[3]) end
  end
  redis.call('XADD', segment .. ':stream', 'MAXLEN', '~', KEPT, position .. '-0',
    'operation', operation, 'generation', generation, 'rows', table.concat(packed))
  return position
end

-- Segment: catalog -----------------------------------------------------------------------------------

-- ids, labels int32, uris, tags, thumbnail sizes uint32, thumbnails -> {position, new items}
local function put_items(keys, args)
  local segment, ids, labels = keys[1], lines(args[1]), args[2]
  local uris, tags, sizes, thumbnails = lines(args[3]), lines(args[4]), args[5], args[6]
  local old_rows = row_count(segment)
  local rows = lookup(segment, ids)
  local new_ids, index = {}, {}
  for i, id in ipairs(ids) do
    if not rows[i] then
      rows[i] = old_rows + #new_ids
      new_ids[#new_ids + 1] = id
      index[#index + 1] = id
      index[#index + 1] = rows[i]
    end
  end
  local pictures, from = {}, 0
  for i = 1, #sizes / 4 do
    local size = struct.unpack('<I4', sizes, i * 4 - 3)
    pictures[i] = string.sub(thumbnails, from + 1, from + size)
    from = from + size
  end

  local runs = runs_of(rows)
  local now = struct.pack('<I4', tonumber(redis.call('TIME')[1]))
  sliced('HSET', segment .. ':rows', index)
  redis.call('HSET', segment .. ':state', 'rows', old_rows + #new_ids)
  append_ids(segment, old_rows, new_ids)
  write_column(segment .. ':labels', 4, runs, labels)
  write_column(segment .. ':times', 4, runs, string.rep(now, #ids))
  replace(segment .. ':uris', rows, old_rows, uris)
  replace(segment .. ':tags', rows, old_rows, tags)
  replace(segment .. ':thumbnails', rows, old_rows, pictures)
  return {log(segment, 'items', '', runs), #new_ids}
end

-- id -> {label int32, time uint32, uri, tags, thumbnail}, or nothing
local function item(keys, args)
  local segment, row = keys[1], redis.call('HGET', keys[1] .. ':rows', args[1])
  if not row then return false end
  local chunk, from = math.floor(row / CHUNK), row % CHUNK * 4
  return {
    redis.call('GETRANGE', segment .. ':labels:' .. chunk, from, from + 3),
    redis.call('GETRANGE', segment .. ':times:' .. chunk, from, from + 3),
    redis.call('HGET', segment .. ':uris', row) or '',
    redis.call('HGET', segment .. ':tags', row) or '',
    redis.call('HGET', segment .. ':thumbnails', row) or '',
  }
end

-- id -> thumbnail, or nothing
local function thumbnail(keys, args)
  local row = redis.call('HGET', keys[1] .. ':rows', args[1])
  return row and redis.call('HGET', keys[1] .. ':thumbnails', row)
end

-- Segment: codes -------------------------------------------------------------------------------------

local function begun(segment, generation, bits)
  local known = redis.call('HGET', segment .. ':generations', generation)
  if not known then
    return refuse('generation ' .. generation .. ' is not begun in ' .. segment .. ': begin it first')
  end
  if known ~= bits then
    return refuse('generation ' .. generation .. ' has ' .. known .. ' bits, these codes are of ' .. bits
      .. ' bits: encode them with generation ' .. generation)
  end
end

-- generation, bits
local function begin_segment(keys, args)
  redis.call('HSETNX', keys[1] .. ':generations', args[1], args[2])
  return begun(keys[1], args[1], args[2]) or 1
end

-- ids -> {how many the catalog lacks, the first of them}
local function missing(keys, args)
  local _, count, first = lookup(keys[1], lines(args[1]))
  return {count, first}
end

-- generation, bits, ids, codes -> position
local function put_codes(keys, args)
  local segment, generation, bits, ids, codes = keys[1], args[1], args[2], lines(args[3]), args[4]
  local refused = begun(segment, generation, bits)
  if refused then return refused end
  local width = math.ceil(bits / 8)
  if #codes ~= #ids * width then
    return refuse(#ids .. ' ids came with ' .. #codes .. ' bytes of codes, not ' .. #ids * width)
  end
  local rows, count, first = lookup(segment, ids)
  if count > 0 then
    return refuse(count .. ' of the ids are not in the catalog, the first is ' .. first .. ': put the items first')
  end
  local runs = runs_of(rows)
  write_column(segment .. ':codes:' .. generation, width, runs, codes)
  mark(segment .. ':coded:' .. generation, runs)
  return log(segment, 'codes', generation, runs)
end

-- generation, bits -> {position, rows, bitmap of rows with a code, ids, labels, codes}
local function snapshot(keys, args)
  local segment, generation, bits = keys[1], args[1], args[2]
  local refused = begun(segment, generation, bits)
  if refused then return refused end
  local rows, ids = row_count(segment), {}
  for chunk = 0, math.ceil(rows / CHUNK) - 1 do
    ids[#ids + 1] = redis.call('GET', segment .. ':ids:' .. chunk)
  end
  return {
    tonumber(redis.call('HGET', segment .. ':state', 'position') or 0),
    rows,
    redis.call('GET', segment .. ':coded:' .. generation) or '',
    table.concat(ids),
    read_column(segment .. ':labels', 4, rows),
    read_column(segment .. ':codes:' .. generation, math.ceil(bits / 8), rows),
  }
end

-- generations -> {items, codes of each generation}
local function counts(keys, args)
  local found = {redis.call('HLEN', keys[1] .. ':rows')}
  for i, generation in ipairs(args) do
    found[i + 1] = redis.call('BITCOUNT', keys[1] .. ':coded:' .. generation)
  end
  return found
end

-- generation
local function drop(keys, args)
  local segment, generation = keys[1], args[1]
  redis.call('HDEL', segment .. ':generations', generation)
  redis.call('UNLINK', segment .. ':coded:' .. generation)
  for chunk = 0, math.ceil(row_count(segment) / CHUNK) - 1 do
    redis.call('UNLINK', segment .. ':codes:' .. generation .. ':' .. chunk)
  end
  return log(segment, 'drop', generation, {})
end

-- Collection -----------------------------------------------------------------------------------------

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

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

-- Texts of which each is ended by the byte 255, which UTF-8 never has.
local function texts(joined)
  local found = {}
  for text in string.gmatch(joined, '([^\255]*)\255') do found[#found + 1] = text end
  return found
end

-- Strings that lie one after the other, from their lengths uint32.
local function pieces(lengths, text)
  local found, from = {}, 0
  for i = 1, #lengths / 4 do
    local length = struct.unpack('<I4', lengths, i * 4 - 3)
    found[i] = string.sub(text, from + 1, from + length)
    from = from + length
  end
  return found
end

local function sliced(command, key, values)
  for first = 1, #values, SLICE do
    redis.call(command, key, unpack(values, first, math.min(first + SLICE - 1, #values)))
  end
end

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
    parts[#parts + 1] = id .. '\255'
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

-- Such a column as lengths uint32 and values one after the other, or nothing where no row has a value.
local function join(key, rows)
  if redis.call('EXISTS', key) == 0 then return '', '' end
  local lengths, values = {}, {}
  for first = 0, rows - 1, SLICE do
    local slice = {}
    for row = first, math.min(first + SLICE, rows) - 1 do slice[#slice + 1] = row end
    for i, value in ipairs(redis.call('HMGET', key, unpack(slice))) do
      values[first + i] = value or ''
      lengths[first + i] = struct.pack('<I4', #values[first + i])
    end
  end
  return table.concat(lengths), table.concat(values)
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

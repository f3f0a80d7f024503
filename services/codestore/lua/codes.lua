-- Codes: the columns of a generation in a segment. KEYS[1] is the prefix of a segment.

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
  local _, count, first = lookup(keys[1], texts(args[1]))
  return {count, first}
end

-- generation, bits, ids, codes -> {position, how many the catalog lacks, the first of them}; none is written if it lacks any
local function put_codes(keys, args)
  local segment, generation, bits, ids, codes = keys[1], args[1], args[2], texts(args[3]), args[4]
  local refused = begun(segment, generation, bits)
  if refused then return refused end
  local width = math.ceil(bits / 8)
  if #codes ~= #ids * width then
    return refuse(#ids .. ' ids came with ' .. #codes .. ' bytes of codes, not ' .. #ids * width)
  end
  local rows, count, first = lookup(segment, ids)
  if count > 0 then return {0, count, first} end
  local runs = runs_of(rows)
  write_column(segment .. ':codes:' .. generation, width, runs, codes)
  mark(segment .. ':coded:' .. generation, runs)
  return {log(segment, 'codes', generation, runs), 0, ''}
end

-- generation, bits
-- -> {position, rows, bitmap of rows with a code, ids, labels, codes, lengths of label sets, label sets}
local function snapshot(keys, args)
  local segment, generation, bits = keys[1], args[1], args[2]
  local refused = begun(segment, generation, bits)
  if refused then return refused end
  local rows, ids = row_count(segment), {}
  for chunk = 0, math.ceil(rows / CHUNK) - 1 do
    ids[#ids + 1] = redis.call('GET', segment .. ':ids:' .. chunk)
  end
  local set_lengths, label_sets = join(segment .. ':label_sets', rows)
  return {
    tonumber(redis.call('HGET', segment .. ':state', 'position') or 0),
    rows,
    redis.call('GET', segment .. ':coded:' .. generation) or '',
    table.concat(ids),
    read_column(segment .. ':labels', 4, rows),
    read_column(segment .. ':codes:' .. generation, math.ceil(bits / 8), rows),
    set_lengths,
    label_sets,
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

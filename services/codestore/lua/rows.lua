-- Rows: which are given to which item, block by block, and the cells of a block.

local KEPT = 4096        -- entries kept in a stream

-- Catalog flags of a row.
local ALIVE, API, TAGS, RECORD, ENCODABLE, DATA = 1, 2, 4, 8, 16, 32  -- DATA: a data set has it too, though it is the API's
-- Flags of a row in a generation. PICTURED: of an item of the API, that the data version has it too, and so a picture of it.
local MEMBER, CODED, LABELS, OWN, PICTURED = 1, 2, 4, 8, 16

-- Items that came by the API are members of a generation without a name and without codes, from which new ones start.
local OURS = {id = '', bits = 0, width = 0, state = 'live'}

local NO_LABEL = '\255\255\255\255'
-- Which flags say that a row has tags (4 of the catalogue's 64), or anything outside its block (4 or 8 of a generation's 32)
-- (and a record, 8, as well).
local WITH_TAGS, WITH_SPARSE, WITH_SPARSE_CATALOG = '[\4-\7\12-\15\20-\23\28-\31\36-\39\44-\47\52-\55\60-\63]', '[\4-\15\20-\31]',
  '[\4-\15\20-\31\36-\47\52-\63]'

-- While a library is loaded, a server has no `string`: so these are no constants.
local function zeros(count)
  return string.rep('\0', count)
end

local function no_names()
  return string.rep('\255', BLOCK)
end

-- Whether any byte of these flags is one of a class. Most blocks have one kind of row, and then one look is enough.
local function any_is(flags, class)
  local first = string.sub(flags, 1, 1)
  return string.find(flags == string.rep(first, #flags) and first or flags, class) ~= nil
end

local function block_of(row)
  return math.floor(row / BLOCK)
end

local function key_of(row)
  return struct.pack('<I4', row)
end

local function field_of(letter, generation, row)
  return letter .. generation .. ':' .. key_of(row)
end

local function sparse_field(letter, generation, row)
  return generation and field_of(letter, generation, row) or letter .. key_of(row)
end

local function generation_field(generation, block)
  return 'g' .. generation.id .. ':' .. block
end

local LONG = 14

-- The field that tells the row of an id. A long id is named by 96 bits of its SHA-1: the key of a field of up to 14 bytes takes half the
-- room of one of 15 to 30.
local function index_field(id)
  if #id < LONG then return '=' .. id end
  local hex = redis.sha1hex(id)
  return '#' .. struct.pack('>I4I4I4', tonumber(string.sub(hex, 1, 8), 16), tonumber(string.sub(hex, 9, 16), 16), tonumber(string.sub(hex, 17, 24), 16))
end

-- The indices of rows, in the order of the rows; rows that are false are left out.
local function ascending(rows)
  local order, sorted = {}, true
  for i = 1, rows.n or #rows do
    if rows[i] then
      sorted = sorted and (#order == 0 or rows[order[#order]] < rows[i])
      order[#order + 1] = i
    end
  end
  if not sorted then table.sort(order, function(a, b) return rows[a] < rows[b] end) end
  return order
end

-- Rows by their blocks, ascending: {block, offsets, items}, where item i has row rows[i].
local function by_block(rows)
  local groups, group = {}, nil
  for _, i in ipairs(ascending(rows)) do
    local row = rows[i]
    local offset = row % BLOCK
    local block = (row - offset) / BLOCK
    if not group or group.block ~= block then
      group = {block = block, offsets = {}, items = {}}
      groups[#groups + 1] = group
    end
    local n = #group.offsets + 1
    group.offsets[n], group.items[n] = offset, i
  end
  return groups
end

-- rows[i] of each id, false where there is none, and the fields that tell them; and an id, if any, that the index cannot tell from
-- another one: it has no row.
local function lookup(sheet, ids)
  local fields, blocks, seen, names, clash = {}, {}, {}, {}, nil
  local rows = {n = #ids, fields = fields}
  for i, id in ipairs(ids) do
    local field = index_field(id)
    if seen[field] then clash = id end
    fields[i], seen[field] = field, true
  end
  for i, row in ipairs(fetch(sheet.key, fields)) do
    rows[i] = row and struct.unpack('<I4', row)
    if row and #ids[i] >= LONG then blocks[#blocks + 1] = 'n' .. block_of(rows[i]) end
  end
  load(sheet, blocks)
  for i, id in ipairs(ids) do
    if rows[i] and #id >= LONG then
      local block = block_of(rows[i])
      names[block] = names[block] or '\255' .. get(sheet, 'n' .. block)
      if not string.find(names[block], '\255' .. id .. '\255', 1, true) then rows[i], clash = false, id end
    end
  end
  return rows, clash
end

local function load_blocks(sheet, groups, generations)
  local fields = {}
  for _, group in ipairs(groups) do
    fields[#fields + 1] = 'n' .. group.block
    fields[#fields + 1] = 'c' .. group.block
    for _, generation in ipairs(generations) do fields[#fields + 1] = generation_field(generation, group.block) end
  end
  load(sheet, fields)
end

local function names_of(sheet, block)
  local value = get(sheet, 'n' .. block)
  return texts(value == '' and no_names() or value)
end

local function put_names(sheet, block, names)
  local value = ended(names)
  put(sheet, 'names', 'n' .. block, value == no_names() and '' or value)
end

-- A block of the catalogue: columns of flags, times and revisions (4 bytes each), and fingerprints, which blocks of before lack.
local function catalog_columns(value)
  return value .. zeros(BLOCK * 10 - #value)
end

local function catalog_of(sheet, block)
  return catalog_columns(get(sheet, 'c' .. block))
end

-- What a record's picture is looked for by, 1 to 63, of the hash of its pixels; 0 where there is none.
local function fingerprint_of(record)
  local digits = string.match(record, '^[^\255]*\255[^\255]*\255[^\255]*\255(%x%x)')
  return digits and 1 + tonumber(digits, 16) % 63 or 0
end

-- The values of consecutive rows over those in a column.
local function overlay(column, width, offset, values)
  return string.sub(column, 1, offset * width) .. values .. string.sub(column, offset * width + #values + 1)
end

-- Of each item of the groups: change(i, flags, row) -> flags, time, revision; the latter two as 4 bytes, or nil to keep them. Fingerprints
-- are of the records that are there then. A group that is a run (see mark_runs) is written at once, as is said of its first item.
local function update_catalog(sheet, groups, change)
  local function changed(group, value)
    local first, offsets = group.block * BLOCK, group.offsets
    local flags, timed, times, revised, revisions = {string.byte(value, 1, BLOCK)}, {}, {}, {}, {}
    local fingerprints = {string.byte(value, BLOCK * 9 + 1, BLOCK * 10)}
    for j, i in ipairs(group.items) do
      local offset = offsets[j]
      local flag, time, revision = change(i, flags[offset + 1], first + offset)
      flags[offset + 1] = flag
      fingerprints[offset + 1] = has(flag, RECORD) and fingerprint_of(get(sheet, 'r' .. key_of(first + offset))) or 0
      if time then timed[#timed + 1], times[#times + 1] = offset, time end
      if revision then revised[#revised + 1], revisions[#revisions + 1] = offset, revision end
    end
    local made = string.char(unpack(flags)) .. splice(string.sub(value, BLOCK + 1, BLOCK * 5), 4, timed, times)
      .. splice(string.sub(value, BLOCK * 5 + 1, BLOCK * 9), 4, revised, revisions) .. string.char(unpack(fingerprints))
    return made == zeros(BLOCK * 10) and '' or made
  end
  local function changed_run(group, value)
    local at, n = group.offsets[1], #group.offsets
    local flag, time, revision = change(group.items[1], 0, group.block * BLOCK + at)
    return overlay(string.sub(value, 1, BLOCK), 1, at, string.rep(string.char(flag), n))
      .. overlay(string.sub(value, BLOCK + 1, BLOCK * 5), 4, at, string.rep(time, n))
      .. overlay(string.sub(value, BLOCK * 5 + 1, BLOCK * 9), 4, at, string.rep(revision, n)) .. string.sub(value, BLOCK * 9 + 1)
  end
  for _, group in ipairs(groups) do
    put(sheet, 'catalog', 'c' .. group.block, (group.run and changed_run or changed)(group, catalog_of(sheet, group.block)))
  end
end

local function generation_block(sheet, generation, block)
  local value = get(sheet, generation_field(generation, block))
  return value == '' and zeros(BLOCK * (5 + generation.width)) or value
end

local function cells_of(value, generation, offset)
  local label, code = BLOCK + offset * 4, BLOCK * 5 + offset * generation.width
  return string.byte(value, offset + 1), string.sub(value, label + 1, label + 4), string.sub(value, code + 1, code + generation.width)
end

-- Of each item of the groups: change(i, flags, row) -> flags, label, code; nil keeps the one that is there. Members and codes are counted.
-- A run is written at once; all_labels and all_codes are those of all items.
local function update_generation(sheet, generation, groups, change, all_labels, all_codes)
  local members, coded, empty, width = 0, 0, zeros(BLOCK), generation.width
  local function changed(group, value)
    local first, flags, labels, codes = group.block * BLOCK, {string.byte(value, 1, BLOCK)}, {}, {}
    local labelled, coding, offsets = {}, {}, group.offsets
    for j, i in ipairs(group.items) do
      local offset = offsets[j]
      local old = flags[offset + 1]
      local new, label, code = change(i, old, first + offset)
      if new ~= old then
        flags[offset + 1] = new
        members = members + new % 2 - old % 2
        coded = coded + (has(new, CODED) and 1 or 0) - (has(old, CODED) and 1 or 0)
      end
      if label then labelled[#labelled + 1], labels[#labels + 1] = offset, label end
      if code then coding[#coding + 1], codes[#codes + 1] = offset, code end
    end
    local column = string.char(unpack(flags))
    return column == empty and '' or column .. splice(string.sub(value, BLOCK + 1, BLOCK * 5), 4, labelled, labels)
      .. splice(string.sub(value, BLOCK * 5 + 1), width, coding, codes)
  end
  local function changed_run(group, value)
    local i, at, n = group.items[1], group.offsets[1], #group.offsets
    local flag = change(i, 0, group.block * BLOCK + at)
    local codes = has(flag, CODED) and string.sub(all_codes, (i - 1) * width + 1, (i + n - 1) * width) or ''
    members, coded = members + n, coded + (codes == '' and 0 or n)
    return overlay(string.sub(value, 1, BLOCK), 1, at, string.rep(string.char(flag), n))
      .. overlay(string.sub(value, BLOCK + 1, BLOCK * 5), 4, at, string.sub(all_labels, i * 4 - 3, (i + n - 1) * 4))
      .. overlay(string.sub(value, BLOCK * 5 + 1), width, at, codes)
  end
  for _, group in ipairs(groups) do
    local value = generation_block(sheet, generation, group.block)
    put(sheet, generation.id, generation_field(generation, group.block), (group.run and changed_run or changed)(group, value))
  end
  if members ~= 0 then redis.call('HINCRBY', sheet.key, 'members:' .. generation.id, members) end
  if coded ~= 0 then redis.call('HINCRBY', sheet.key, 'coded:' .. generation.id, coded) end
end

-- `open` has a character a block: '0' and the number of its free rows.
local function blocks_of(segment)
  return redis.call('HGET', segment, 'open') or ''
end

-- Give free rows, the lowest first, to the ids whose row is false; new blocks are made where none is free.
local function allocate(sheet, ids, rows)
  local open, from, index, fresh = blocks_of(sheet.key), 1, {}, {}
  local wanted = {}
  for i = 1, #ids do
    if rows[i] == false then wanted[#wanted + 1] = i end
  end
  if #wanted == 0 then return fresh end
  local at = 1
  while at <= #wanted do
    local block = string.find(open, '[^0]', from)
    if not block then
      local more = math.ceil((#wanted - at + 1) / BLOCK)
      from = #open + 1
      open = open .. string.rep(string.char(48 + BLOCK), more)
      block = from
    end
    local names, left = names_of(sheet, block - 1), string.byte(open, block) - 48
    for offset = 1, BLOCK do
      if left == 0 or at > #wanted then break end
      if names[offset] == '' then
        local i = wanted[at]
        names[offset], rows[i] = ids[i], (block - 1) * BLOCK + offset - 1
        fresh[i] = true
        index[#index + 1] = rows.fields[i]
        index[#index + 1] = key_of(rows[i])
        at, left = at + 1, left - 1
      end
    end
    put_names(sheet, block - 1, names)
    open = string.sub(open, 1, block - 1) .. string.char(48 + left) .. string.sub(open, block + 1)
    from = block
  end
  redis.call('HSET', sheet.key, 'open', open)
  redis.call('HINCRBY', sheet.key, 'alive', #wanted)
  sliced('HSET', sheet.key, index)
  return fresh
end

-- Take the rows of these groups from their items: nothing of them is left in the catalogue or in any generation.
local function release(sheet, groups, generations)
  local open, dropped = blocks_of(sheet.key), {}
  load_blocks(sheet, groups, generations)
  for _, group in ipairs(groups) do
    local names = names_of(sheet, group.block)
    for _, offset in ipairs(group.offsets) do
      dropped[#dropped + 1] = index_field(names[offset + 1])
      names[offset + 1] = ''
    end
    put_names(sheet, group.block, names)
    local free = string.byte(open, group.block + 1) + #group.offsets
    open = string.sub(open, 1, group.block) .. string.char(free) .. string.sub(open, group.block + 2)
  end
  update_catalog(sheet, groups, function(_, flags, row)
    if has(flags, TAGS) then put(sheet, 'catalog', 't' .. key_of(row), '') end
    if has(flags, RECORD) then put(sheet, 'catalog', 'r' .. key_of(row), '') end
    return 0, '\0\0\0\0', '\0\0\0\0'
  end)
  for _, generation in ipairs(generations) do
    local blank = zeros(generation.width)
    update_generation(sheet, generation, groups, function(_, flags, row)
      if has(flags, LABELS) then put(sheet, generation.id, field_of('s', generation.id, row), '') end
      if has(flags, OWN) then put(sheet, generation.id, field_of('o', generation.id, row), '') end
      return 0, '\0\0\0\0', blank
    end)
  end
  redis.call('HSET', sheet.key, 'open', open)
  redis.call('HINCRBY', sheet.key, 'alive', 0 - #dropped)  -- Redis 7.0 takes no "-0"
  sliced('HDEL', sheet.key, dropped)
end

-- Consecutive rows, as uint32 first and uint32 length of each run.
local function runs_of(rows)
  local runs, first, length = {}, nil, 0
  for _, i in ipairs(ascending(rows)) do
    local row = rows[i]
    if first and row == first + length then
      length = length + 1
    else
      if first then runs[#runs + 1] = struct.pack('<I4I4', first, length) end
      first, length = row, 1
    end
  end
  if first then runs[#runs + 1] = struct.pack('<I4I4', first, length) end
  return table.concat(runs)
end

local function microseconds()
  local now = redis.call('TIME')
  return tonumber(now[1]) * 1000000 + tonumber(now[2])
end

-- A write's number may be followed by ':' and a digest of what is written, where the caller names the write: another batch by the
-- same name is told. The answer to a write that is sent again, or the refusal of one that comes too late; nothing for a new one. The answer is written
-- again, so that a client that waits for it to reach a disk or a replica waits for the first one as well.
local function repeated(keys, writer, number)
  local last = redis.call('HGET', keys[3], writer)
  if not last then return nil end
  local known, position, _, results = string.match(last, '^([^\255]+)\255(%d+)\255(%d+)\255(.*)$')
  if known == number then
    redis.call('HSET', keys[3], writer, last)
    return {tonumber(position), results}
  end
  local latest, ours = tonumber(string.match(known, '^%d+')), tonumber(string.match(number, '^%d+'))
  writer = string.match(writer, '^%d+ (.*)$') or writer  -- without the round of a named write
  if latest == ours then
    return other_write('write ' .. whole(ours) .. ' of writer ' .. writer .. ' was another batch: number writes upwards')
  end
  if latest > ours then
    return other_write('write ' .. whole(ours) .. ' of writer ' .. writer .. ' comes after its write ' .. whole(latest) .. ': number writes upwards')
  end
end

-- The end of every write: sheet, position, the entry that names the rows, the writer's last result, and a hint to followers.
local function finish(keys, sheet, operation, rows, writer, number, results)
  write(sheet)
  local runs = runs_of(rows)
  local stamp, position = whole(microseconds()), state(keys[1], 'position')
  if runs ~= '' or operation == 'generation' then
    position = position + 1
    redis.call('HSET', keys[1], 'position', position, 'stamp', stamp)
    redis.call('XADD', keys[2], 'MAXLEN', '~', KEPT, position .. '-0', 'operation', operation, 'rows', runs, 'stamp', stamp)
    local collection, segment = string.match(keys[1], '^(.*):(%d+)}$')
    redis.call('PUBLISH', collection .. '}:changed', segment .. ' ' .. position)
  end
  if writer ~= '' then
    redis.call('HSET', keys[3], writer, number .. '\255' .. position .. '\255' .. stamp .. '\255' .. results)
  end
  return {position, results}
end

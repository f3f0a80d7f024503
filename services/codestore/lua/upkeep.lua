-- Upkeep of a segment: it is made, generations begin and end in it, and room is given back, each call a few blocks.

local STEP = 32          -- rows after which a call of what takes longest ends: each takes some ten microseconds

-- incarnation. What another incarnation left is removed. An entry makes the stream exist from the start.
local function make_segment(keys, args)
  if is_of(keys, args[1]) then return 0 end
  redis.call('UNLINK', keys[1], keys[2], keys[3])
  redis.call('XADD', keys[2], '0-1', 'operation', 'made')
  redis.call('HSET', keys[3], '', '')
  redis.call('HSET', keys[1], 'incarnation', args[1], 'open', '', 'generations', '')
  return 1
end

-- States of a generation in a segment: beginning -> building -> live -> retired -> reviving -> live, and dropping. Writes of the API reach
-- all but those that are retired or dropping. Rows are not moved while one is beginning, reviving or dropping: these go block by block.

-- The API's items of some blocks become members, as the API has them. A code is dropped whose picture was set after the position
-- `missing` and up to `upto`: writes between the two did not reach the generation. -> next block or -1
local function enlist(keys, generation, block, blocks, missing, upto)
  local sheet, rows, last = sheet_of(keys[1]), {}, #blocks_of(keys[1])
  local stop = math.min(block + blocks, last)
  while block < stop do
    local value = get(sheet, generation_field(OURS, block))
    if value ~= '' then
      for offset = 0, BLOCK - 1 do
        if has(string.byte(value, offset + 1), MEMBER) then rows[#rows + 1] = block * BLOCK + offset end
      end
    end
    block = block + 1
  end
  local blank = zeros(generation.width)
  update_generation(sheet, generation, by_block(rows), function(_, flags, row)
    local offset, catalog = row % BLOCK, catalog_of(sheet, block_of(row))
    local own, label = cells_of(generation_block(sheet, OURS, block_of(row)), OURS, offset)
    local set = has(own, LABELS) and get(sheet, field_of('s', '', row)) or nil
    flags = put_sparse(sheet, generation.id, 's', generation.id, row, set, flags, LABELS)
    if has(flags, MEMBER) and has(string.byte(catalog, offset + 1), DATA) then flags = with(flags, PICTURED) end
    flags = with(put_sparse(sheet, generation.id, 'o', generation.id, row, nil, flags, OWN), MEMBER)
    local revision = struct.unpack('<I4', catalog, BLOCK * 5 + offset * 4 + 1)
    if missing < revision and revision <= upto then return without(flags, CODED), label, blank end
    return flags, label
  end)
  finish(keys, sheet, 'begin', rows, '', 0, '')
  return block < last and block or -1
end

-- incarnation, generation, bits, first block, blocks: the API's items of these blocks become members. -> next block or -1
local function begin_segment(keys, args)
  if not is_of(keys, args[1]) then return stale(keys[1]) end
  local segment, list, by_id = keys[1], generations_of(keys[1])
  if not by_id[args[2]] then
    list[#list + 1] = {id = args[2], bits = args[3], state = 'beginning'}
    keep_generations(segment, list)
    redis.call('HSET', segment, 'begun:' .. args[2], state(segment, 'position'))
    list, by_id = generations_of(segment)
  end
  local generation, refused = begun(by_id, args[2], args[3], segment)
  if refused then return refused end
  if generation.state == 'live' then  -- its sealing was interrupted: the collection has it as building still
    generation.state = 'building'
    keep_generations(segment, list)
  end
  if generation.state ~= 'beginning' then return -1 end
  local following = enlist(keys, generation, tonumber(args[4]), tonumber(args[5]), 0, 0)
  if following == -1 then
    generation.state = 'building'
    keep_generations(segment, list)
  end
  return following
end

-- incarnation, generation, state: live (of a building one), or retired
local function mark_segment(keys, args)
  if not is_of(keys, args[1]) then return stale(keys[1]) end
  local list, by_id = generations_of(keys[1])
  local known, to = by_id[args[2]], args[3]
  if not known or known.state == 'dropping' then
    return refuse('there is no generation ' .. args[2] .. ' in ' .. keys[1] .. ': begin it first')
  end
  if known.state == 'beginning' then
    return refuse('generation ' .. args[2] .. ' is not begun to its end in ' .. keys[1] .. ': begin it again')
  end
  if to == 'live' and known.state ~= 'building' then return 0 end
  if to == 'retired' and known.state ~= 'retired' and known.state ~= 'reviving' then
    redis.call('HSET', keys[1], 'missing:' .. args[2], state(keys[1], 'position'))
  end
  known.state = to
  keep_generations(keys[1], list)
  return 1
end

-- incarnation, generation, first block, blocks: writes of the API reach a retired generation again; of these blocks it takes what it has
-- missed. -> next block or -1
local function revive(keys, args)
  if not is_of(keys, args[1]) then return stale(keys[1]) end
  local segment, list, by_id = keys[1], generations_of(keys[1])
  local known = by_id[args[2]]
  if not known or known.state == 'dropping' then
    return refuse('there is no generation ' .. args[2] .. ' in ' .. segment .. ': begin it first')
  end
  if known.state == 'retired' then
    known.state = 'reviving'
    keep_generations(segment, list)
    redis.call('HSET', segment, 'revived:' .. args[2], state(segment, 'position'))
  end
  if known.state ~= 'reviving' then return -1 end
  local missing, upto = state(segment, 'missing:' .. args[2]), state(segment, 'revived:' .. args[2])
  local following = enlist(keys, known, tonumber(args[3]), tonumber(args[4]), missing, upto)
  if following == -1 then
    known.state = 'live'
    keep_generations(segment, list)
    redis.call('HDEL', segment, 'missing:' .. args[2], 'revived:' .. args[2])
  end
  return following
end

-- incarnation, generation, first block, blocks: its fields of these blocks are removed, after the last the generation. -> next block or -1
local function drop(keys, args)
  if not is_of(keys, args[1]) then return stale(keys[1]) end
  local segment, list, by_id = keys[1], generations_of(keys[1])
  local generation = by_id[args[2]]
  if not generation then return -1 end
  if generation.state ~= 'dropping' then
    generation.state = 'dropping'
    keep_generations(segment, list)
  end
  local sheet, block, last = sheet_of(segment), tonumber(args[3]), #blocks_of(segment)
  local stop, rows = math.min(block + tonumber(args[4]), last), {}
  while block < stop do
    if get(sheet, generation_field(generation, block)) ~= '' then
      for offset = 0, BLOCK - 1 do rows[#rows + 1] = block * BLOCK + offset end
    end
    block = block + 1
  end
  local blank = zeros(generation.width)
  update_generation(sheet, generation, by_block(rows), function(_, flags, row)
    put_sparse(sheet, generation.id, 's', generation.id, row, nil, flags, LABELS)
    put_sparse(sheet, generation.id, 'o', generation.id, row, nil, flags, OWN)
    return 0, '\0\0\0\0', blank
  end)
  write(sheet)
  if block < last then return block end
  local left = {}
  for _, other in ipairs(list) do
    if other.id ~= args[2] then left[#left + 1] = other end
  end
  keep_generations(segment, left)
  redis.call('HDEL', segment, 'sum:' .. args[2], 'members:' .. args[2], 'coded:' .. args[2], 'begun:' .. args[2], 'missing:' .. args[2],
    'revived:' .. args[2])
  finish(keys, sheet_of(segment), 'generation', {}, '', 0, '')
  return -1
end

-- incarnation, first block, blocks: items of a data set that are members of no generation are removed. -> {next block or -1, removed}
local function sweep(keys, args)
  if not is_of(keys, args[1]) then return stale(keys[1]) end
  local segment, list, rows = keys[1], generations_of(keys[1]), {}
  local sheet, block, last = sheet_of(segment), tonumber(args[2]), #blocks_of(segment)
  local stop = math.min(block + tonumber(args[3]), last)
  while block < stop and #rows < STEP do
    local catalog = catalog_of(sheet, block)
    for offset = 0, BLOCK - 1 do
      local flags, wanted = string.byte(catalog, offset + 1), false
      if has(flags, ALIVE) and not has(flags, API) then
        for _, generation in ipairs(list) do
          local value = get(sheet, generation_field(generation, block))
          wanted = wanted or value ~= '' and has(string.byte(value, offset + 1), MEMBER)
        end
        if not wanted then rows[#rows + 1] = block * BLOCK + offset end
      end
    end
    block = block + 1
  end
  if #rows > 0 then
    release(sheet, by_block(rows), list)
    finish(keys, sheet, 'sweep', rows, '', 0, '')
  end
  return {block < last and block or -1, #rows}
end

-- incarnation, generation, first block, blocks: what this generation alone says of an item, or all that have it say alike, becomes the
-- catalogue's. -> next block or -1
local function fold(keys, args)
  if not is_of(keys, args[1]) then return stale(keys[1]) end
  local segment, list, by_id = keys[1], generations_of(keys[1])
  local generation = by_id[args[2]]
  if not generation then return -1 end
  local sheet, own, rows, block, last = sheet_of(segment), {}, {}, tonumber(args[3]), #blocks_of(segment)
  local stop = math.min(block + tonumber(args[4]), last)
  while block < stop and #own < STEP do
    local flags = string.sub(get(sheet, generation_field(generation, block)), 1, BLOCK)
    if any_is(flags, WITH_SPARSE) then
      for offset = 0, BLOCK - 1 do
        if has(string.byte(flags, offset + 1), OWN) then own[#own + 1] = block * BLOCK + offset end
      end
    end
    block = block + 1
  end
  load_blocks(sheet, by_block(own), list)
  load_sparse(sheet, by_block(own), list)
  for _, row in ipairs(own) do
    local record, alike = get(sheet, field_of('o', generation.id, row)), true
    for _, other in ipairs(list) do
      local cells = get(sheet, generation_field(other, block_of(row)))
      local flags = cells == '' and 0 or string.byte(cells, row % BLOCK + 1)
      if has(flags, MEMBER) then
        alike = alike and has(flags, OWN) and get(sheet, field_of('o', other.id, row)) == record
      end
    end
    if alike then rows[#rows + 1] = row end
  end
  if #rows > 0 then
    local groups = by_block(rows)
    update_catalog(sheet, groups, function(_, flags, row)
      local record, tags = string.match(get(sheet, field_of('o', generation.id, row)), '^([^\255]*\255[^\255]*\255[^\255]*\255[^\255]*\255)(.*)$')
      flags = put_sparse(sheet, 'catalog', 'r', nil, row, record ~= '\255\255\255\255' and record, flags, RECORD)
      return put_sparse(sheet, 'catalog', 't', nil, row, tags, flags, TAGS)
    end)
    for _, other in ipairs(list) do
      update_generation(sheet, other, groups, function(_, flags, row)
        return put_sparse(sheet, other.id, 'o', other.id, row, nil, flags, OWN)
      end)
    end
    finish(keys, sheet, 'fold', rows, '', 0, '')
  end
  return block < last and block or -1
end

-- All that is kept of items but their names and the index: from rows to free rows of other blocks, aligned.
local function move(sheet, from, to, generations)
  local here, there, zero = by_block(from), by_block(to), zeros(4)
  load_blocks(sheet, here, generations)
  load_blocks(sheet, there, generations)
  load_sparse(sheet, here, generations)
  local function carry(kind, letter, generation, i)
    local old = sparse_field(letter, generation, from[i])
    put(sheet, kind, sparse_field(letter, generation, to[i]), get(sheet, old))
    put(sheet, kind, old, '')
  end
  local flags, times, revisions = {}, {}, {}
  update_catalog(sheet, here, function(i, bits)
    local value, at = catalog_of(sheet, block_of(from[i])), BLOCK + from[i] % BLOCK * 4 + 1
    flags[i], times[i], revisions[i] = bits, string.sub(value, at, at + 3), string.sub(value, at + BLOCK * 4, at + BLOCK * 4 + 3)
    if has(bits, RECORD) then carry('catalog', 'r', nil, i) end
    if has(bits, TAGS) then carry('catalog', 't', nil, i) end
    return 0, zero, zero
  end)
  update_catalog(sheet, there, function(i) return flags[i], times[i], revisions[i] end)
  for _, generation in ipairs(generations) do
    local own, labels, codes, blank = {}, {}, {}, zeros(generation.width)
    update_generation(sheet, generation, here, function(i)
      own[i], labels[i], codes[i] = cells_of(generation_block(sheet, generation, block_of(from[i])), generation, from[i] % BLOCK)
      if has(own[i], LABELS) then carry(generation.id, 's', generation.id, i) end
      if has(own[i], OWN) then carry(generation.id, 'o', generation.id, i) end
      return 0, zero, blank
    end)
    update_generation(sheet, generation, there, function(i) return own[i], labels[i], codes[i] end)
  end
end

-- The first of the names, from one offset to another, that is free or is not.
local function find_name(names, free, first, last, step)
  for offset = first, last, step do
    if (names[offset] == '') == free then return offset end
  end
end

-- incarnation, most: the last items are moved into the first free rows, and blocks that are left empty are given back. -> rows moved
local function compact(keys, args)
  if not is_of(keys, args[1]) then return stale(keys[1]) end
  local segment, list, most = keys[1], generations_of(keys[1]), tonumber(args[2])
  for _, generation in ipairs(list) do
    if generation.state == 'beginning' or generation.state == 'reviving' or generation.state == 'dropping' then return 0 end
  end
  list[#list + 1] = OURS
  local open, sheet, empty = blocks_of(segment), sheet_of(segment), string.char(48 + BLOCK)
  local from, to, rows, index, names = {}, {}, {}, {}, {}
  local function names_at(block)
    names[block] = names[block] or names_of(sheet, block)
    return names[block]
  end
  local function count(block, change)
    open = string.sub(open, 1, block) .. string.char(string.byte(open, block + 1) + change) .. string.sub(open, block + 2)
  end
  while true do
    while #open > 0 and string.sub(open, -1) == empty do open = string.sub(open, 1, -2) end
    local first, last = string.find(open, '[^0]'), #open
    if not first or first == last or #from >= most then break end
    local lower, upper = names_at(first - 1), names_at(last - 1)
    local low, high = find_name(lower, true, 1, BLOCK, 1), find_name(upper, false, BLOCK, 1, -1)
    lower[low], upper[high] = upper[high], ''
    local n = #from + 1
    from[n], to[n] = (last - 1) * BLOCK + high - 1, (first - 1) * BLOCK + low - 1
    rows[2 * n - 1], rows[2 * n] = from[n], to[n]
    index[2 * n - 1], index[2 * n] = index_field(lower[low]), key_of(to[n])
    count(first - 1, -1)
    count(last - 1, 1)
  end
  if open ~= blocks_of(segment) then
    for block, own in pairs(names) do put_names(sheet, block, own) end
    move(sheet, from, to, list)
    sliced('HSET', segment, index)
    redis.call('HSET', segment, 'open', open)
    finish(keys, sheet, #from == 0 and 'generation' or 'compact', rows, '', 0, '')
  end
  return #from
end

-- incarnation, before (microseconds), writers: those of them whose last write is older are forgotten
local function forget_writers(keys, args)
  if not is_of(keys, args[1]) then return stale(keys[1]) end
  local dropped = 0
  for _, writer in ipairs(texts(args[3])) do
    local last = writer ~= '' and redis.call('HGET', keys[3], writer)
    local stamp = last and tonumber(string.match(last, '^[^\255]+\255%d+\255(%d+)\255'))
    if stamp and stamp < tonumber(args[2]) then dropped = dropped + redis.call('HDEL', keys[3], writer) end
  end
  return dropped
end

-- Whether a segment is not where it was when somebody decided what to do with it.
local function moved_from(segment, expected)
  if expected == '' or state(segment, 'position') == tonumber(expected) then return nil end
  return refuse(segment .. ' was written meanwhile: look at it again')
end

-- incarnation, position it must be at or '', field, value, ...: checksummed fields as `raw` gave them, into a segment of this
-- incarnation. '' removes a field. The index of ids and the counts follow with `settle`.
local function restore_raw(keys, args)
  if not is_of(keys, args[1]) then return stale(keys[1]) end
  local refused = moved_from(keys[1], args[2])
  if refused then return refused end
  return put_fields(keys[1], args, 3)
end

-- incarnation, position, blocks, generations (id, bits, state, sum), sums of names, catalog and deleted, first block, how many,
-- position it must be at or '': what follows from restored fields: index, counts, state; it never goes back to a lower position.
-- The index is made block by block; all else with the last. -> next block or -1
local function settle(keys, args)
  if not is_of(keys, args[1]) then return stale(keys[1]) end
  local segment, blocks, block = keys[1], tonumber(args[3]), tonumber(args[8])
  local refused = moved_from(segment, args[10])
  if refused then return refused end
  local sheet, stop, index = sheet_of(segment), math.min(block + tonumber(args[9]), blocks), {}
  while block < stop do
    for offset, id in ipairs(names_of(sheet, block)) do
      if id ~= '' then
        index[#index + 1], index[#index + 2] = index_field(id), key_of(block * BLOCK + offset - 1)
      end
    end
    block = block + 1
  end
  sliced('HSET', segment, index)
  if block < blocks then return block end
  local flat, list, open, alive = texts(args[4]), {}, {}, 0
  for i = 1, #flat, 4 do
    if flat[i] ~= '' then list[#list + 1] = {id = flat[i], bits = flat[i + 1], state = flat[i + 2]} end
    redis.call('HSET', segment, 'sum:' .. flat[i], flat[i + 3])
  end
  keep_generations(segment, list)
  list = generations_of(segment)
  list[#list + 1] = OURS
  for b = 0, blocks - 1 do
    local free = 0
    for _, id in ipairs(names_of(sheet, b)) do
      if id == '' then free = free + 1 end
    end
    open[#open + 1], alive = string.char(48 + free), alive + BLOCK - free
  end
  for _, generation in ipairs(list) do
    local members, coded = 0, 0
    for b = 0, blocks - 1 do
      local value = get(sheet, generation_field(generation, b))
      for _, flags in ipairs({string.byte(value, 1, BLOCK)}) do
        members, coded = members + flags % 2, coded + (has(flags, CODED) and 1 or 0)
      end
    end
    redis.call('HSET', segment, 'members:' .. generation.id, members, 'coded:' .. generation.id, coded)
  end
  local deleted = 0
  for bucket = 0, 255 do deleted = deleted + #texts(get(sheet, string.format('d%02x', bucket))) end
  redis.call('HSET', segment, 'open', table.concat(open), 'alive', alive, 'deleted', deleted,
    'sum:names', args[5], 'sum:catalog', args[6], 'sum:deleted', args[7],
    'position', whole(math.max(tonumber(args[2]), state(segment, 'position'))))
  finish(keys, sheet_of(segment), 'generation', {}, '', 0, '')
  redis.call('XTRIM', keys[2], 'MAXLEN', 0)
  return -1
end

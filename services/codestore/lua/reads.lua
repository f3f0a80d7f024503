-- What followers, backfills and people read of a segment: pages of blocks, changes since a position, lacking codes, counts.

local MANY = 4096        -- rows of one answer to `changes`, about
local FEW = 8            -- digests that are looked for as text before any record is taken apart

-- Columns of some rows, block by block; `offsets` of a group nil: all of the block.
local function columns_of(segment, generation, groups)
  local sheet, names, flags, owns, labels, codes, fingerprints = sheet_of(segment), {}, {}, {}, {}, {}, {}
  local sets, tags, any_set, any_tags, n, fields = {}, {}, false, false, 0, {}
  for i, group in ipairs(groups) do
    fields[i * 3 - 2], fields[i * 3 - 1], fields[i * 3] = 'n' .. group.block, 'c' .. group.block, generation_field(generation, group.block)
  end
  local found, width = fetch(segment, fields), generation.width
  local renewed, renewals  -- offsets of rows of a block, and their fingerprints, where a generation has a record of its own
  local function sparse(at, flag, own, row)
    sets[at], tags[at] = '', ''
    if has(own, LABELS) then sets[at], any_set = get(sheet, field_of('s', generation.id, row)), true end
    if has(own, OWN) then
      local record = get(sheet, field_of('o', generation.id, row))
      tags[at] = string.match(record, '^[^\255]*\255[^\255]*\255[^\255]*\255[^\255]*\255(.*)$')
      any_tags = any_tags or tags[at] ~= ''
      renewed[#renewed + 1], renewals[#renewals + 1] = row % BLOCK, string.char(fingerprint_of(record))
    elseif has(flag, TAGS) then
      tags[at], any_tags = get(sheet, 't' .. key_of(row)), true
    end
  end
  for i, group in ipairs(groups) do
    local name, catalog = found[i * 3 - 2] or no_names(), catalog_columns(found[i * 3 - 1] or '')
    renewed, renewals = {}, {}
    local value, row = found[i * 3] or zeros(BLOCK * (5 + width)), group.block * BLOCK
    local flag, own = string.sub(catalog, 1, BLOCK), string.sub(value, 1, BLOCK)
    local rich = any_is(flag, WITH_TAGS) or any_is(own, WITH_SPARSE)
    if not group.offsets then
      names[#names + 1], flags[#flags + 1], owns[#owns + 1] = name, flag, own
      labels[#labels + 1] = string.sub(value, BLOCK + 1, BLOCK * 5)
      codes[#codes + 1] = string.sub(value, BLOCK * 5 + 1)
      if rich then
        for offset = 0, BLOCK - 1 do sparse(n + offset + 1, string.byte(flag, offset + 1), string.byte(own, offset + 1), row + offset) end
      end
      n = n + BLOCK
      fingerprints[#fingerprints + 1] = splice(string.sub(catalog, BLOCK * 9 + 1), 1, renewed, renewals)
    else
      local parsed = texts(name)
      for _, offset in ipairs(group.offsets) do
        n = n + 1
        local bits, label, code = cells_of(value, generation, offset)
        names[#names + 1] = parsed[offset + 1] .. '\255'
        flags[#flags + 1] = string.sub(flag, offset + 1, offset + 1)
        owns[#owns + 1], labels[#labels + 1], codes[#codes + 1] = string.char(bits), label, code
        if rich then sparse(n, string.byte(flag, offset + 1), bits, row + offset) end
      end
      local column = splice(string.sub(catalog, BLOCK * 9 + 1), 1, renewed, renewals)
      for _, offset in ipairs(group.offsets) do fingerprints[#fingerprints + 1] = string.sub(column, offset + 1, offset + 1) end
    end
  end
  local set_lengths, set_values, tag_lengths, tag_values = '', '', '', ''
  if any_set or any_tags then
    for i = 1, n do sets[i], tags[i] = sets[i] or '', tags[i] or '' end
    set_lengths, set_values = joined(sets)
    tag_lengths, tag_values = joined(tags)
  end
  return table.concat(flags), table.concat(owns), table.concat(names), table.concat(labels), set_lengths, set_values,
    table.concat(codes), tag_lengths, tag_values, table.concat(fingerprints)
end

local function readable(segment, generation)
  local _, by_id = generations_of(segment)
  local known = by_id[generation]
  return known and known.state ~= 'dropping' and known
end

local function stamp_of(segment)
  return redis.call('HGET', segment, 'stamp') or '0'
end

-- incarnation, generation, first block, blocks -> {'PAGE', position, stamp, rows of the segment, bytes of a code, columns ...}
local function page(keys, args)
  local segment, groups = keys[1], {}
  if not is_of(keys, args[1]) then return stale(segment) end
  local generation = readable(segment, args[2])
  if not generation then return {'GONE'} end
  local blocks = #blocks_of(segment)
  for block = tonumber(args[3]), math.min(tonumber(args[3]) + tonumber(args[4]), blocks) - 1 do groups[#groups + 1] = {block = block} end
  return {'PAGE', state(segment, 'position'), stamp_of(segment), blocks * BLOCK, generation.width, columns_of(segment, generation, groups)}
end

local function entry_of(entry)
  local fields = {}
  for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
  return tonumber(string.match(entry[1], '^%d+')), fields
end

-- Whether the segment's history has this mark: a position, and the stamp of the write that led to it.
local function has_mark(keys, latest, position, stamp)
  if position > latest then return false end
  if position == latest then return stamp_of(keys[1]) == stamp end
  if position == 0 then return stamp == '0' and #redis.call('XRANGE', keys[2], '1-0', '1-0') == 1 end
  local known = redis.call('XRANGE', keys[2], position .. '-0', position .. '-0')[1]
  if not known then return false end
  local _, fields = entry_of(known)
  return fields.stamp == stamp
end

-- incarnation, generation, since, marks seen (position, stamp) ...
-- -> {'CHANGES', position now, its stamp, rows of the segment, bytes of a code, columns ..., position up to which was read,
--     microseconds since the first write after `since`, rows uint32}
local function changes(keys, args)
  local segment, since = keys[1], tonumber(args[3])
  if not is_of(keys, args[1]) then return stale(segment) end
  local generation = readable(segment, args[2])
  if not generation then return {'GONE'} end
  local latest, seen, rows, position, age = state(segment, 'position'), {}, {}, since, 0
  for i = 4, #args, 2 do
    if not has_mark(keys, latest, tonumber(args[i]), args[i + 1]) then return {'TRIMMED'} end
  end
  if since > latest then return {'TRIMMED'} end
  if since < state(segment, 'begun:' .. args[2]) then return {'GONE'} end  -- one of that name was dropped since
  local total = #blocks_of(segment) * BLOCK
  while position < latest and #rows < MANY do
    local entries = redis.call('XRANGE', keys[2], (position + 1) .. '-0', '+', 'COUNT', 64)
    if #entries == 0 then return {'TRIMMED'} end
    for _, entry in ipairs(entries) do
      local at, fields = entry_of(entry)
      if at ~= position + 1 then return {'TRIMMED'} end
      if position == since then age = math.max(microseconds() - tonumber(fields.stamp), 0) end
      for i = 1, #fields.rows, 8 do
        local first, length = struct.unpack('<I4I4', fields.rows, i)
        for row = first, first + length - 1 do
          if not seen[row] and row < total then
            seen[row] = true
            rows[#rows + 1] = row
          end
        end
      end
      position = at
      if #rows >= MANY then break end
    end
  end
  table.sort(rows)
  local numbers = {}
  for i, row in ipairs(rows) do numbers[i] = u32(row) end
  local answer = {'CHANGES', latest, stamp_of(segment), total, generation.width, columns_of(segment, generation, by_block(rows))}
  answer[#answer + 1], answer[#answer + 2], answer[#answer + 3] = position, math.floor(age), table.concat(numbers)
  return answer
end

-- incarnation, generation, first block, blocks, position, most: members without a code whose picture was set at or before the position.
-- -> {next block or -1, ids, revisions, records (lengths, values), how many of them cannot be encoded}
local function lacking(keys, args)
  local segment = keys[1]
  if not is_of(keys, args[1]) then return stale(segment) end
  local generation = readable(segment, args[2])
  if not generation then return refuse('there is no generation ' .. args[2] .. ' in ' .. segment .. ': begin it first') end
  local sheet, ids, revisions, records, hopeless = sheet_of(segment), {}, {}, {}, 0
  local block, last = tonumber(args[3]), #blocks_of(segment)
  local stop = math.min(block + tonumber(args[4]), last)
  while block < stop and #ids < tonumber(args[6]) do
    local value = get(sheet, generation_field(generation, block))
    if value ~= '' and string.find(string.sub(value, 1, BLOCK), '[\1\5\9\13\17\21\25\29]') then
      local catalog, names = catalog_of(sheet, block), names_of(sheet, block)
      for offset = 0, BLOCK - 1 do
        local own, flags = string.byte(value, offset + 1), string.byte(catalog, offset + 1)
        local revision = string.sub(catalog, BLOCK * 5 + offset * 4 + 1, BLOCK * 5 + offset * 4 + 4)
        if has(own, MEMBER) and not has(own, CODED) and struct.unpack('<I4', revision) <= tonumber(args[5]) then
          if not has(flags, ENCODABLE) and not has(own, PICTURED) then
            hopeless = hopeless + 1
          else
            local row, record = block * BLOCK + offset, ''
            if has(own, OWN) then
              record = string.match(get(sheet, field_of('o', generation.id, row)), '^([^\255]*\255[^\255]*\255[^\255]*\255[^\255]*\255)')
            elseif has(flags, RECORD) then
              record = get(sheet, 'r' .. key_of(row))
            end
            ids[#ids + 1], revisions[#revisions + 1], records[#records + 1] = names[offset + 1], revision, record
          end
        end
      end
    end
    block = block + 1
  end
  local lengths, values = joined(records)
  return {block < last and block or -1, ended(ids), table.concat(revisions), lengths, values, hopeless}
end

-- incarnation -> {position, items, ids deleted by hand, sum of names, of the catalogue, of the deleted,
--                 {generation, bits, state, members, codes, sum} ...}
local function tally(keys, args)
  local segment, list = keys[1], nil
  if not is_of(keys, args[1]) then return stale(segment) end
  list = generations_of(segment)
  local found = {state(segment, 'position'), state(segment, 'alive'), state(segment, 'deleted'),
    state(segment, 'sum:names'), state(segment, 'sum:catalog'), state(segment, 'sum:deleted'), #blocks_of(segment)}
  list[#list + 1] = OURS
  for _, generation in ipairs(list) do
    found[#found + 1] = {generation.id, generation.bits, generation.state, state(segment, 'members:' .. generation.id),
      state(segment, 'coded:' .. generation.id), state(segment, 'sum:' .. generation.id)}
  end
  return found
end

-- Appends all fields of these blocks that carry a checksum, and their values. An index of ids that says otherwise than the names
-- is found, not believed: -> the ids that it does not lead to.
local function append_raw(found, segment, blocks, list)
  local sheet, fields, lost = sheet_of(segment), {}, {}
  for _, block in ipairs(blocks) do
    fields[#fields + 1], fields[#fields + 2] = 'n' .. block, 'c' .. block
    for _, generation in ipairs(list) do fields[#fields + 1] = generation_field(generation, block) end
  end
  load(sheet, fields)
  for _, block in ipairs(blocks) do
    local first, catalog = block * BLOCK, get(sheet, 'c' .. block)
    if any_is(string.sub(catalog, 1, BLOCK), WITH_SPARSE_CATALOG) then
      for offset = 0, BLOCK - 1 do
        local flags, row = string.byte(catalog, offset + 1), first + offset
        if has(flags, TAGS) then fields[#fields + 1] = 't' .. key_of(row) end
        if has(flags, RECORD) then fields[#fields + 1] = 'r' .. key_of(row) end
      end
    end
    for _, generation in ipairs(list) do
      local value = get(sheet, generation_field(generation, block))
      if any_is(string.sub(value, 1, BLOCK), WITH_SPARSE) then
        for offset = 0, BLOCK - 1 do
          local own, row = string.byte(value, offset + 1), first + offset
          if has(own, LABELS) then fields[#fields + 1] = field_of('s', generation.id, row) end
          if has(own, OWN) then fields[#fields + 1] = field_of('o', generation.id, row) end
        end
      end
    end
    local ids, index, rows = {}, {}, {}
    for offset, id in ipairs(texts(get(sheet, 'n' .. block))) do
      if id ~= '' then ids[#ids + 1], index[#index + 1], rows[#rows + 1] = id, index_field(id), key_of(first + offset - 1) end
    end
    for i, row in ipairs(#index > 0 and redis.call('HMGET', segment, unpack(index)) or {}) do
      if row ~= rows[i] then lost[#lost + 1] = ids[i] end
    end
  end
  load(sheet, fields)
  for _, field in ipairs(fields) do
    local value = get(sheet, field)
    if value ~= '' then found[#found + 1], found[#found + 2] = field, value end
  end
  return ended(lost)
end

local function all_generations(segment)
  local list = generations_of(segment)
  list[#list + 1] = OURS
  return list
end

-- Original and thumbnail that a record names.
local function named_in(record)
  return string.match(record, '^[^\255]*\255([^\255]*)\255([^\255]*)\255')
end

-- The fields of the records of some blocks, as the catalogue and as every generation has them.
local function record_fields(segment, first, last)
  local list, fields, records = all_generations(segment), {}, {}
  for block = first, last do
    fields[#fields + 1] = 'c' .. block
    for _, generation in ipairs(list) do fields[#fields + 1] = generation_field(generation, block) end
  end
  local found, at = fetch(segment, fields), 0
  for block = first, last do
    for k = 0, #list do
      at = at + 1
      local flags, bit, letter = string.sub(found[at] or '', 1, BLOCK), k == 0 and RECORD or OWN, 'r'
      if k > 0 then letter = 'o' .. list[k].id .. ':' end
      if any_is(flags, k == 0 and WITH_SPARSE_CATALOG or WITH_SPARSE) then
        for offset = 0, BLOCK - 1 do
          if has(string.byte(flags, offset + 1), bit) then records[#records + 1] = letter .. key_of(block * BLOCK + offset) end
        end
      end
    end
  end
  return records
end

-- incarnation, end block or -1, blocks, digests -> {first of the blocks before the end block that were looked at, those of the digests
-- that an item in them names, as the catalogue or a generation has it}. From the last block to the first, as rows move only down.
local function naming(keys, args)
  local segment, wanted, found = keys[1], texts(args[4]), {}
  if not is_of(keys, args[1]) then return stale(segment) end
  local last = #blocks_of(segment)
  if tonumber(args[2]) >= 0 then last = math.min(last, tonumber(args[2])) end
  local first = math.max(0, last - tonumber(args[3]))
  local records = fetch(segment, record_fields(segment, first, last - 1))
  for i = 1, #records do records[i] = records[i] or '' end
  local likely, none = {}, #wanted <= FEW
  local all = none and table.concat(records)
  for _, digest in ipairs(wanted) do
    likely[digest] = true
    none = none and not string.find(all, digest, 1, true)
  end
  for _, record in ipairs(none and {} or records) do
    for _, digest in ipairs({named_in(record)}) do
      if likely[digest] then
        likely[digest] = nil
        found[#found + 1] = digest
      end
    end
  end
  return {first, ended(found)}
end

-- incarnation, first block, blocks -> {position, blocks of the segment, ids that the index misses, field, value, ...}: all of these
-- blocks that carries a checksum.
local function raw(keys, args)
  local segment = keys[1]
  if not is_of(keys, args[1]) then return stale(segment) end
  local found, blocks, total = {state(segment, 'position'), #blocks_of(segment), ''}, {}, #blocks_of(segment)
  for block = tonumber(args[2]), math.min(tonumber(args[2]) + tonumber(args[3]), total) - 1 do blocks[#blocks + 1] = block end
  found[3] = append_raw(found, segment, blocks, all_generations(segment))
  return found
end

-- What a segment keeps of itself, beside fields with checksums and the index of ids: name, value, ...
local function own_state(segment)
  local names, found = {'incarnation', 'open', 'generations', 'position', 'stamp', 'alive', 'deleted', 'sum:names', 'sum:catalog', 'sum:deleted'}, {}
  for _, generation in ipairs(all_generations(segment)) do
    for _, name in ipairs({'sum:', 'members:', 'coded:', 'begun:', 'missing:', 'revived:'}) do names[#names + 1] = name .. generation.id end
  end
  for i, value in ipairs(redis.call('HMGET', segment, unpack(names))) do
    if value then found[#found + 1], found[#found + 2] = names[i], value end
  end
  return found
end

-- incarnation, position, skipped, most: of the blocks written after the position, without the first ones of the next write, at most so
-- many, as `raw` has them. -> {'TRIMMED'} where the history does not go back so far, or
-- {'RAW', position up to which was read, blocks read of the next write, position now, blocks uint32, ids that the index misses,
--  last entry of the stream, fields of the segment, {name, value ... of its own state}, {field, value ...}};
-- what was deleted by hand is among them where all was read.
local function raw_changes(keys, args)
  local segment, position, skipped, most = keys[1], tonumber(args[2]), tonumber(args[3]), tonumber(args[4])
  if not is_of(keys, args[1]) then return stale(segment) end
  local latest, total, seen, blocks = state(segment, 'position'), #blocks_of(segment), {}, {}
  if position > latest then return {'TRIMMED'} end
  while position < latest and #blocks < most do
    local entry = redis.call('XRANGE', keys[2], (position + 1) .. '-0', (position + 1) .. '-0')[1]
    if not entry then return {'TRIMMED'} end
    local _, fields = entry_of(entry)
    local at, through = 0, true
    for i = 1, #fields.rows, 8 do
      local first, length = struct.unpack('<I4I4', fields.rows, i)
      for block = block_of(first), math.min(block_of(first + length - 1), total - 1) do
        at = at + 1
        if at > skipped and not seen[block] then
          if #blocks == most then
            through = false
            break
          end
          seen[block] = true
          blocks[#blocks + 1] = block
        end
        if at > skipped then skipped = at end
      end
      if not through then break end
    end
    if not through then break end
    position, skipped = position + 1, 0
  end
  local raws, numbers = {}, {}
  for i, block in ipairs(blocks) do numbers[i] = u32(block) end
  local lost = append_raw(raws, segment, blocks, all_generations(segment))
  if position == latest then
    local buckets = {}
    for bucket = 0, 255 do buckets[#buckets + 1] = string.format('d%02x', bucket) end
    for i, value in ipairs(redis.call('HMGET', segment, unpack(buckets))) do
      if value then raws[#raws + 1], raws[#raws + 2] = buckets[i], value end
    end
  end
  local last = redis.call('XREVRANGE', keys[2], '+', '-', 'COUNT', 1)[1]
  return {'RAW', position, skipped, latest, table.concat(numbers), lost, last and entry_of(last) or latest, redis.call('HLEN', segment),
    own_state(segment), raws}
end

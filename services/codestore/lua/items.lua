-- Items: writes of the API, of a data version, of codes; and reads by id. All writes begin with
-- incarnation, writer, number of the write; and answer {position, a letter an item}.

-- What a batch of items is, in seven arguments from args[from]: ids, labels int32, label sets, records and tags (lengths
-- uint32 and values each), a byte an item whether it can be encoded.
local function batch_of(args, from)
  return {
    ids = texts(args[from]), labels = args[from + 1], sets = pieces(args[from + 2], args[from + 3]),
    records = pieces(args[from + 4], args[from + 5]), tags = pieces(args[from + 6], args[from + 7]), encodable = args[from + 8],
  }
end

-- Nobody finds such ids by chance: it takes some 2^48 tries.
local function refuse_clash(id)
  return refuse('item id ' .. string.format('%q', string.sub(id, 1, 60)) .. ' has the SHA-1 of another one in its first 96 bits: choose another id')
end

local function label_of(batch, i)
  return string.sub(batch.labels, i * 4 - 3, i * 4)
end

-- What decides on a code: the picture and where it is, the first two parts of a record.
local function picture_in(record)
  return string.match(record, '^[^\255]*\255[^\255]*') or '\255'
end

local function bucket_of(id)
  return 'd' .. string.sub(redis.sha1hex(id), 1, 2)
end

-- Ids of a data set that were deleted by hand, in buckets of ended texts.
local function is_buried(sheet, id)
  return string.find('\255' .. get(sheet, bucket_of(id)), '\255' .. id .. '\255', 1, true) ~= nil
end

local function bury(sheet, id)
  if not is_buried(sheet, id) then
    put(sheet, 'deleted', bucket_of(id), get(sheet, bucket_of(id)) .. id .. '\255')
    redis.call('HINCRBY', sheet.key, 'deleted', 1)
  end
end

local function unbury(sheet, id)
  local field = bucket_of(id)
  local value = '\255' .. get(sheet, field)
  local first, last = string.find(value, '\255' .. id .. '\255', 1, true)
  if first then
    put(sheet, 'deleted', field, string.sub(value, 2, first) .. string.sub(value, last + 1))
    redis.call('HINCRBY', sheet.key, 'deleted', -1)
  end
end

-- A sparse field, nil or '' to remove it -> flags that say whether it is there.
local function put_sparse(sheet, kind, letter, generation, row, value, flags, bit)
  if value and value ~= '' then
    put(sheet, kind, sparse_field(letter, generation, row), value)
    return with(flags, bit)
  end
  if has(flags, bit) then
    put(sheet, kind, sparse_field(letter, generation, row), '')
    return flags - bit
  end
  return flags
end

local function put_catalog(sheet, batch, i, flags, row)
  flags = put_sparse(sheet, 'catalog', 'r', nil, row, batch.records[i], flags, RECORD)
  flags = put_sparse(sheet, 'catalog', 't', nil, row, batch.tags[i], flags, TAGS)
  return string.byte(batch.encodable, i) == 1 and with(flags, ENCODABLE) or without(flags, ENCODABLE)
end

-- The sparse fields of these rows, before any is looked at: so they are read together.
local function load_sparse(sheet, groups, generations)
  local fields = {}
  for _, group in ipairs(groups) do
    local flags, first = string.sub(catalog_of(sheet, group.block), 1, BLOCK), group.block * BLOCK
    if any_is(flags, WITH_SPARSE_CATALOG) then
      for _, offset in ipairs(group.offsets) do
        local bits = string.byte(flags, offset + 1)
        if has(bits, RECORD) then fields[#fields + 1] = 'r' .. key_of(first + offset) end
        if has(bits, TAGS) then fields[#fields + 1] = 't' .. key_of(first + offset) end
      end
    end
    for _, generation in ipairs(generations) do
      local own = string.sub(get(sheet, generation_field(generation, group.block)), 1, BLOCK)
      if any_is(own, WITH_SPARSE) then
        for _, offset in ipairs(group.offsets) do
          local bits = string.byte(own, offset + 1)
          if has(bits, LABELS) then fields[#fields + 1] = field_of('s', generation.id, first + offset) end
          if has(bits, OWN) then fields[#fields + 1] = field_of('o', generation.id, first + offset) end
        end
      end
    end
  end
  load(sheet, fields)
end

-- A group is a run where its items are new, come one after the other, and have nothing that is kept beside their block: most of a first
-- load. Where none has a record, all can be encoded or none.
local function mark_runs(groups, batch, fresh)
  for _, group in ipairs(groups) do
    local first, n = group.items[1], #group.items
    group.run = group.offsets[n] - group.offsets[1] == n - 1
    for k, i in ipairs(group.items) do
      group.run = group.run and i == first + k - 1 and fresh[i] and not (batch.records[i] or batch.tags[i] or batch.sets[i])
    end
  end
end

-- New revisions of the rows that are marked.
local function renew(sheet, rows, marked, position)
  local some, any = {n = rows.n}, false
  for i = 1, rows.n do
    some[i] = marked[i] and rows[i] or false
    any = any or some[i]
  end
  if any then update_catalog(sheet, by_block(some), function(_, flags) return flags, nil, position end) end
end

local function living(list)
  local found = {OURS}
  for _, generation in ipairs(list) do
    if generation.state ~= 'retired' and generation.state ~= 'dropping' then found[#found + 1] = generation end
  end
  return found
end

-- Items are as the batch says from now on, in the catalogue and in every live generation, with the codes of the generations of which there are
-- some. rows[i] is false where item i is new, nil where it is left out. -> n: new, r: replaced, a: left out
local function put_items(keys, args, sheet, list, batch, rows, codes)
  local segment, live = keys[1], living(list)
  local fresh = allocate(sheet, batch.ids, rows)
  local groups = by_block(rows)
  load_blocks(sheet, groups, live)
  load_sparse(sheet, groups, live)
  local position = u32((state(segment, 'position') + 1) % 4294967296)
  local now, moved, results, buried = u32(math.floor(microseconds() / 1000000)), {}, {}, state(segment, 'deleted') > 0
  local edited = {}  -- items of a data set that the API writes for the first time
  if not buried then mark_runs(groups, batch, fresh) end
  for i = 1, #batch.ids do results[i] = fresh[i] and 'n' or rows[i] and 'r' or 'a' end
  update_catalog(sheet, groups, function(i, flags, row)
    local old = has(flags, RECORD) and get(sheet, 'r' .. key_of(row)) or ''
    moved[i] = fresh[i] or picture_in(old) ~= picture_in(batch.records[i] or '')
    if fresh[i] and buried then
      if is_buried(sheet, batch.ids[i]) then
        unbury(sheet, batch.ids[i])
        flags = with(flags, DATA)
      end
    elseif not fresh[i] and not has(flags, API) then
      flags, edited[i] = with(flags, DATA), true
    end
    flags = put_catalog(sheet, batch, i, with(with(flags, ALIVE), API), row)
    return flags, now, moved[i] and position or nil
  end)
  local renewed = {}  -- a generation had another picture than the catalogue
  for _, generation in ipairs(live) do
    local own, width, blank = codes[generation.id], generation.width, zeros(generation.width)
    update_generation(sheet, generation, groups, function(i, flags, row)
      local changed = moved[i]
      if has(flags, OWN) then
        changed = picture_in(get(sheet, field_of('o', generation.id, row))) ~= picture_in(batch.records[i] or '')
        renewed[i] = renewed[i] or changed
      end
      flags = put_sparse(sheet, generation.id, 's', generation.id, row, batch.sets[i], flags, LABELS)
      if edited[i] and has(flags, MEMBER) then flags = with(flags, PICTURED) end
      flags = with(put_sparse(sheet, generation.id, 'o', generation.id, row, nil, flags, OWN), MEMBER)
      if own then return with(flags, CODED), label_of(batch, i), string.sub(own, (i - 1) * width + 1, i * width) end
      if changed then return without(flags, CODED), label_of(batch, i), blank end
      return flags, label_of(batch, i)
    end, batch.labels, own)
  end
  renew(sheet, rows, renewed, position)
  return finish(keys, sheet, 'items', rows, args[2], args[3], table.concat(results))
end

-- batch; then of each generation whose codes come with the items: id, bits, codes. -> n: new, r: replaced
local function write_items(keys, args)
  if not is_of(keys, args[1]) then return stale(keys[1]) end
  local again = repeated(keys, args[2], args[3])
  if again then return again end
  local segment, batch = keys[1], batch_of(args, 4)
  local list, by_id = generations_of(segment)
  local codes = {}
  for at = 13, #args, 3 do
    local generation, refused = begun(by_id, args[at], args[at + 1], segment)
    if refused then return refused end
    if #args[at + 2] ~= #batch.ids * generation.width then
      return refuse(#batch.ids .. ' items came with ' .. #args[at + 2] .. ' bytes of codes, not ' .. #batch.ids * generation.width)
    end
    codes[generation.id] = args[at + 2]
  end
  local sheet = sheet_of(segment)
  local rows, clash = lookup(sheet, batch.ids)
  if clash then return refuse_clash(clash) end
  return put_items(keys, args, sheet, list, batch, rows, codes)
end

-- A row as the first of these generations has it of which it is a member; flags, label, label set and code are of that generation.
local function held(sheet, asked, row)
  local block, offset = block_of(row), row % BLOCK
  local flags = string.byte(catalog_of(sheet, block), offset + 1)
  local found = {
    own = 0, label = NO_LABEL, set = '', code = '',
    record = has(flags, RECORD) and get(sheet, 'r' .. key_of(row)) or '', tags = has(flags, TAGS) and get(sheet, 't' .. key_of(row)) or '',
  }
  for _, generation in ipairs(asked) do
    local own, label, code = cells_of(generation_block(sheet, generation, block), generation, offset)
    if has(own, LABELS) then found.set = get(sheet, field_of('s', generation.id, row)) end
    if has(own, OWN) then
      found.record, found.tags = string.match(get(sheet, field_of('o', generation.id, row)), '^([^\255]*\255[^\255]*\255[^\255]*\255[^\255]*\255)(.*)$')
    end
    found.own = own
    if has(own, MEMBER) then
      found.label, found.code = label, has(own, CODED) and code or ''
      break
    end
  end
  return found
end

-- ids, labels int32, label sets and tags (lengths uint32 and values each), a byte an item (1: its labels are changed, 2: its tags), generation:
-- members of it are put as it has them, but for what is changed, so that a write that comes meanwhile is not undone. -> r: changed, a: no member
local function edit_items(keys, args)
  if not is_of(keys, args[1]) then return stale(keys[1]) end
  local again = repeated(keys, args[2], args[3])
  if again then return again end
  local segment, ids, given, wanted = keys[1], texts(args[4]), args[10], args[11]
  local list, by_id = generations_of(segment)
  local generation = by_id[wanted]
  if not generation or generation.state == 'dropping' then
    return refuse('there is no generation ' .. wanted .. ' in ' .. segment .. ': begin it first')
  end
  local labels, sets, tags = args[5], pieces(args[6], args[7]), pieces(args[8], args[9])
  local sheet = sheet_of(segment)
  local rows = lookup(sheet, ids)
  load_blocks(sheet, by_block(rows), {generation})
  local batch, column, encodable = {ids = ids, sets = {}, records = {}, tags = {}}, {}, {}
  for i = 1, #ids do
    local found, changed = rows[i] and held(sheet, {generation}, rows[i]), string.byte(given, i)
    if not (found and has(found.own, MEMBER)) then
      rows[i], column[i], encodable[i] = nil, NO_LABEL, '\0'
    else
      local is_said = found.record ~= '' and found.record ~= '\255\255\255\255'
      column[i] = has(changed, 1) and string.sub(labels, i * 4 - 3, i * 4) or found.label
      batch.records[i] = is_said and found.record or nil
      encodable[i] = picture_in(found.record) == '\255' and '\0' or '\1'
      if has(changed, 1) then batch.sets[i] = sets[i] else batch.sets[i] = found.set ~= '' and found.set or nil end
      if has(changed, 2) then batch.tags[i] = tags[i] else batch.tags[i] = found.tags ~= '' and found.tags or nil end
    end
  end
  batch.labels, batch.encodable = table.concat(column), table.concat(encodable)
  return put_items(keys, args, sheet, list, batch, rows, {})
end

-- generation, bits, batch, codes or nothing: items of a data version, as members of this generation alone.
-- A code is of the data version's picture: an item that is kept as the API has it takes it unless the API has given it another.
-- -> n: new, r: known, k: kept as the API has it, d: deleted by hand
local function fill(keys, args)
  if not is_of(keys, args[1]) then return stale(keys[1]) end
  local again = repeated(keys, args[2], args[3])
  if again then return again end
  local segment, batch, codes = keys[1], batch_of(args, 6), args[15]
  local _, by_id = generations_of(segment)
  local generation, refused = begun(by_id, args[4], args[5], segment)
  if refused then return refused end
  if generation.state ~= 'building' and generation.state ~= 'beginning' then
    return refuse('generation ' .. generation.id .. ' is sealed: begin another one for another data version')
  end
  if codes ~= '' and #codes ~= #batch.ids * generation.width then
    return refuse(#batch.ids .. ' items came with ' .. #codes .. ' bytes of codes, not ' .. #batch.ids * generation.width)
  end
  local sheet, results = sheet_of(segment), {}
  local rows, clash = lookup(sheet, batch.ids)
  if clash then return refuse_clash(clash) end
  if state(segment, 'deleted') > 0 then
    for i, id in ipairs(batch.ids) do
      if not rows[i] and is_buried(sheet, id) then rows[i], results[i] = nil, 'd' end
    end
  end
  local fresh = allocate(sheet, batch.ids, rows)
  local groups = by_block(rows)
  load_blocks(sheet, groups, {generation})
  load_sparse(sheet, groups, {generation})
  local position = u32((state(segment, 'position') + 1) % 4294967296)
  local now, own, known, renewed = u32(math.floor(microseconds() / 1000000)), {}, {}, {}
  mark_runs(groups, batch, fresh)
  for i in pairs(fresh) do results[i] = 'n' end
  update_catalog(sheet, groups, function(i, flags, row)
    if fresh[i] then
      own[i] = ''
      return put_catalog(sheet, batch, i, with(flags, ALIVE), row), now, position
    end
    local record = has(flags, RECORD) and get(sheet, 'r' .. key_of(row)) or '\255\255\255\255'
    known[i] = picture_in(record)
    if has(flags, API) then
      results[i] = 'k'
      return with(flags, DATA)
    end
    local tags = has(flags, TAGS) and get(sheet, 't' .. key_of(row)) or ''
    local new = (batch.records[i] or '') == '' and '\255\255\255\255' or batch.records[i]
    results[i], own[i] = 'r', (new == record and (batch.tags[i] or '') == tags) and '' or new .. (batch.tags[i] or '')
    return string.byte(batch.encodable, i) == 1 and with(flags, ENCODABLE) or flags
  end)
  local width, blank = generation.width, zeros(generation.width)
  update_generation(sheet, generation, groups, function(i, flags, row)
    local given = codes ~= '' and string.sub(codes, (i - 1) * width + 1, i * width)
    local picture = picture_in(batch.records[i] or '')
    if not own[i] then
      flags = with(flags, PICTURED)
      if given and has(flags, MEMBER) and (known[i] == '\255' or known[i] == picture) then return with(flags, CODED), nil, given end
      return flags
    end
    local before = has(flags, OWN) and picture_in(get(sheet, field_of('o', generation.id, row))) or known[i]
    renewed[i] = has(flags, MEMBER) and before ~= picture
    flags = put_sparse(sheet, generation.id, 's', generation.id, row, batch.sets[i], flags, LABELS)
    flags = put_sparse(sheet, generation.id, 'o', generation.id, row, own[i], flags, OWN)
    flags = with(flags, MEMBER)
    if given then return with(flags, CODED), label_of(batch, i), given end
    if renewed[i] then return without(flags, CODED), label_of(batch, i), blank end
    return flags, label_of(batch, i)
  end, batch.labels, codes)
  renew(sheet, rows, renewed, position)
  return finish(keys, sheet, 'fill', rows, args[2], args[3], table.concat(results))
end

-- ids -> d: deleted, a: absent. Of what a data set has as well it is kept that it was deleted.
local function delete_items(keys, args)
  if not is_of(keys, args[1]) then return stale(keys[1]) end
  local again = repeated(keys, args[2], args[3])
  if again then return again end
  local segment, ids = keys[1], texts(args[4])
  local sheet, results = sheet_of(segment), {}
  local rows = lookup(sheet, ids)
  local list = generations_of(segment)
  list[#list + 1] = OURS
  for i = 1, #ids do
    results[i] = rows[i] and 'd' or 'a'
    if rows[i] then
      local flags = string.byte(catalog_of(sheet, block_of(rows[i])), rows[i] % BLOCK + 1)
      if not has(flags, API) or has(flags, DATA) then bury(sheet, ids[i]) end
    end
  end
  release(sheet, by_block(rows), list)
  return finish(keys, sheet, 'delete', rows, args[2], args[3], table.concat(results))
end

-- generation, bits, ids, revisions uint32 or nothing, codes
-- -> c: coded, a: absent, m: no member, x: its picture is another by now. Lacking items are left out, the others written.
local function put_codes(keys, args)
  if not is_of(keys, args[1]) then return stale(keys[1]) end
  local again = repeated(keys, args[2], args[3])
  if again then return again end
  local segment, ids, revisions, codes = keys[1], texts(args[6]), args[7], args[8]
  local _, by_id = generations_of(segment)
  local generation, refused = begun(by_id, args[4], args[5], segment)
  if refused then return refused end
  if #codes ~= #ids * generation.width then
    return refuse(#ids .. ' ids came with ' .. #codes .. ' bytes of codes, not ' .. #ids * generation.width)
  end
  local sheet, results = sheet_of(segment), {}
  local rows = lookup(sheet, ids)
  load_blocks(sheet, by_block(rows), {generation})
  for i = 1, #ids do
    if not rows[i] then
      results[i] = 'a'
    else
      local block, offset = block_of(rows[i]), rows[i] % BLOCK
      local value = get(sheet, generation_field(generation, block))
      local revision = string.sub(catalog_of(sheet, block), BLOCK * 5 + offset * 4 + 1, BLOCK * 5 + offset * 4 + 4)
      if value == '' or string.byte(value, offset + 1) % 2 == 0 then
        results[i] = 'm'
      elseif revisions ~= '' and revision ~= string.sub(revisions, i * 4 - 3, i * 4) then
        results[i] = 'x'
      else
        results[i] = 'c'
      end
      if results[i] ~= 'c' then rows[i] = false end
    end
  end
  update_generation(sheet, generation, by_block(rows), function(i, flags)
    return with(flags, CODED), nil, string.sub(codes, (i - 1) * generation.width + 1, i * generation.width)
  end)
  return finish(keys, sheet, 'codes', rows, args[2], args[3], table.concat(results))
end

-- incarnation, ids, generation or '': nothing, or {flags, time, revision, record, tags, generation flags, label, label set, code} an id.
-- Without a generation the labels are those of the newest one that has the item.
local function items(keys, args)
  if not is_of(keys, args[1]) then return stale(keys[1]) end
  local segment, ids, wanted = keys[1], texts(args[2]), args[3]
  local list, by_id = generations_of(segment)
  local asked = {OURS}
  if wanted ~= '' then
    if not by_id[wanted] then return refuse('there is no generation ' .. wanted .. ' in ' .. segment .. ': begin it first') end
    asked = {by_id[wanted]}
  else
    for i = #list, 1, -1 do asked[#asked + 1] = list[i] end
  end
  local sheet, found = sheet_of(segment), {}
  local rows = lookup(sheet, ids)
  load_blocks(sheet, by_block(rows), asked)
  for i = 1, #ids do
    found[i] = false
    if rows[i] then
      local value, offset, own = catalog_of(sheet, block_of(rows[i])), rows[i] % BLOCK, held(sheet, asked, rows[i])
      found[i] = {string.byte(value, offset + 1), string.sub(value, BLOCK + offset * 4 + 1, BLOCK + offset * 4 + 4),
        string.sub(value, BLOCK * 5 + offset * 4 + 1, BLOCK * 5 + offset * 4 + 4), own.record, own.tags, own.own, own.label, own.set, own.code}
    end
  end
  return found
end

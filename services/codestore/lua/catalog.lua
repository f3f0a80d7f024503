-- Catalog: the items of a segment. KEYS[1] is the prefix of a segment.

-- ids, labels int32, uris, tags, thumbnail lengths uint32, thumbnails, lengths of label sets uint32, label sets int32
-- -> {position, new items}
local function put_items(keys, args)
  local segment, ids, labels = keys[1], texts(args[1]), args[2]
  local uris, tags = texts(args[3]), texts(args[4])
  local thumbnails, label_sets = pieces(args[5], args[6]), pieces(args[7], args[8])
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

  local runs = runs_of(rows)
  local now = struct.pack('<I4', tonumber(redis.call('TIME')[1]))
  sliced('HSET', segment .. ':rows', index)
  redis.call('HSET', segment .. ':state', 'rows', old_rows + #new_ids)
  append_ids(segment, old_rows, new_ids)
  write_column(segment .. ':labels', 4, runs, labels)
  replace(segment .. ':label_sets', rows, old_rows, label_sets)
  write_column(segment .. ':times', 4, runs, string.rep(now, #ids))
  replace(segment .. ':uris', rows, old_rows, uris)
  replace(segment .. ':tags', rows, old_rows, tags)
  replace(segment .. ':thumbnails', rows, old_rows, thumbnails)
  return {log(segment, 'items', '', runs), #new_ids}
end

-- id -> {label int32, time uint32, uri, tags, thumbnail, label set int32}, or nothing
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
    redis.call('HGET', segment .. ':label_sets', row) or '',
  }
end

-- id -> thumbnail, or nothing
local function thumbnail(keys, args)
  local row = redis.call('HGET', keys[1] .. ':rows', args[1])
  return row and redis.call('HGET', keys[1] .. ':thumbnails', row)
end

-- Collection: its label numbers, its generations, and the pointer to the published one. KEYS: hash, audit.
-- Fields: incarnation, layout, segments, made, taxonomy (label numbers of all versions), order (generations as they were begun),
-- state:G, ref:G, sealed:G, created:G (texts of the program's), history (published ones, the current one first), positions (of the publish), request.

local function audit(keys, operation, from, to, who, why)
  redis.call('XADD', keys[2], 'MAXLEN', '~', 10000, '*', 'operation', operation, 'from', from, 'to', to, 'who', who, 'why', why)
end

local function ask(keys, name)
  return redis.call('HGET', keys[1], name) or ''
end

-- incarnation, layout, segments, taxonomy, backup that it is restored from or '' -> {incarnation, made}; nothing changes where the
-- collection is
local function make(keys, args)
  local known = ask(keys, 'incarnation')
  if known == '' then
    redis.call('UNLINK', keys[1], keys[2])
    redis.call('HSET', keys[1], 'incarnation', args[1], 'layout', args[2], 'segments', args[3], 'taxonomy', args[4], 'order', '', 'history', '',
      'restoring', args[5])
    audit(keys, args[5] == '' and 'create' or 'restore', args[5], '', '', '')
    return {args[1], ''}
  end
  if ask(keys, 'made') == '' and ask(keys, 'restoring') ~= args[5] then
    local way = ask(keys, 'restoring') == '' and 'made to its end: create it again' or 'restored to its end: restore it again from ' .. ask(keys, 'restoring')
    return refuse('collection ' .. keys[1] .. ' is not ' .. way)
  end
  if ask(keys, 'segments') ~= args[3] then
    return refuse('collection ' .. keys[1] .. ' has segments ' .. ask(keys, 'segments') .. ', not ' .. args[3] .. ': use what it was made with, or another name')
  end
  return {known, ask(keys, 'made')}
end

-- incarnation: all segments are there
local function made(keys, args)
  if not is_of(keys, args[1]) then return stale(keys[1]) end
  redis.call('HDEL', keys[1], 'restoring')
  return redis.call('HSET', keys[1], 'made', '1')
end

-- -> {layout, segments, incarnation, made, taxonomy, backup it is restored from}, or nothing
local function collection(keys)
  return redis.call('HMGET', keys[1], 'layout', 'segments', 'incarnation', 'made', 'taxonomy', 'restoring')
end

-- incarnation -> {history, positions, {generation, state, ref, sealed, created} ...}
local function status(keys, args)
  if not is_of(keys, args[1]) then return stale(keys[1]) end
  local found = {ask(keys, 'history'), ask(keys, 'positions')}
  for _, id in ipairs(texts(ask(keys, 'order'))) do
    found[#found + 1] = {id, ask(keys, 'state:' .. id), ask(keys, 'ref:' .. id), ask(keys, 'sealed:' .. id), ask(keys, 'created:' .. id)}
  end
  return found
end

-- incarnation, generation, ref (the same text for the same hasher) -> 1 where it is being built
local function begin(keys, args)
  if not is_of(keys, args[1]) then return stale(keys[1]) end
  local id, known = args[2], ask(keys, 'ref:' .. args[2])
  if known ~= '' then
    if known ~= args[3] then
      return refuse('generation ' .. id .. ' is known as ' .. known .. ', not ' .. args[3] .. ': another hasher needs another generation id')
    end
    if ask(keys, 'state:' .. id) == 'dropping' then
      return refuse('generation ' .. id .. ' is being discarded: discard it again to finish, then begin it')
    end
    return ask(keys, 'state:' .. id) == 'building' and 1 or 0
  end
  redis.call('HSET', keys[1], 'ref:' .. id, args[3], 'state:' .. id, 'building', 'order', ask(keys, 'order') .. id .. '\255',
    'created:' .. id, redis.call('TIME')[1])
  return 1
end

-- incarnation, generation, what was counted
local function seal(keys, args)
  if not is_of(keys, args[1]) then return stale(keys[1]) end
  local known = ask(keys, 'state:' .. args[2])
  if known == '' or known == 'dropping' then return refuse('there is no generation ' .. args[2] .. ' in ' .. keys[1] .. ': begin it first') end
  redis.call('HSET', keys[1], 'sealed:' .. args[2], args[3])
  if known == 'building' then redis.call('HSET', keys[1], 'state:' .. args[2], 'sealed') end
  return 1
end

-- incarnation, request, publish or rollback, generation published now or '', generation to publish, positions, who, why
-- The pointer is compared and set: one that was moved meanwhile is not moved again. -> 1, or 0 where it was this very request.
local function point(keys, args)
  if not is_of(keys, args[1]) then return stale(keys[1]) end
  if ask(keys, 'request') == args[2] then return 0 end
  local to, history = args[5], texts(ask(keys, 'history'))
  local current, following = history[1] or '', {to}
  if current ~= args[4] then
    return refuse('generation ' .. (current == '' and 'none' or current) .. ' was published meanwhile, not '
      .. (args[4] == '' and 'none' or args[4]) .. ': look, then do it again')
  end
  local known = ask(keys, 'state:' .. to)
  if known == '' or known == 'dropping' then return refuse('there is no generation ' .. to .. ' in ' .. keys[1] .. ': begin it first') end
  if known == 'building' then return refuse('generation ' .. to .. ' is not sealed: seal it first') end
  local back = args[3] == 'rollback'
  if back and history[2] ~= to then
    return refuse('generation ' .. to .. ' is not the one before ' .. current .. ' by now: look, then do it again')
  end
  for _, id in ipairs(history) do
    if id ~= to and not (back and id == current) then following[#following + 1] = id end
  end
  if current ~= '' then redis.call('HSET', keys[1], 'state:' .. current, 'retired') end
  redis.call('HSET', keys[1], 'state:' .. to, 'published', 'history', ended(following), 'positions', args[6], 'request', args[2])
  audit(keys, args[3], current, to, args[7], args[8])
  redis.call('PUBLISH', keys[1] .. ':changed', 'published')
  return 1
end

-- incarnation, generation, who, why: marked first and forgotten last, so that an interrupted discard can be finished
local function discard(keys, args)
  if not is_of(keys, args[1]) then return stale(keys[1]) end
  local id, left = args[2], {}
  local known = ask(keys, 'state:' .. id)
  if known == '' then return refuse('there is no generation ' .. id .. ' in ' .. keys[1] .. ': see which there are') end
  if known == 'published' then return refuse('generation ' .. id .. ' is published: publish another one or roll back first') end
  if known == 'dropping' then return 0 end
  for _, other in ipairs(texts(ask(keys, 'history'))) do
    if other ~= id then left[#left + 1] = other end
  end
  redis.call('HSET', keys[1], 'state:' .. id, 'dropping', 'history', ended(left))
  audit(keys, 'discard', id, '', args[3], args[4])
  return 1
end

local function forget(keys, args)
  if not is_of(keys, args[1]) then return stale(keys[1]) end
  local id, left = args[2], {}
  if ask(keys, 'state:' .. id) ~= 'dropping' then return 0 end
  for _, other in ipairs(texts(ask(keys, 'order'))) do
    if other ~= id then left[#left + 1] = other end
  end
  redis.call('HSET', keys[1], 'order', ended(left))
  return redis.call('HDEL', keys[1], 'state:' .. id, 'ref:' .. id, 'sealed:' .. id, 'created:' .. id)
end

-- incarnation, taxonomy known, taxonomy to set, who, why
local function grow(keys, args)
  if not is_of(keys, args[1]) then return stale(keys[1]) end
  if ask(keys, 'taxonomy') == args[3] then return 0 end
  if ask(keys, 'taxonomy') ~= args[2] then return refuse('the taxonomy of ' .. keys[1] .. ' was changed meanwhile: look, then grow it again') end
  redis.call('HSET', keys[1], 'taxonomy', args[3])
  audit(keys, 'grow', '', '', args[4], args[5])
  return 1
end

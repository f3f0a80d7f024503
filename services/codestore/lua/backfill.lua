-- Backfills of a collection: who encodes what, and which pictures they could not encode. KEYS: a hash; of `quarantine` also that of the
-- generation, by ids. Fields: token (the highest yet), lease:NAME, and what needs no function: paused, progress:GENERATION,
-- trying:GENERATION.

-- name, runner, microseconds -> {runner, token, microseconds}: who holds it now, and how long. Nobody's, it is the runner's from now
-- on, by a token above all before; the runner's own is renewed, also where it ended and nobody has taken it since.
local function hold(keys, args)
  local field, runner, now = 'lease:' .. args[1], args[2], microseconds()
  local holder, token, till = string.match(redis.call('HGET', keys[1], field) or '', '^([^\255]*)\255(%d+)\255(%d+)$')
  if holder and holder ~= runner and tonumber(till) > now then return {holder, tonumber(token), tonumber(till) - now} end
  if holder ~= runner then
    token = whole(math.max(state(keys[1], 'token') + 1, now))  -- the time: it rises even if this hash is lost
    redis.call('HSET', keys[1], 'token', token)
  end
  redis.call('HSET', keys[1], field, runner .. '\255' .. token .. '\255' .. whole(now + tonumber(args[3])))
  return {runner, tonumber(token), tonumber(args[3])}
end

-- name, runner: it holds this no longer
local function let_go(keys, args)
  local field = 'lease:' .. args[1]
  local holder = string.match(redis.call('HGET', keys[1], field) or '', '^([^\255]*)\255')
  return holder == args[2] and redis.call('HDEL', keys[1], field) or 0
end

-- generation, token, id, what is said of its picture or '' if nothing any more, ...: written only by who holds the generation
local function quarantine(keys, args)
  local holder, token = string.match(redis.call('HGET', keys[1], 'lease:' .. args[1]) or '', '^([^\255]*)\255(%d+)\255')
  if token ~= args[2] then return redis.error_reply('FENCED generation ' .. args[1] .. ' is encoded by ' .. (holder or 'nobody') .. ' now') end
  local set, dropped = {}, {}
  for i = 3, #args, 2 do
    if args[i + 1] == '' then
      dropped[#dropped + 1] = args[i]
    else
      set[#set + 1], set[#set + 2] = args[i], args[i + 1]
    end
  end
  sliced('HSET', keys[2], set)
  sliced('HDEL', keys[2], dropped)
  return #set / 2
end

-- Backfills of a collection: who encodes what, and which pictures they could not encode. KEYS: a hash; of `quarantine` also that of the
-- generation, by ids. Fields: token (the highest yet), lease:NAME, and what needs no function: paused, progress:GENERATION,
-- trying:GENERATION.

-- Of a name: runner, token and end in microseconds as they were noted, even if that is past; nothing where nobody has held it.
local function lease_of(key, name)
  local holder, token, till = string.match(redis.call('HGET', key, 'lease:' .. name) or '', '^([^\255]*)\255(%d+)\255(%d+)$')
  return holder, tonumber(token), tonumber(till)
end

-- name, runner, microseconds -> {runner, token, microseconds}: who holds it now, and how long. Nobody's, it is the runner's from now
-- on, by a token above all before; the runner's own is renewed, also where it ended and nobody has taken it since.
local function hold(keys, args)
  local runner, now = args[2], microseconds()
  local holder, token, till = lease_of(keys[1], args[1])
  if holder and holder ~= runner and till > now then return {holder, token, till - now} end
  if holder ~= runner then
    token = math.max(state(keys[1], 'token') + 1, now)  -- the time: it rises even if this hash is lost
    redis.call('HSET', keys[1], 'token', whole(token))
  end
  redis.call('HSET', keys[1], 'lease:' .. args[1], table.concat({runner, whole(token), whole(now + tonumber(args[3]))}, '\255'))
  return {runner, token, tonumber(args[3])}
end

-- name, runner: it holds this no longer
local function let_go(keys, args)
  return lease_of(keys[1], args[1]) == args[2] and redis.call('HDEL', keys[1], 'lease:' .. args[1]) or 0
end

-- generation, token, id, what is said of its picture or '' if nothing any more, ...: written only by who holds the generation
local function quarantine(keys, args)
  local holder, token = lease_of(keys[1], args[1])
  if token ~= tonumber(args[2]) then return redis.error_reply('FENCED generation ' .. args[1] .. ' is encoded by ' .. (holder or 'nobody') .. ' now') end
  return put_fields(keys[2], args, 3)
end

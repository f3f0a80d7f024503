-- Server-side functions of the code store. A segment is three keys, KEYS[1] the hash, KEYS[2] the stream of its changes, KEYS[3]
-- what each writer did last; a collection is two, KEYS[1] the hash, KEYS[2] the audit. They always exist and are always declared,
-- so that Redis Cluster itself refuses a slot that lies half here and half there; nothing else is touched.
-- The loader puts the shebang line and `local VERSION` in front; the version is part of every function name, so that two
-- versions of the program can share a server. This file: fields with checksums, and what all functions begin with.

local BLOCK = 74         -- rows of a block: with 16-byte ids and 64-bit codes its columns nearly fill the classes that allocators have
local SLICE = 1000       -- values given to one command, below Lua's limit on unpack
local SUM = 281474976710656  -- 2^48: checksums are counted modulo this, exact in a double

local function refuse(text)
  return redis.error_reply('REFUSED ' .. text)
end

-- Of a named write, of which another batch, or a later number, was applied.
local function other_write(text)
  return redis.error_reply('OTHER ' .. text)
end

local function stale(key)
  return redis.error_reply('STALE ' .. key .. ' was made anew or is not there')
end

local function whole(number)
  return string.format('%.0f', number)
end

local function u32(number)
  return struct.pack('<I4', number)
end

-- Texts of which each is ended by the byte 255, which UTF-8 never has.
local function texts(joined)
  local found = {}
  for text in string.gmatch(joined, '([^\255]*)\255') do found[#found + 1] = text end
  return found
end

local function ended(list)
  return #list == 0 and '' or table.concat(list, '\255') .. '\255'
end

-- Strings that lie one after the other, from their lengths uint32; nil for empty ones.
local function pieces(lengths, text)
  local found, from = {}, 0
  for i = 1, #lengths / 4 do
    local length = struct.unpack('<I4', lengths, i * 4 - 3)
    if length > 0 then found[i] = string.sub(text, from + 1, from + length) end
    from = from + length
  end
  return found
end

-- The inverse: lengths and strings, or nothing where all are empty.
local function joined(values)
  local lengths, any = {}, false
  for i, value in ipairs(values) do
    lengths[i] = u32(#value)
    any = any or value ~= ''
  end
  if not any then return '', '' end
  return table.concat(lengths), table.concat(values)
end

local function sliced(command, key, values)
  for first = 1, #values, SLICE do
    redis.call(command, key, unpack(values, first, math.min(first + SLICE - 1, #values)))
  end
end

-- From one of the arguments on field, value, ...: '' removes a field. -> how many are set
local function put_fields(key, args, first)
  local set, dropped = {}, {}
  for i = first, #args, 2 do
    if args[i + 1] == '' then
      dropped[#dropped + 1] = args[i]
    else
      set[#set + 1], set[#set + 2] = args[i], args[i + 1]
    end
  end
  sliced('HSET', key, set)
  sliced('HDEL', key, dropped)
  return #set / 2
end

local function has(flags, bit)
  return flags % (2 * bit) >= bit
end

local function with(flags, bit)
  return has(flags, bit) and flags or flags + bit
end

local function without(flags, bit)
  return has(flags, bit) and flags - bit or flags
end

local function digest(field, value)
  return tonumber(string.sub(redis.sha1hex(field .. '\0' .. value), 1, 12), 16)
end

-- The values of fields, false where there is none.
local function fetch(segment, fields)
  if #fields <= SLICE then return #fields > 0 and redis.call('HMGET', segment, unpack(fields)) or {} end
  local found = {}
  for first = 1, #fields, SLICE do
    local last = math.min(first + SLICE - 1, #fields)
    for i, value in ipairs(redis.call('HMGET', segment, unpack(fields, first, last))) do found[first + i - 1] = value end
  end
  return found
end

-- A sheet holds the fields that a call has read and changed; they are written once, and the sums of their kinds renewed.
local function sheet_of(segment)
  return {key = segment, old = {}, new = {}, kind = {}, changed = {}}
end

local function load(sheet, fields)
  local wanted = {}
  for _, field in ipairs(fields) do
    if sheet.old[field] == nil then
      sheet.old[field] = ''
      wanted[#wanted + 1] = field
    end
  end
  for i, value in ipairs(fetch(sheet.key, wanted)) do
    sheet.old[wanted[i]], sheet.new[wanted[i]] = value or '', value or ''
  end
end

-- The value of a field, '' where it is absent.
local function get(sheet, field)
  if sheet.old[field] == nil then load(sheet, {field}) end
  return sheet.new[field]
end

-- '' removes the field.
local function put(sheet, kind, field, value)
  get(sheet, field)
  sheet.new[field] = value
  if not sheet.kind[field] then
    sheet.kind[field] = kind
    sheet.changed[#sheet.changed + 1] = field
  end
end

local function write(sheet)
  local deltas, set, drop = {}, {}, {}
  for _, field in ipairs(sheet.changed) do
    local old, new, kind = sheet.old[field], sheet.new[field], sheet.kind[field]
    if old ~= new then
      local delta = deltas[kind] or 0
      if old ~= '' then delta = delta - digest(field, old) end
      if new ~= '' then
        delta = delta + digest(field, new)
        set[#set + 1] = field
        set[#set + 1] = new
      else
        drop[#drop + 1] = field
      end
      deltas[kind] = delta % SUM
    end
  end
  for kind, delta in pairs(deltas) do
    local sum = 'sum:' .. kind
    redis.call('HSET', sheet.key, sum, whole((tonumber(redis.call('HGET', sheet.key, sum) or 0) + delta) % SUM))
  end
  sliced('HSET', sheet.key, set)
  sliced('HDEL', sheet.key, drop)
end

-- Values in a column of a block, at ascending offsets from 0.
local function splice(column, width, offsets, values)
  local parts, at = {}, 1
  for i, offset in ipairs(offsets) do
    local from = offset * width + 1
    if from > at then parts[#parts + 1] = string.sub(column, at, from - 1) end
    parts[#parts + 1] = values[i]
    at = from + width
  end
  parts[#parts + 1] = string.sub(column, at)
  return table.concat(parts)
end

local function state(segment, name)
  return tonumber(redis.call('HGET', segment, name) or 0)
end

-- The generations of a segment, in the order in which they were begun: {id, bits, state}, and by id.
local function generations_of(segment)
  local list, by_id = {}, {}
  local flat = texts(redis.call('HGET', segment, 'generations') or '')
  for i = 1, #flat, 3 do
    local generation = {id = flat[i], bits = tonumber(flat[i + 1]), state = flat[i + 2]}
    generation.width = math.ceil(generation.bits / 8)
    list[#list + 1] = generation
    by_id[generation.id] = generation
  end
  return list, by_id
end

local function keep_generations(segment, list)
  local flat = {}
  for _, generation in ipairs(list) do
    flat[#flat + 1] = generation.id
    flat[#flat + 1] = whole(generation.bits)
    flat[#flat + 1] = generation.state
  end
  redis.call('HSET', segment, 'generations', ended(flat))
end

local function begun(by_id, generation, bits, segment)
  local known = by_id[generation]
  if not known or known.state == 'dropping' then
    return nil, refuse('generation ' .. generation .. ' is not begun in ' .. segment .. ': begin it first')
  end
  if known.bits ~= tonumber(bits) then
    return nil, refuse('generation ' .. generation .. ' has ' .. known.bits .. ' bits, these codes are of ' .. bits
      .. ' bits: encode them with generation ' .. generation)
  end
  return known
end

-- Whether these keys are of the collection that the caller has opened.
local function is_of(keys, incarnation)
  return redis.call('HGET', keys[1], 'incarnation') == incarnation
end

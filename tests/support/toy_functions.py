"""A small function library to try a connection with: a counter of two keys that adds each (writer, seq) once."""

import pytest

from services.codestore import functions

_BODY = """
local function make(keys)
  redis.call('HSET', keys[1], 'count', 0)
  redis.call('HSET', keys[2], 'made', 1)
  return 1
end

-- args: writer, seq, amount. The count after it; the same again for a seq that is known.
local function add(keys, args)
  if redis.call('EXISTS', keys[1]) == 0 then return redis.error_reply('STALE the counter was not made') end
  local last = redis.call('HGET', keys[2], args[1])
  local seq, before
  if last then seq, before = string.match(last, '(%d+):(%d+)') end
  if seq and tonumber(seq) > tonumber(args[2]) then return redis.error_reply('REFUSED an old write') end
  if seq == args[2] then
    redis.call('HSET', keys[2], args[1], last)
    return tonumber(before)
  end
  local count = redis.call('HINCRBY', keys[1], 'count', args[3])
  redis.call('HSET', keys[2], args[1], args[2] .. ':' .. count)
  return count
end

local function count(keys)
  if redis.call('HEXISTS', keys[2], 'made') == 0 then return redis.error_reply('STALE the counter was not made') end
  return tonumber(redis.call('HGET', keys[1], 'count'))
end

local function refuse(keys, args) return redis.error_reply('REFUSED ' .. args[1]) end

local function fill(keys, args) return redis.call('HSET', keys[1], args[1], args[2]) end

local function free(keys, args) return redis.call('HDEL', keys[1], args[1]) end

local function spin(keys, args)
  local turns = 0
  local stop = redis.call('TIME')[1] + tonumber(args[1])
  while tonumber(redis.call('TIME')[1]) < stop do turns = turns + 1 end
  return turns
end
"""
_REGISTER = """
redis.register_function('make_toy', make)
redis.register_function('add_toy', add)
redis.register_function('fill_toy', fill)
redis.register_function('spin_toy', spin)
redis.register_function{function_name = 'count_toy', callback = count, flags = {'no-writes'}}
redis.register_function{function_name = 'refuse_toy', callback = refuse, flags = {'no-writes'}}
redis.register_function{function_name = 'free_toy', callback = free, flags = {'allow-oom'}}
"""
SOURCE = f"#!lua name=toy\n{_BODY}{_REGISTER}"


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let connections use the toy library instead of the store's."""
    monkeypatch.setattr(functions, "SOURCE", SOURCE)
    monkeypatch.setattr(functions, "VERSION", "toy")
    monkeypatch.setattr(functions, "FREEING", frozenset({"free"}))
    monkeypatch.setattr(
        functions,
        "script",
        lambda name: f"#!lua flags=allow-oom\n{_BODY}\ntable.remove(ARGV, 1)\nreturn {name}(KEYS, ARGV)",
    )

"""The accounts of the code store with passwords of a test, and functions of the same shape as the store's own."""

import hashlib

from services.codestore.accounts import ACCOUNTS, acl

PASSWORDS = {account.name: f"password of {account.name}" for account in ACCOUNTS}
ACL = acl({name: hashlib.sha256(password.encode()).hexdigest() for name, password in PASSWORDS.items()})

SEGMENT = ("taxohash:{c:3}", "taxohash:{c:3}:changes", "taxohash:{c:3}:writers")
COLLECTION = ("taxohash:{c}", "taxohash:{c}:audit")
LEASES = "taxohash:{c}:leases"
ORIGINS = "taxohash:{c}:origins"
BACKFILL = ("taxohash:{c}:backfill", "taxohash:{c}:quarantine:generation")
CHANNEL = "taxohash:{c}:changed"

# Every command that the store's functions use; `make` and `write` are of a segment, `publish` of a
# collection, `quarantine` of its backfills.
LIBRARY = """#!lua name=shape
local function make(keys)
  redis.call('UNLINK', keys[1], keys[2], keys[3])
  return redis.call('HSET', keys[1], 'position', 0)
end
local function write(keys, args)
  local position = redis.call('HLEN', keys[1]) + 1
  redis.call('HSET', keys[1], 'position', position, args[1], redis.call('TIME')[1])
  redis.call('HINCRBY', keys[1], 'items', 1)
  redis.call('HDEL', keys[1], 'nothing')
  redis.call('XADD', keys[2], position .. '-0', 'runs', args[1])
  redis.call('XTRIM', keys[2], 'MAXLEN', '4096')
  redis.call('HSET', keys[3], 'writer', position)
  redis.call('PUBLISH', 'taxohash:{c}:changed', '3')
  return position
end
local function quarantine(keys, args)
  redis.call('HSET', keys[1], 'token', redis.call('TIME')[1])
  return redis.call('HSET', keys[2], args[1], 'reason')
end
local function publish(keys, args)
  redis.call('HSET', keys[1], 'published', args[1])
  redis.call('XADD', keys[2], '*', 'to', args[1])
  return redis.status_reply('OK')
end
local function read(keys)
  redis.call('HMGET', keys[1], 'position', 'published')
  redis.call('HEXISTS', keys[1], 'position')
  redis.call('XRANGE', keys[2], '-', '+')
  return redis.call('HLEN', keys[1])
end
redis.register_function('make', make)
redis.register_function('write', write)
redis.register_function('publish', publish)
redis.register_function('quarantine', quarantine)
redis.register_function{function_name = 'read', callback = read, flags = {'no-writes'}}
"""
# How the admin frees memory where the functions are lost and there is no memory to load them.
FREEING = "#!lua flags=allow-oom\nreturn redis.call('HDEL', KEYS[1], ARGV[1])"

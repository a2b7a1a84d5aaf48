-- What every script of a cache shares.
--
-- An entry has a place, counted up with each put: PLACES has them in their order, NAMES the place by the entry's key, HEADS
-- what is decided upon ({ id, key, by, rejected, tenant, scope, tags, created in milliseconds }) and BODIES all of it, as the
-- caches wrote it. CHANGES tells of what went, by id; it has an end, and whoever reads more rarely looks through the roll.
local call = redis.call
local META, NAMES, PLACES, HEADS, BODIES, CHANGES, EVIDENCE = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local CHANNEL, BY = ARGV[1], ARGV[2]
local REMOVED, REJECTED, MANY, FORGOTTEN = '0', '1', '2', '3'
local MOST_CHANGES, AT_ONCE = 65536, 1000

local function count(field) return string.format('%.0f', call('HINCRBY', META, field, 1)) end
local function ends()
  local found = call('HMGET', META, 'entry', 'change', 'evidence')
  return { found[1] or '0', found[2] or '0', found[3] or '0' }
end
-- Whoever listens knows from this how far the feed goes.
local function publish() call('PUBLISH', CHANNEL, table.concat(ends(), ' ')) end
local function tell(what, id)
  call('XADD', CHANGES, 'MAXLEN', '~', MOST_CHANGES, count('change') .. '-0', 'w', what, 'e', id, 'b', BY)
end
local function forget(place)
  call('HDEL', HEADS, place)
  call('HDEL', BODIES, place)
  call('ZREM', PLACES, place)
end
local function head(place)
  local packed = call('HGET', HEADS, place)
  return packed and cmsgpack.unpack(packed)
end
-- The place of an entry that is still the one of that name.
local function place_of(key, id)
  local place = call('HGET', NAMES, key)
  local found = place and head(place)
  if found and found[1] == id then return place, found end
end
local function drop(key, id)
  local place = place_of(key, id)
  if not place then return end
  forget(place)
  call('HDEL', NAMES, key)
  tell(REMOVED, id)
end

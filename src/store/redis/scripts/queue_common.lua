-- What every script of a queue shares. The rules are those of the core (src/queue/core): this is where a server keeps them.
--
-- A record is an array, by the names below. A waiting request stands in READY as
--   class \1 tenant \1 flow \1 place \1 id        flow: provider \2 model \2 owner
-- all with score 0, so that the oldest of a flow, a tenant and a class is the first of a range. In RISE the same member
-- stands with the moment when it goes up a class. Moments are microseconds, which a double holds exactly.
local call = redis.call
local META, REC, BODY, RESULT, BYKEY, READY, RISE, SCHED, BOUND, LEASED, OLD, DEADS =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11], KEYS[12]
local TURNS = { [0] = KEYS[13], [1] = KEYS[14], [2] = KEYS[15], [3] = KEYS[16] }
local PASS, USED, GRANTS, GTOKENS, SCOPES, OWNERS = KEYS[17], KEYS[18], KEYS[19], KEYS[20], KEYS[21], KEYS[22]

local STATUS, PRIORITY, TENANT, FLOW, TOKENS, KEY, ATTEMPT, MOST, PUT, SINCE, PLACE, DEADLINE, UNTIL, SIZE, HISTORY, SEQ,
  NONCE, GAUGES, AWAITED, ORPHAN = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20
local WAITING, SCHEDULED, HELD, DONE, DEAD, CANCELLED = 0, 1, 2, 3, 4, 5
local WINDOW, LIVES, STRIDE, AT_ONCE = 60000000, 30000000, 1048576, 1000

local now
if ARGV[1] == '' then
  local time = call('TIME')
  now = tonumber(time[1]) * 1000000 + tonumber(time[2])
else
  now = tonumber(ARGV[1])
end
local CHANNEL, AGEING, KEEP_RESULTS, KEEP_KEYS = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])

local function whole(number) return string.format('%.0f', number) end
local function padded(number) return string.format('%016.0f', number) end
local function load(id)
  local packed = call('HGET', REC, id)
  return packed and cmsgpack.unpack(packed)
end
local function save(id, r) call('HSET', REC, id, cmsgpack.pack(r)) end
local function count(field, by) call('HINCRBY', META, field, by) end
local function meta(field) return tonumber(call('HGET', META, field) or 0) end

-- A message goes out only where somebody has found nothing and said so; who hears it asks again.
local function tell(flag, message)
  if call('HDEL', META, flag) == 1 then call('PUBLISH', CHANNEL, message) end
end

local function class_at(r)
  local waited = now - r[SINCE]
  if waited < AGEING then return r[PRIORITY] end
  return math.max(0, r[PRIORITY] - math.floor(waited / AGEING))
end
local function member(class, r, id)
  return class .. '\1' .. r[TENANT] .. '\1' .. r[FLOW] .. '\1' .. padded(r[PLACE]) .. '\1' .. id
end

-- A tenant that comes back into a class starts at the turn that was served last, not where it left off.
local function seat(class, tenant)
  if call('ZSCORE', TURNS[class], tenant) then return end
  local field = class .. tenant
  local left = tonumber(call('HGET', PASS, field) or 0)
  if left > 0 then call('HDEL', PASS, field) end
  call('ZADD', TURNS[class], whole(math.max(left, meta('served' .. class))), tenant)
end
local function unseat_if_empty(class, tenant)
  local prefix = class .. '\1' .. tenant
  if call('ZRANGEBYLEX', READY, '[' .. prefix .. '\1', '(' .. prefix .. '\2', 'LIMIT', 0, 1)[1] then return end
  local pass = tonumber(call('ZSCORE', TURNS[class], tenant) or 0)
  call('ZREM', TURNS[class], tenant)
  if pass > meta('served' .. class) then call('HSET', PASS, class .. tenant, whole(pass)) end
end

local function stand(id, r)
  local class = class_at(r)
  seat(class, r[TENANT])
  local line = member(class, r, id)
  call('ZADD', READY, 0, line)
  if class > 0 then call('ZADD', RISE, whole(r[SINCE] + AGEING * (r[PRIORITY] - class + 1)), line) end
end
local function wait_from(id, r)
  if r[SINCE] > now then
    r[STATUS] = SCHEDULED
    call('ZADD', SCHED, whole(r[SINCE]), padded(r[SEQ]) .. id)
    count('s1', 1)
    return
  end
  if r[PLACE] == 0 then r[PLACE] = call('HINCRBY', META, 'place', 1) end
  r[STATUS] = WAITING
  stand(id, r)
  tell('ready', 'r')
end

-- Takes an open request out of whatever knows it; tokens are what it really used, nil where that is not known.
local function withdraw(id, r, tokens)
  if r[STATUS] == WAITING then
    for class = 0, r[PRIORITY] do
      local line = member(class, r, id)
      if call('ZREM', READY, line) == 1 then
        call('ZREM', RISE, line)
        unseat_if_empty(class, r[TENANT])
        break
      end
    end
  elseif r[STATUS] == SCHEDULED then
    call('ZREM', SCHED, padded(r[SEQ]) .. id)
    count('s1', -1)
  elseif r[STATUS] == HELD then
    call('ZREM', LEASED, id)
    count('s2', -1)
    for _, scope in ipairs(r[GAUGES] or {}) do
      call('HINCRBY', USED, 'a' .. scope, -1)
      local grant = scope .. '\1' .. id .. '\1' .. r[ATTEMPT]
      local before = tokens and call('HGET', GTOKENS, grant)
      if before then
        call('HSET', GTOKENS, grant, whole(tokens))
        call('HINCRBY', USED, 't' .. scope, whole(tokens - tonumber(before)))
      end
    end
    r[GAUGES], r[UNTIL] = {}, 0
    -- Its room under the limits is free: somebody may wait for it.
    if call('ZCARD', READY) > 0 then tell('ready', 'r') end
  end
end

local function open(r) return r[STATUS] <= HELD end

-- Ends a request that nothing knows any more.
local function finish(id, r, status, result)
  r[STATUS] = status
  count('s' .. status, 1)
  count('p' .. r[PRIORITY], -1)
  if call('HINCRBY', META, 't' .. r[TENANT], -1) == 0 then call('HDEL', META, 't' .. r[TENANT]) end
  count('bytes', -r[SIZE])
  if r[DEADLINE] > 0 then call('ZREM', BOUND, id) end
  if status == DEAD then
    call('ZADD', DEADS, whole(r[SEQ]), id)
  else
    call('HDEL', BODY, id)
    r[HISTORY] = {}
    call('ZADD', OLD, whole(now + (r[KEY] == '' and KEEP_RESULTS or KEEP_KEYS)), id)
    if result then call('HSET', RESULT, id, result) end
  end
  if r[AWAITED] == 1 then
    r[AWAITED] = 0
    call('PUBLISH', CHANNEL, 'd' .. id)
  end
  save(id, r)
  tell('room', 'o')
  if call('HINCRBY', META, 'open', -1) == 0 then tell('idle', 'i') end
end

local function failed(r, error)
  local history = r[HISTORY]
  history[#history + 1] = { r[ATTEMPT], error, math.floor(now / 1000) }
end

-- A lease that ended unsettled: its request stands where it stood, or is dead.
local function lapse(id, r, error)
  withdraw(id, r)
  failed(r, error)
  if r[ATTEMPT] >= r[MOST] then return finish(id, r, DEAD) end
  count('retried', 1)
  r[SINCE] = math.min(r[SINCE], now)
  wait_from(id, r)
  save(id, r)
end

local function owner_of(r) return string.match(r[FLOW], '([^\2]*)$') end

-- What time has brought about: scheduled work, deadlines, leases, handles that are silent.
local function settle_due()
  for _, line in ipairs(call('ZRANGEBYSCORE', SCHED, '-inf', whole(now), 'LIMIT', 0, AT_ONCE)) do
    local id = string.sub(line, 17)
    local r = load(id)
    call('ZREM', SCHED, line)
    count('s1', -1)
    wait_from(id, r)
    save(id, r)
  end
  for _, id in ipairs(call('ZRANGEBYSCORE', BOUND, '-inf', whole(now), 'LIMIT', 0, AT_ONCE)) do
    local r = load(id)
    call('ZREM', BOUND, id)
    if r and open(r) then
      withdraw(id, r)
      failed(r, 'deadline')
      finish(id, r, DEAD)
    end
  end
  for _, id in ipairs(call('ZRANGEBYSCORE', LEASED, '-inf', whole(now), 'LIMIT', 0, AT_ONCE)) do
    count('expired', 1)
    lapse(id, load(id), 'lease expired')
  end
  for _, owner in ipairs(call('ZRANGEBYSCORE', OWNERS, '-inf', whole(now), 'LIMIT', 0, 100)) do
    call('ZREM', OWNERS, owner)
    for _, id in ipairs(call('ZRANGEBYSCORE', LEASED, '+inf', '+inf')) do
      local r = load(id)
      if owner_of(r) == owner then lapse(id, r, 'its process ended') end
    end
    if call('ZCARD', READY) > 0 then tell('ready', 'r') end
  end
end

-- Forgets some of what was finished long enough ago; how many.
local function forget(most)
  local over = call('ZRANGEBYSCORE', OLD, '-inf', whole(now), 'LIMIT', 0, most)
  for _, id in ipairs(over) do
    local r = load(id)
    call('ZREM', OLD, id)
    call('HDEL', REC, id)
    call('HDEL', RESULT, id)
    if r then
      count('s' .. r[STATUS], -1)
      if r[KEY] ~= '' and call('HGET', BYKEY, r[KEY]) == id then call('HDEL', BYKEY, r[KEY]) end
    end
  end
  return #over
end

-- Whether a lease is held, by its name.
local function held(r, attempt)
  return r and r[STATUS] == HELD and r[ATTEMPT] == attempt and (r[UNTIL] == -1 or r[UNTIL] > now)
end

-- How long until time may bring something; -1 for never.
local function next_event()
  local soonest
  for _, key in ipairs({ SCHED, BOUND, LEASED, OWNERS }) do
    local first = call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
    local at = first and first ~= 'inf' and tonumber(first)
    if at and (not soonest or at < soonest) then soonest = at end
  end
  if call('ZCARD', READY) > 0 then
    local first = call('ZRANGE', GRANTS, 0, 0, 'WITHSCORES')[2]
    local at = first and tonumber(first) + WINDOW
    if at and (not soonest or at < soonest) then soonest = at end
  end
  return soonest and math.max(0, soonest - now) or -1
end

settle_due()

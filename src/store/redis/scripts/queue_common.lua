-- What every script of a queue shares. The rules are those of the core (src/queue/core): this is where a server keeps them.
--
-- A record is an array, by the names below; of what is done or cancelled, its first three fields. A waiting request stands in READY as
--   class \1 tenant \1 flow \1 place \1 id        flow: provider \2 model \2 owner
-- all with score 0, so that the oldest of a flow, a tenant and a class is the first of a range. In RISE the same member
-- stands with the moment when it goes up a class. Moments are microseconds, which a double holds exactly.
--
-- Commands are what a script costs. So the counts in META are read with one and written with one, records are written
-- together at the end (`commit`), and what time brings about is looked for only when it is due: META's due, old and rise
-- are never later than the first of what they tell of.
--
-- A local costs whatever function uses it, each time a script runs. So names that stand for the same all the time are no
-- locals: `--def NAME value` is put in place of NAME before the script is sent.
--def META KEYS[1]
--def REC KEYS[2]
--def BODY KEYS[3]
--def RESULT KEYS[4]
--def BYKEY KEYS[5]
--def READY KEYS[6]
--def RISE KEYS[7]
--def SCHED KEYS[8]
--def BOUND KEYS[9]
--def LEASED KEYS[10]
--def OLD KEYS[11]
--def DEADS KEYS[12]
--def TURNS 13
--def PASS KEYS[17]
--def USED KEYS[18]
--def GRANTS KEYS[19]
--def GTOKENS KEYS[20]
--def SCOPES KEYS[21]
--def OWNERS KEYS[22]
--def STATUS 1
--def NONCE 2
--def KEY 3
--def PRIORITY 4
--def TENANT 5
--def FLOW 6
--def TOKENS 7
--def ATTEMPT 8
--def MOST 9
--def PUT 10
--def SINCE 11
--def PLACE 12
--def DEADLINE 13
--def UNTIL 14
--def SIZE 15
--def HISTORY 16
--def SEQ 17
--def GAUGES 18
--def AWAITED 19
--def ORPHAN 20
--def WAITING 0
--def SCHEDULED 1
--def HELD 2
--def DONE 3
--def DEAD 4
--def CANCELLED 5
--def WINDOW 60000000
--def LIVES 30000000
--def STRIDE 1048576
--def AT_ONCE 1000
--def NEVER 9000000000000000
--def CHANNEL ARGV[2]
--def AGEING tonumber(ARGV[3])
--def KEEP_RESULTS tonumber(ARGV[4])
--def KEEP_KEYS tonumber(ARGV[5])
local call = redis.call

local now
if ARGV[1] == '' then
  local time = call('TIME')
  now = tonumber(time[1]) * 1000000 + tonumber(time[2])
else
  now = tonumber(ARGV[1])
end

local function whole(number) return string.format('%.0f', number) end
local function padded(number) return string.format('%016.0f', number) end
-- A command on one key with any number of arguments, two or one to an item.
local function many(command, key, list)
  for at = 1, #list, 1000 do call(command, key, unpack(list, at, math.min(#list, at + 999))) end
end

local written = {}
local function load(id)
  if written[id] then return written[id] end
  local packed = call('HGET', REC, id)
  return packed and cmsgpack.unpack(packed)
end
local function save(id, r) written[id] = r end

local metas, changed = {}, {}
local function meta(field)
  local value = metas[field]
  if value == nil then
    value = tonumber(call('HGET', META, field) or 0)
    metas[field] = value
  end
  return value
end
local function set_meta(field, value) metas[field], changed[field] = value, true end
local function count(field, by)
  local value = meta(field) + by
  set_meta(field, value)
  return value
end
local function sooner(field, at)
  if at < meta(field) then set_meta(field, at) end
end
local function first_of(key)
  local at = call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
  return at and at ~= 'inf' and tonumber(at) or NEVER
end

-- Writes what was changed. Nothing is written after it.
local function commit()
  local records = {}
  for id, r in pairs(written) do
    records[#records + 1] = id
    records[#records + 1] = cmsgpack.pack(r)
  end
  many('HSET', REC, records)
  local fields, gone = {}, {}
  for field in pairs(changed) do
    if metas[field] == 0 and string.sub(field, 1, 1) == 't' then
      gone[#gone + 1] = field
    else
      fields[#fields + 1] = field
      fields[#fields + 1] = whole(metas[field])
    end
  end
  many('HSET', META, fields)
  many('HDEL', META, gone)
  written, changed = {}, {}
  return true
end

-- A message goes out only where somebody has found nothing and said so; who hears it asks again.
local function tell(flag, message)
  if meta(flag) == 1 then
    set_meta(flag, 0)
    call('PUBLISH', CHANNEL, message)
  end
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
local seated = {}
local function seat(class, tenant)
  local field = class .. tenant
  if seated[field] then return end
  seated[field] = true
  if call('ZSCORE', KEYS[TURNS + class], tenant) then return end
  local left = tonumber(call('HGET', PASS, field) or 0)
  if left > 0 then call('HDEL', PASS, field) end
  call('ZADD', KEYS[TURNS + class], whole(math.max(left, meta('served' .. class))), tenant)
end
local function unseat_if_empty(class, tenant)
  local prefix = class .. '\1' .. tenant
  if call('ZRANGEBYLEX', READY, '[' .. prefix .. '\1', '(' .. prefix .. '\2', 'LIMIT', 0, 1)[1] then return end
  local pass = tonumber(call('ZSCORE', KEYS[TURNS + class], tenant) or 0)
  call('ZREM', KEYS[TURNS + class], tenant)
  seated[class .. tenant] = nil
  if pass > meta('served' .. class) then call('HSET', PASS, class .. tenant, whole(pass)) end
end

local function stand(id, r)
  local class = class_at(r)
  seat(class, r[TENANT])
  local line = member(class, r, id)
  call('ZADD', READY, 0, line)
  if class > 0 then
    local at = r[SINCE] + AGEING * (r[PRIORITY] - class + 1)
    call('ZADD', RISE, whole(at), line)
    sooner('rise', at)
  end
end
local function wait_from(id, r)
  if r[SINCE] > now then
    r[STATUS] = SCHEDULED
    call('ZADD', SCHED, whole(r[SINCE]), padded(r[SEQ]) .. id)
    count('s1', 1)
    sooner('due', r[SINCE])
    return
  end
  if r[PLACE] == 0 then r[PLACE] = count('place', 1) end
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
    if meta('ready') == 1 and call('ZCARD', READY) > 0 then tell('ready', 'r') end
  end
end

local function open(r) return r[STATUS] <= HELD end

-- Ends a request that nothing knows any more.
local function finish(id, r, status, result)
  r[STATUS] = status
  count('s' .. status, 1)
  count('p' .. r[PRIORITY], -1)
  count('t' .. r[TENANT], -1)
  count('bytes', -r[SIZE])
  if r[DEADLINE] > 0 then call('ZREM', BOUND, id) end
  if status == DEAD then
    call('ZADD', DEADS, whole(r[SEQ]), id)
  else
    call('HDEL', BODY, id)
    local over = now + (r[KEY] == '' and KEEP_RESULTS or KEEP_KEYS)
    call('ZADD', OLD, whole(over), id)
    sooner('old', over)
    if result then call('HSET', RESULT, id, result) end
  end
  if r[AWAITED] == 1 then
    r[AWAITED] = 0
    call('PUBLISH', CHANNEL, 'd' .. id)
  end
  -- Of what is done or cancelled, no more is asked than the first three fields.
  save(id, status == DEAD and r or { r[STATUS], r[NONCE], r[KEY] })
  tell('room', 'o')
  if count('open', -1) == 0 then tell('idle', 'i') end
end

local function failed(r, error)
  local history = r[HISTORY]
  history[#history + 1] = { r[ATTEMPT], error, math.floor(now / 1000) }
end

local function owner_of(r) return string.match(r[FLOW], '([^\2]*)$') end

-- What time has brought about: scheduled work, deadlines, leases, handles that are silent.
local function settle_due()
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
  local soonest = NEVER
  for _, key in ipairs({ SCHED, BOUND, LEASED, OWNERS }) do soonest = math.min(soonest, first_of(key)) end
  set_meta('due', soonest)
end

-- Forgets some of what was finished long enough ago; how many.
local function forget(most)
  if now < meta('old') then return 0 end
  local over = call('ZRANGEBYSCORE', OLD, '-inf', whole(now), 'LIMIT', 0, most)
  for _, id in ipairs(over) do
    local r = load(id)
    call('ZREM', OLD, id)
    call('HDEL', REC, id)
    call('HDEL', RESULT, id)
    written[id] = nil
    if r then
      count('s' .. r[STATUS], -1)
      if r[KEY] ~= '' and call('HGET', BYKEY, r[KEY]) == id then call('HDEL', BYKEY, r[KEY]) end
    end
  end
  set_meta('old', first_of(OLD))
  return #over
end

-- Whether a lease is held, by its name.
local function held(r, attempt)
  return r and r[STATUS] == HELD and r[ATTEMPT] == attempt and (r[UNTIL] == -1 or r[UNTIL] > now)
end

-- How long until time may bring something; -1 for never.
local function next_event()
  local soonest = meta('due')
  if call('ZCARD', READY) > 0 then soonest = math.min(soonest, first_of(GRANTS) + WINDOW) end
  return soonest < NEVER and math.max(0, soonest - now) or -1
end

-- How every script begins: with the counts that it is about to need, and what time has brought about by now; whether that
-- was anything.
local function begin(fields)
  local values = call('HMGET', META, unpack(fields))
  for i, field in ipairs(fields) do metas[field] = tonumber(values[i] or 0) end
  if now < meta('due') then return false end
  settle_due()
  return true
end

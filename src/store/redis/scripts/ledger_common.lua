-- What every script of a ledger shares.
--
-- A part of a budget is what one tenant (or nobody, where the budget is for all) spends of it in one span of time:
--   budget \1 tenant \1 start        start: twenty digits, so that parts stand in their order
-- SPENT and HELD have its amounts, PARTS all that are in either. Which budgets cover a call, and in which span it falls, is
-- worked out by whoever asks, from the budgets as it knows them: a script that is given another version than the ledger's
-- does nothing and answers with the budgets. Moments are microseconds, which a double holds exactly.
local call = redis.call
local META, BUDGETS, IDENTITIES, HOLDS, LEASES, PARTS, SPENT, HELD, RECORDS, TIMES, SETTLED, BEFORE =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11], KEYS[12]
local AT_ONCE, REMEMBERED = 1000, 21600000000

local now
if ARGV[1] == '' then
  local time = call('TIME')
  now = tonumber(time[1]) * 1000000 + tonumber(time[2])
else
  now = tonumber(ARGV[1])
end

local function whole(number) return string.format('%.0f', number) end
local function version() return call('HGET', META, 'version') or '' end
local function stale() return { 'stale', version(), call('HGETALL', BUDGETS) } end
-- While a new budget is being counted, nothing is written that it would have to count.
local function is_busy() return tonumber(call('HGET', META, 'busy') or 0) > now end

local function put_amount(key, part, amount)
  call('HSET', key, part, amount)
  call('ZADD', PARTS, 0, part)
end
local function add_amount(key, part, amount)
  put_amount(key, part, add(call('HGET', key, part) or '0', amount))
end
local function drop_amount(key, part)
  call('HDEL', key, part)
  local other = key == HELD and SPENT or HELD
  if call('HEXISTS', other, part) == 0 then call('ZREM', PARTS, part) end
end

-- A call that found others' holds in the way left word: it hears when that may have changed.
local function tell_waiting()
  if call('HDEL', META, 'waits') == 1 then call('PUBLISH', string.sub(META, 1, -5) .. 'wake', 'f') end
end

-- Gives back what a hold has; whether there was one.
local function free(number)
  local packed = call('HGET', HOLDS, number)
  if not packed then return false end
  call('HDEL', HOLDS, number)
  call('ZREM', LEASES, number)
  local hold = cmsgpack.unpack(packed)
  for _, part in ipairs(hold.parts) do
    local held = call('HGET', HELD, part)
    if held then
      local left = add(held, negated(hold.amount))
      if left == '0' then drop_amount(HELD, part) else call('HSET', HELD, part, left) end
    end
  end
  tell_waiting()
  return true
end

-- Ends the holds whose lease is over: their process died, or forgot them.
local function lapse()
  repeat
    local over = call('ZRANGEBYSCORE', LEASES, '-inf', whole(now), 'LIMIT', 0, AT_ONCE)
    for _, number in ipairs(over) do
      if not free(number) then call('ZREM', LEASES, number) end
    end
  until #over < AT_ONCE
end

-- What is spent and held of a budget in the spans from first to last; of a tenant's part, where prefix has one.
local function gone(prefix, first, last)
  if first == last then
    return call('HGET', SPENT, prefix .. first) or '0', call('HGET', HELD, prefix .. first) or '0'
  end
  local parts = call('ZRANGEBYLEX', PARTS, '[' .. prefix .. first, '[' .. prefix .. last)
  local spent, held = '0', '0'
  for from = 1, #parts, AT_ONCE do
    local to = math.min(from + AT_ONCE - 1, #parts)
    for _, amount in ipairs(call('HMGET', SPENT, unpack(parts, from, to))) do
      if amount then spent = add(spent, amount) end
    end
    for _, amount in ipairs(call('HMGET', HELD, unpack(parts, from, to))) do
      if amount then held = add(held, amount) end
    end
  end
  return spent, held
end

-- Puts requests, each put all or none. Ids are the caller's: the same put again puts nothing.
-- how many puts, then for each: max_size, max_bytes, priority, tenant, flow, tokens, key, max_attempts, delay, deadline,
-- total bytes, owner, how many requests, then id and body of each. Answers a list, in the order of the puts.
local at = 7

local function put()
  local max_size, max_bytes, priority, tenant = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), ARGV[at + 3]
  local flow, tokens, key, most = ARGV[at + 4], tonumber(ARGV[at + 5]), ARGV[at + 6], tonumber(ARGV[at + 7])
  local delay, deadline, bytes = tonumber(ARGV[at + 8]), tonumber(ARGV[at + 9]), tonumber(ARGV[at + 10])
  local owner, n = ARGV[at + 11], tonumber(ARGV[at + 12])
  local first = at + 13
  at = first + 2 * n

  if key ~= '' then
    local known = call('HGET', BYKEY, key)
    if known then return { 'ok', { known } } end
  end
  local ids = {}
  for i = 1, n do ids[i] = ARGV[first + 2 * i - 2] end
  if n == 0 then return { 'ok', ids } end
  if written[ids[1]] or call('HEXISTS', REC, ids[1]) == 1 then return { 'ok', ids } end
  local open_now, bytes_now = meta('open'), meta('bytes')
  if (max_size and open_now + n > max_size) or (max_bytes and bytes_now + bytes > max_bytes) then
    set_meta('room', 1)
    return { 'full', open_now, bytes_now }
  end
  if key ~= '' then call('HSET', BYKEY, key, ids[1]) end
  if owner ~= '' then
    call('ZADD', OWNERS, whole(now + LIVES), owner)
    sooner('due', now + LIVES)
  end
  local seq = count('seq', n) - n
  local place = 0
  if delay == 0 then
    place = count('place', n) - n
    seat(priority, tenant)
  end
  local due, rise = deadline and now + deadline or 0, whole(now + AGEING)
  local bodies, lines, rises, scheds, bounds = {}, {}, {}, {}, {}
  for i = 1, n do
    local id, body = ids[i], ARGV[first + 2 * i - 1]
    local r = { WAITING, '', key, priority, tenant, flow, tokens, 0, most, now, now + delay, 0, due, 0, #body - 1, {}, seq + i,
      {}, 0, 0 }
    bodies[2 * i - 1], bodies[2 * i] = id, body
    if deadline then bounds[2 * i - 1], bounds[2 * i] = whole(due), id end
    if delay > 0 then
      r[STATUS] = SCHEDULED
      scheds[2 * i - 1], scheds[2 * i] = whole(now + delay), padded(r[SEQ]) .. id
    else
      r[PLACE] = place + i
      local line = member(priority, r, id)
      lines[2 * i - 1], lines[2 * i] = 0, line
      if priority > 0 then rises[2 * i - 1], rises[2 * i] = rise, line end
    end
    save(id, r)
  end
  many('HSET', BODY, bodies)
  many('ZADD', READY, lines)
  many('ZADD', RISE, rises)
  many('ZADD', SCHED, scheds)
  many('ZADD', BOUND, bounds)
  if priority > 0 and delay == 0 then sooner('rise', now + AGEING) end
  if deadline then sooner('due', due) end
  if delay > 0 then
    sooner('due', now + delay)
    count('s1', n)
  end
  count('open', n)
  count('bytes', bytes)
  count('p' .. priority, n)
  count('t' .. tenant, n)
  tell('ready', 'r')
  return { 'ok', ids }
end

local priority, tenant = ARGV[at + 2], ARGV[at + 3]
begin({ 'due', 'open', 'bytes', 'seq', 'place', 'rise', 'old', 'ready', 'room', 'served' .. priority, 'p' .. priority, 't' .. tenant })
local answers = {}
for i = 1, tonumber(ARGV[6]) do answers[i] = put() end
forget(2)
commit()
return answers

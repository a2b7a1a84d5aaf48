-- Puts requests with the same options, all or none. Ids are the caller's: the same put again puts nothing.
-- max_size, max_bytes, priority, tenant, flow, tokens, key, max_attempts, delay, deadline, total bytes, owner,
-- then id and body of each
local max_size, max_bytes, priority, tenant, flow = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9], ARGV[10]
local tokens, key, most, delay, deadline = tonumber(ARGV[11]), ARGV[12], tonumber(ARGV[13]), tonumber(ARGV[14]), tonumber(ARGV[15])
local bytes, owner = tonumber(ARGV[16]), ARGV[17]
local FIRST = 18

if key ~= '' then
  local known = call('HGET', BYKEY, key)
  if known then return { 'ok', { known } } end
end
local ids, n = {}, 0
for at = FIRST, #ARGV, 2 do
  n = n + 1
  ids[n] = ARGV[at]
end
if n == 0 then return { 'ok', ids } end
if call('HEXISTS', REC, ids[1]) == 1 then return { 'ok', ids } end
local open_now, bytes_now = meta('open'), meta('bytes')
if (max_size and open_now + n > max_size) or (max_bytes and bytes_now + bytes > max_bytes) then
  call('HSET', META, 'room', 1)
  return { 'full', open_now, bytes_now }
end
if key ~= '' then call('HSET', BYKEY, key, ids[1]) end
if owner ~= '' then call('ZADD', OWNERS, whole(now + LIVES), owner) end
local seq = call('HINCRBY', META, 'seq', n) - n
local place = 0
if delay == 0 then
  place = call('HINCRBY', META, 'place', n) - n
  seat(priority, tenant)
end
local due = deadline and now + deadline or 0
for i = 1, n do
  local id, body = ids[i], ARGV[FIRST + 2 * i - 1]
  local r = { WAITING, priority, tenant, flow, tokens, key, 0, most, now, now + delay, 0, due, 0, #body - 1, {}, seq + i,
    '', {}, 0, 0 }
  call('HSET', BODY, id, body)
  if deadline then call('ZADD', BOUND, whole(due), id) end
  if delay > 0 then
    r[STATUS] = SCHEDULED
    call('ZADD', SCHED, whole(now + delay), padded(r[SEQ]) .. id)
  else
    r[PLACE] = place + i
    local line = member(priority, r, id)
    call('ZADD', READY, 0, line)
    if priority > 0 then call('ZADD', RISE, whole(now + AGEING), line) end
  end
  save(id, r)
end
if delay > 0 then count('s1', n) end
count('open', n)
count('bytes', bytes)
count('p' .. priority, n)
count('t' .. tenant, n)
tell('ready', 'r')
forget(2)
return { 'ok', ids }

-- What is known of a queue and of a request, and what an operator does: verb, then what the verb takes.
local verb, id = ARGV[6], ARGV[7]
begin({ 'due' })

local function look()
  if verb == 'status' then
    local r = load(id)
    return r and r[STATUS] or -1
  end
  if verb == 'open' then
    local n = meta('open')
    if n > 0 then set_meta('idle', 1) end
    return { n, next_event() }
  end
  if verb == 'result' then
    local r = load(id)
    if not r then return { 'unknown' } end
    if open(r) then
      if r[AWAITED] == 0 and ARGV[8] == '1' then
        r[AWAITED] = 1
        save(id, r)
      end
      return { 'open', next_event() }
    end
    if r[STATUS] == DONE then
      local result = call('HGET', RESULT, id)
      if result then return { 'done', result } end
      return { 'done' }
    end
    if r[STATUS] == CANCELLED then return { 'cancelled' } end
    local last = r[HISTORY][#r[HISTORY]]
    return { 'dead', r[ATTEMPT], last and last[2] or 'unknown' }
  end
  if verb == 'cancel' then
    local r = load(id)
    if not r then return -1 end
    if not open(r) then return 0 end
    withdraw(id, r)
    finish(id, r, CANCELLED)
    return 1
  end
  if verb == 'revive' then
    local r = load(id)
    if not r then return -1 end
    if r[STATUS] ~= DEAD then return r[STATUS] end
    call('ZREM', DEADS, id)
    count('s4', -1)
    count('open', 1)
    count('bytes', r[SIZE])
    count('p' .. r[PRIORITY], 1)
    count('t' .. r[TENANT], 1)
    r[ATTEMPT], r[SINCE], r[PLACE], r[DEADLINE] = 0, now, 0, 0
    wait_from(id, r)
    save(id, r)
    return 'ok'
  end
  if verb == 'dead' then
    local letters = {}
    for i, dead in ipairs(call('ZRANGE', DEADS, 0, -1)) do
      local r = load(dead)
      letters[i] = { dead, r[PRIORITY], r[TENANT], r[HISTORY], call('HGET', BODY, dead) or '' }
    end
    return letters
  end
  if verb == 'pause' then
    set_meta('paused', tonumber(id))
    if id ~= '1' then call('PUBLISH', CHANNEL, 'r') end
    return 'ok'
  end
  if verb == 'purge' then return forget(tonumber(id)) end
  -- stats
  commit()
  return { call('HGETALL', META), call('ZCARD', READY), call('ZCARD', DEADS) }
end

local answer = look()
commit()
return answer

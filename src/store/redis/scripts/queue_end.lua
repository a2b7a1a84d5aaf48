-- How leases end, or go on: how many, then for each: verb, id, attempt, nonce, and three of what the verb takes. A settlement
-- with a nonce that was seen before was answered before, and the answer lost: it does nothing again. Answers a list, ok or lost.
--   ack     has result, result, tokens used
--   nack    error, delay, retry
--   extend  by
--   back    whether it is an orphan
local n, FIELDS = tonumber(ARGV[6]), 7

local function settle(verb, id, attempt, nonce, a, b, c)
  local r = load(id)
  if r and r[NONCE] == nonce then return 'ok' end
  if not held(r, attempt) then return 'lost' end
  if verb == 'ack' then
    withdraw(id, r, tonumber(c))
    r[NONCE] = nonce
    count('acked', 1)
    finish(id, r, DONE, a == '1' and b)
  elseif verb == 'nack' then
    withdraw(id, r)
    r[NONCE] = nonce
    failed(r, a)
    if c ~= '1' or attempt >= r[MOST] then
      finish(id, r, DEAD)
    else
      count('retried', 1)
      r[SINCE] = now + tonumber(b)
      wait_from(id, r)
      save(id, r)
    end
  elseif verb == 'extend' then
    r[UNTIL] = now + tonumber(a)
    call('ZADD', LEASED, whole(r[UNTIL]), id)
    sooner('due', r[UNTIL])
    save(id, r)
  else
    withdraw(id, r, 0)
    r[NONCE] = nonce
    if a == '1' then r[FLOW] = string.match(r[FLOW], '^(.*\2)[^\2]*$') .. '1' end
    r[ATTEMPT] = r[ATTEMPT] - 1
    wait_from(id, r)
    save(id, r)
  end
  return 'ok'
end

begin({ 'due', 'old', 'open', 'bytes', 'acked', 'ready', 'room', 'idle', 's2', 's3', 'p0', 'p1', 'p2', 'p3' })
local answers = {}
for i = 1, n do
  local at = 7 + FIELDS * (i - 1)
  answers[i] = settle(ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), ARGV[at + 3], ARGV[at + 4], ARGV[at + 5], ARGV[at + 6])
end
forget(2)
commit()
return answers

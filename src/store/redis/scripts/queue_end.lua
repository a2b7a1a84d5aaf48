-- How a lease ends, or goes on: verb, id, attempt, nonce, then what the verb takes. A settlement with a nonce that was
-- seen before was answered before, and the answer lost: it does nothing again.
--   ack     has result, result, tokens used
--   nack    error, delay, retry
--   extend  by
--   back    whether it is an orphan
local verb, id, attempt, nonce = ARGV[6], ARGV[7], tonumber(ARGV[8]), ARGV[9]
local r = load(id)
if r and r[NONCE] == nonce then return 'ok' end
if not held(r, attempt) then return 'lost' end
if verb == 'ack' then
  withdraw(id, r, tonumber(ARGV[12]))
  r[NONCE] = nonce
  count('acked', 1)
  finish(id, r, DONE, ARGV[10] == '1' and ARGV[11])
  forget(2)
elseif verb == 'nack' then
  withdraw(id, r)
  r[NONCE] = nonce
  failed(r, ARGV[10])
  if ARGV[12] ~= '1' or attempt >= r[MOST] then
    finish(id, r, DEAD)
  else
    count('retried', 1)
    r[SINCE] = now + tonumber(ARGV[11])
    wait_from(id, r)
    save(id, r)
  end
elseif verb == 'extend' then
  r[UNTIL] = now + tonumber(ARGV[10])
  call('ZADD', LEASED, whole(r[UNTIL]), id)
  save(id, r)
else
  withdraw(id, r, 0)
  r[NONCE] = nonce
  if ARGV[10] == '1' then r[FLOW] = string.match(r[FLOW], '^(.*\2)[^\2]*$') .. '1' end
  r[ATTEMPT] = r[ATTEMPT] - 1
  wait_from(id, r)
  save(id, r)
end
return 'ok'

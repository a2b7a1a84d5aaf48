-- A turn of one's own: verb, id, attempt, nonce, then what the verb takes.
--   leave  tokens used
--   again  delay, provider, model, tokens expected, tokens used; empty is as before
--   renew  owner, in place of the id: it lives
local verb, id, attempt, nonce = ARGV[6], ARGV[7], tonumber(ARGV[8]), ARGV[9]
begin({ 'due', 'old', 'open', 'bytes', 'ready', 'room', 'idle', 's2' })
if verb == 'renew' then
  call('ZADD', OWNERS, whole(now + LIVES), id)
  sooner('due', now + LIVES)
  return commit() and 'ok'
end
local r = load(id)
if verb == 'leave' then
  if r and open(r) then
    withdraw(id, r, tonumber(ARGV[10]))
    finish(id, r, CANCELLED)
    forget(2)
  end
  return commit() and 'ok'
end
if r and r[NONCE] == nonce then return commit() and 'ok' end
if not held(r, attempt) then return commit() and 'lost' end
withdraw(id, r, tonumber(ARGV[14]))
r[NONCE] = nonce
r[MOST] = r[MOST] + 1
r[SINCE] = now + tonumber(ARGV[10])
local provider, model, owner = string.match(r[FLOW], '^([^\2]*)\2([^\2]*)\2(.*)$')
if ARGV[11] ~= '' then provider = ARGV[11] end
if ARGV[12] ~= '' then model = ARGV[12] end
r[FLOW] = provider .. '\2' .. model .. '\2' .. owner
r[TOKENS] = tonumber(ARGV[13]) or r[TOKENS]
count('retried', 1)
wait_from(id, r)
save(id, r)
return commit() and 'ok'

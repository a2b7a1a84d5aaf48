-- Books a call: version, nonce, hold or nothing, time, record, cost, then of each budget that covers it prefix, span of the
-- call, first and last span that count, first span that has to be remembered. A nonce that was seen before was booked
-- before, and the answer lost: the same answer is given again. Answers with the record's number and, of each budget, what
-- was spent before and after.
local nonce, cost = ARGV[3], ARGV[7]
local FIRST, WIDTH = 8, 5
local known = call('HGET', SETTLED, nonce) or call('HGET', BEFORE, nonce)
if known then
  known = cmsgpack.unpack(known)
  return { 'ok', known[1], known[2] }
end
if is_busy() then return { 'busy' } end
if ARGV[2] ~= version() then return stale() end
lapse()
if ARGV[4] ~= '' then free(ARGV[4]) end
local number = whole(call('HINCRBY', META, 'newest', 1))
call('XADD', RECORDS, number .. '-0', 'r', ARGV[6])
call('ZADD', TIMES, ARGV[5], number)
local steps = {}
for at = FIRST, #ARGV, WIDTH do
  local prefix, span, first, last, kept = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  local before = gone(prefix, first, last)
  add_amount(SPENT, prefix .. span, cost)
  local counts = first <= span and span <= last
  steps[#steps + 1] = before
  steps[#steps + 1] = counts and add(before, cost) or before
  -- A rolling budget would leave a part for each of its steps.
  for _, part in ipairs(call('ZRANGEBYLEX', PARTS, '[' .. prefix, '(' .. prefix .. kept, 'LIMIT', 0, 100)) do
    drop_amount(SPENT, part)
  end
end
-- Nonces are remembered for one turn of the two hashes at least, and two at most.
local turned = tonumber(call('HGET', META, 'turned') or 0)
if now - turned >= REMEMBERED then
  call('UNLINK', BEFORE)
  if call('EXISTS', SETTLED) == 1 then call('RENAME', SETTLED, BEFORE) end
  call('HSET', META, 'turned', whole(now))
end
call('HSET', SETTLED, nonce, cmsgpack.pack({ number, steps }))
return { 'ok', number, steps }

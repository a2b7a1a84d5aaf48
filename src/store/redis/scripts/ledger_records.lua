-- The records: verb, then what the verb takes. Every answer begins with the newest record's number and how often records
-- were forgotten, so that whoever keeps sums of them knows when to begin anew.
--   page    first, last or nothing for the newest, how many, whether the newest first
--   purge   forgets some from before a time
--   claim   token, for how long, a name for the ledger where it has none: nobody else drains it meanwhile
--   trim    forgets some up to a number
local verb = ARGV[2]
local newest = call('HGET', META, 'newest') or '0'
local function forget(numbers)
  if #numbers > 0 then
    local ids = {}
    for at, number in ipairs(numbers) do ids[at] = number .. '-0' end
    call('XDEL', RECORDS, unpack(ids))
    call('ZREM', TIMES, unpack(numbers))
    call('HINCRBY', META, 'forgotten', 1)
  end
  return { newest, call('HGET', META, 'forgotten') or '0', #numbers }
end
if verb == 'purge' then
  return forget(call('ZRANGEBYSCORE', TIMES, '-inf', '(' .. ARGV[3], 'LIMIT', 0, AT_ONCE))
end
if verb == 'claim' then
  local by, ends = call('HGET', META, 'drainer'), tonumber(call('HGET', META, 'drained') or 0)
  if by and by ~= ARGV[3] and ends > now then return { newest, '0', '' } end
  call('HSET', META, 'drainer', ARGV[3], 'drained', whole(now + tonumber(ARGV[4])))
  call('HSETNX', META, 'name', ARGV[5])
  return { newest, '0', call('HGET', META, 'name') }
end
local last = ARGV[4] == '' and newest or ARGV[4]
local first, last_id, found = ARGV[3] .. '-0', last .. '-0', nil
if ARGV[6] == '1' then
  found = call('XREVRANGE', RECORDS, last_id, first, 'COUNT', ARGV[5])
else
  found = call('XRANGE', RECORDS, first, last_id, 'COUNT', ARGV[5])
end
local numbers, page = {}, {}
for at, entry in ipairs(found) do
  numbers[at] = string.match(entry[1], '^%d+')
  page[2 * at - 1], page[2 * at] = numbers[at], entry[2][2]
end
if verb == 'trim' then return forget(numbers) end
return { newest, call('HGET', META, 'forgotten') or '0', page }

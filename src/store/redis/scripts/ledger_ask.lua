-- Whether a call fits: version, verb, amount, number of the hold, lease, call (time, provider, model, tenant, tags), then
-- of each budget that covers it prefix, span of the call, first and last span that count, limit, whether it refuses.
--   admit   whether it would fit if no other ran
--   hold    sets the amount aside in all of them, or in none
-- Answers with what is spent and held of each, before this.
local verb, amount, number = ARGV[3], ARGV[4], ARGV[5]
local FIRST, WIDTH = 12, 6
if verb == 'hold' then
  if call('HEXISTS', HOLDS, number) == 1 then return { 'now', {} } end
  if is_busy() then return { 'busy' } end
end
if ARGV[2] ~= version() then return stale() end
lapse()
local verdict, taken = 'now', {}
for at = FIRST, #ARGV, WIDTH do
  local spent, held = gone(ARGV[at], ARGV[at + 2], ARGV[at + 3])
  taken[#taken + 1] = spent
  taken[#taken + 1] = held
  local limit = ARGV[at + 4]
  if amount ~= '0' and ARGV[at + 5] == '1' and is_less(limit, add(add(spent, held), amount)) then
    if is_less(limit, add(spent, amount)) then verdict = 'never' elseif verdict == 'now' then verdict = 'later' end
  end
end
if verb == 'hold' and verdict == 'later' then call('HSET', META, 'waits', 1) end
if verb == 'admit' or verdict ~= 'now' then return { verdict, taken } end
local hold = {
  amount = amount, time = ARGV[7], provider = ARGV[8], model = ARGV[9], tenant = ARGV[10], tags = ARGV[11], parts = {},
}
for at = FIRST, #ARGV, WIDTH do
  local part = ARGV[at] .. ARGV[at + 1]
  add_amount(HELD, part, amount)
  hold.parts[#hold.parts + 1] = part
end
call('HSET', HOLDS, number, cmsgpack.pack(hold))
call('ZADD', LEASES, whole(now + tonumber(ARGV[6])), number)
return { verdict, taken }

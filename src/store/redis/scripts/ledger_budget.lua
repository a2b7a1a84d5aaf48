-- Budgets: verb, then what the verb takes.
--   set      identity, definition, version: changes a budget that is there
--   begin    token, for how long: from here on nothing is written until the new budget is there
--   install  token, identity, definition, version, number of amounts, (tenant, start, amount)..., (hold, tenant, start)...
--   remove   identity, version
--   status   version, then of each budget its number, whether it is for each tenant, first, last, first that is kept
local verb = ARGV[2]
local function define(id, definition, fresh)
  if call('HGET', BUDGETS, id) ~= definition then
    call('HSET', BUDGETS, id, definition)
    call('HSET', META, 'version', fresh)
    tell_waiting()
  end
end
if verb == 'set' then
  local id = call('HGET', IDENTITIES, ARGV[3])
  if not id then return { 'new' } end
  define(id, ARGV[4], ARGV[5])
  return { 'ok' }
end
if verb == 'begin' then
  if is_busy() and call('HGET', META, 'by') ~= ARGV[3] then return { 'busy' } end
  lapse()
  call('HSET', META, 'busy', whole(now + tonumber(ARGV[4])), 'by', ARGV[3])
  local holds = {}
  local all = call('HGETALL', HOLDS)
  for at = 1, #all, 2 do
    local hold = cmsgpack.unpack(all[at + 1])
    holds[#holds + 1] = { all[at], hold.time, hold.provider, hold.model, hold.tenant, hold.tags }
  end
  return { 'ok', call('HGET', META, 'newest') or '0', holds }
end
if verb == 'install' then
  if call('HGET', META, 'by') ~= ARGV[3] or not is_busy() then return { 'lost' } end
  call('HDEL', META, 'busy', 'by')
  local id = call('HGET', IDENTITIES, ARGV[4])
  if id then
    define(id, ARGV[5], ARGV[6])
    return { 'ok' }
  end
  id = whole(call('HINCRBY', META, 'budgets', 1))
  call('HSET', IDENTITIES, ARGV[4], id)
  define(id, ARGV[5], ARGV[6])
  local at = 8
  for _ = 1, tonumber(ARGV[7]) do
    add_amount(SPENT, id .. '\1' .. ARGV[at] .. '\1' .. ARGV[at + 1], ARGV[at + 2])
    at = at + 3
  end
  for hold_at = at, #ARGV, 3 do
    local packed = call('HGET', HOLDS, ARGV[hold_at])
    if packed then
      local hold = cmsgpack.unpack(packed)
      local part = id .. '\1' .. ARGV[hold_at + 1] .. '\1' .. ARGV[hold_at + 2]
      add_amount(HELD, part, hold.amount)
      hold.parts[#hold.parts + 1] = part
      call('HSET', HOLDS, ARGV[hold_at], cmsgpack.pack(hold))
    end
  end
  return { 'ok' }
end
if verb == 'remove' then
  local id = call('HGET', IDENTITIES, ARGV[3])
  if not id then return { 'ok', 0 } end
  call('HDEL', IDENTITIES, ARGV[3])
  call('HDEL', BUDGETS, id)
  call('HSET', META, 'version', ARGV[4])
  tell_waiting()
  for _, part in ipairs(call('ZRANGEBYLEX', PARTS, '[' .. id .. '\1', '(' .. id .. '\2')) do
    call('HDEL', SPENT, part)
    call('HDEL', HELD, part)
    call('ZREM', PARTS, part)
  end
  return { 'ok', 1 }
end
-- status
if ARGV[3] ~= version() then return stale() end
lapse()
local all = {}
for at = 4, #ARGV, 5 do
  local id, first, last, kept = ARGV[at], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  if ARGV[at + 1] == '0' then
    local spent, held = gone(id .. '\1\1', first, last)
    all[#all + 1] = { '', spent, held }
  else
    local tenants, known = {}, nil
    for _, part in ipairs(call('ZRANGEBYLEX', PARTS, '[' .. id .. '\1', '(' .. id .. '\2')) do
      local tenant, start = string.match(part, '^[^\1]*\1([^\1]*)\1(.*)$')
      if start < kept then drop_amount(SPENT, part) end
      if tenant ~= known then
        local spent, held = gone(id .. '\1' .. tenant .. '\1', first, last)
        tenants[#tenants + 1] = tenant
        tenants[#tenants + 1] = spent
        tenants[#tenants + 1] = held
        known = tenant
      end
    end
    all[#all + 1] = tenants
  end
end
return { 'ok', all }

-- Hands out requests whose turn it is, as far as the limits let them.
-- most, lease, who (w worker, o owner, h heir), me, whether a worker waits here, limits n, scope concurrency requests tokens ...,
-- weights n, tenant weight ...
local most, lease, who, me, workers = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8], ARGV[9], ARGV[10] == '1'
local rules, weights, at = {}, {}, 12
local ruled = tonumber(ARGV[11]) > 0
for _ = 1, tonumber(ARGV[11]) do
  rules[ARGV[at]] = { tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]) }
  at = at + 4
end
for i = at + 1, at + 2 * tonumber(ARGV[at]), 2 do weights[ARGV[i]] = tonumber(ARGV[i + 1]) end

begin({ 'due', 'ready', 'rise', 'paused', 'scoped', 's2', 'served0', 'served1', 'served2', 'served3' })

-- What waited long enough goes up, the lowest class first in its order; a member says its class with its first byte.
for _ = 1, now < meta('rise') and 0 or 4 do
  local due = call('ZRANGEBYSCORE', RISE, '-inf', whole(now), 'LIMIT', 0, AT_ONCE)
  for _, line in ipairs(due) do
    local class, tenant, id = string.match(line, '^(%d)\1([^\1]*)\1.*\1([^\1]*)$')
    call('ZREM', RISE, line)
    if call('ZREM', READY, line) == 1 then
      stand(id, load(id))
      unseat_if_empty(tonumber(class), tenant)
    end
  end
  set_meta('rise', first_of(RISE))
  if #due < AT_ONCE then break end
end

-- Every scope that any handle has a rule for is counted, and a rate for sixty seconds.
local known = {}
if ruled or meta('scoped') == 1 then
  if meta('scoped') == 0 then set_meta('scoped', 1) end
  local fields = call('HGETALL', SCOPES)
  for i = 1, #fields, 2 do known[fields[i]] = fields[i + 1] end
  for scope, rule in pairs(rules) do
    local kind = (rule[2] or rule[3] or known[scope] == 'rate') and 'rate' or 'slot'
    if known[scope] ~= kind then
      call('HSET', SCOPES, scope, kind)
      known[scope] = kind
    end
  end
  for _, grant in ipairs(call('ZRANGEBYSCORE', GRANTS, '-inf', whole(now - WINDOW), 'LIMIT', 0, 5000)) do
    local scope = string.match(grant, '^([^\1]*)')
    call('HINCRBY', USED, 'n' .. scope, -1)
    call('HINCRBY', USED, 't' .. scope, whole(-tonumber(call('HGET', GTOKENS, grant) or 0)))
    call('HDEL', GTOKENS, grant)
    call('ZREM', GRANTS, grant)
  end
end
-- The rule of a name is its own, or the one for each of its kind.
local function each(scope) return string.sub(scope, 1, 1) .. '*' end
local function kind_of(scope)
  local own, all = known[scope], known[each(scope)]
  return (own == 'rate' or all == 'rate') and 'rate' or own or all
end
local gauges = {}
local function gauge(scope)
  local found = gauges[scope]
  if not found then
    local used = call('HMGET', USED, 'a' .. scope, 'n' .. scope, 't' .. scope)
    found = { tonumber(used[1] or 0), tonumber(used[2] or 0), tonumber(used[3] or 0), 0, 0 }
    gauges[scope] = found
  end
  return found
end
local function scopes_of(tenant, flow)
  local found = {}
  local provider, model = string.match(flow, '^([^\2]*)\2([^\2]*)\2')
  for _, scope in ipairs({ 'g', 't' .. tenant, 'p' .. provider, 'm' .. model }) do
    if scope ~= 'p' and scope ~= 'm' and kind_of(scope) then found[#found + 1] = scope end
  end
  return found
end
local function admits(scopes, tokens)
  for _, scope in ipairs(scopes) do
    local rule = rules[scope] or rules[each(scope)]
    if rule then
      local g = gauge(scope)
      if rule[1] and g[1] + g[4] >= rule[1] then return false end
      if rule[2] and g[2] + g[4] >= rule[2] then return false end
      -- A request that alone takes more than the limit passes when it is alone: else it would wait for ever.
      if rule[3] and g[3] + g[5] + tokens > rule[3] and not (g[2] == 0 and g[4] == 0 and tokens > rule[3]) then
        return false
      end
    end
  end
  return true
end
local function charge(scopes, id, attempt, tokens)
  for _, scope in ipairs(scopes) do
    local g = gauge(scope)
    g[1] = g[1] + 1
    call('HINCRBY', USED, 'a' .. scope, 1)
    if kind_of(scope) == 'rate' then
      g[2], g[3] = g[2] + 1, g[3] + tokens
      call('HINCRBY', USED, 'n' .. scope, 1)
      call('HINCRBY', USED, 't' .. scope, whole(tokens))
      local grant = scope .. '\1' .. id .. '\1' .. attempt
      call('ZADD', GRANTS, whole(now), grant)
      call('HSET', GTOKENS, grant, whole(tokens))
    end
  end
end

local function lives(owner)
  local till = call('ZSCORE', OWNERS, owner)
  return till and tonumber(till) > now
end
-- mine, another's who is there to take it, or nobody's who is there
local function claim(owner)
  if who == 'w' and owner == '' then return 'mine' end
  if who == 'o' then
    if owner == me then return 'mine' end
    if owner == '' then return workers and 'others' or 'idle' end
  end
  if who == 'h' and owner == '' then return 'idle' end
  if lives(owner) then return 'others' end
  return who == 'h' and 'mine' or 'idle'
end

local function heads_of(class, tenant)
  local heads = {}
  local low, high = '[' .. class .. '\1' .. tenant .. '\1', '(' .. class .. '\1' .. tenant .. '\2'
  while true do
    local line = call('ZRANGEBYLEX', READY, low, high, 'LIMIT', 0, 1)[1]
    if not line then break end
    local flow, place, id = string.match(line, '^%d\1[^\1]*\1([^\1]*)\1(%d+)\1([^\1]*)$')
    heads[#heads + 1] = { flow = flow, place = tonumber(place), id = id, line = line }
    low = '(' .. class .. '\1' .. tenant .. '\1' .. flow .. '\2'
  end
  table.sort(heads, function(a, b) return a.place < b.place end)
  return heads
end

local held_room = {}
-- The turns of a class are given with the first of them; there are others where `several`.
local function choose(class, turns, several)
  local next = 1
  while turns[next] do
    local tenant = turns[next]
    for _, head in ipairs(heads_of(class, tenant)) do
      local mine = claim(string.match(head.flow, '([^\2]*)$'))
      if mine ~= 'idle' then
        local scopes = scopes_of(tenant, head.flow)
        head.r = load(head.id)
        if admits(scopes, head.r[TOKENS]) then
          if mine == 'mine' then return head, tenant, scopes end
          for _, scope in ipairs(scopes) do
            local g = gauge(scope)
            g[4], g[5] = g[4] + 1, g[5] + head.r[TOKENS]
            held_room[#held_room + 1] = g
          end
        end
      end
    end
    if next == 1 and several then turns = call('ZRANGE', KEYS[TURNS + class], 0, -1) end
    next = next + 1
  end
end

local out, leased = {}, {}
local ends, ends_text = now + lease, whole(now + lease)
local function hand_out(id, r, scopes, body)
  local owner = owner_of(r)
  r[STATUS], r[ATTEMPT], r[GAUGES] = HELD, r[ATTEMPT] + 1, scopes
  if owner == '' then
    r[UNTIL] = ends
    leased[#leased + 1], leased[#leased + 2] = ends_text, id
  else
    -- Who waits for a turn of its own holds it as long as it lives.
    r[UNTIL] = -1
    leased[#leased + 1], leased[#leased + 2] = '+inf', id
  end
  if who == 'h' then
    r[FLOW], r[ORPHAN] = string.match(r[FLOW], '^(.*\2)[^\2]*$') .. me, 1
    owner = me
  end
  charge(scopes, id, r[ATTEMPT], r[TOKENS])
  save(id, r)
  local n = #out
  out[n + 1], out[n + 2], out[n + 3], out[n + 4], out[n + 5] = id, r[ATTEMPT], r[PRIORITY], r[TENANT], r[FLOW]
  out[n + 6], out[n + 7], out[n + 8], out[n + 9] = r[PUT], math.max(0, now - r[SINCE]), r[TOKENS], body or ''
end

-- Many of one tenant and one flow, without limits and with nobody else's among them, leave together.
local function run_of(class, tenant, pass, left)
  if ruled or who ~= 'w' or next(known) or left < 2 then return 0 end
  local prefix = class .. '\1' .. tenant
  local low, high = '[' .. prefix .. '\1', '(' .. prefix .. '\2'
  local lines = call('ZRANGEBYLEX', READY, low, high, 'LIMIT', 0, math.min(left, 500))
  local flow = string.match(lines[1], '^%d\1[^\1]*\1([^\1]*)\1')
  if string.match(flow, '([^\2]*)$') ~= '' then return 0 end
  local last = call('ZREVRANGEBYLEX', READY, high, low, 'LIMIT', 0, 1)[1]
  if string.match(last, '^%d\1[^\1]*\1([^\1]*)\1') ~= flow then return 0 end
  local ids = {}
  for i, line in ipairs(lines) do ids[i] = string.sub(line, -16) end
  call('ZREM', READY, unpack(lines))
  if class > 0 then call('ZREM', RISE, unpack(lines)) end
  local records, bodies = call('HMGET', REC, unpack(ids)), call('HMGET', BODY, unpack(ids))
  for i, id in ipairs(ids) do hand_out(id, written[id] or cmsgpack.unpack(records[i]), {}, bodies[i]) end
  if pass > meta('served' .. class) then set_meta('served' .. class, pass) end
  unseat_if_empty(class, tenant)
  return #ids
end

local taken = 0
if meta('paused') ~= 1 then
  while taken < most do
    local found = false
    for class = 0, 3 do
      local turns = call('ZRANGE', KEYS[TURNS + class], 0, 1, 'WITHSCORES')
      if turns[1] then
        local together = turns[3] and 0 or run_of(class, turns[1], tonumber(turns[2]), most - taken)
        if together > 0 then
          taken, found = taken + together, true
          break
        end
        local head, tenant, scopes = choose(class, { turns[1] }, turns[3])
        if head then
          call('ZREM', READY, head.line)
          if class > 0 then call('ZREM', RISE, head.line) end
          local pass = tonumber(tenant == turns[1] and turns[2] or call('ZSCORE', KEYS[TURNS + class], tenant))
          if pass > meta('served' .. class) then set_meta('served' .. class, pass) end
          if turns[3] then
            call('ZADD', KEYS[TURNS + class], whole(pass + math.max(1, math.floor(STRIDE / (weights[tenant] or 1)))), tenant)
          end
          hand_out(head.id, head.r, scopes, call('HGET', BODY, head.id))
          unseat_if_empty(class, tenant)
          taken, found = taken + 1, true
          break
        end
      end
    end
    for _, g in ipairs(held_room) do g[4], g[5] = 0, 0 end
    held_room = {}
    if not found then break end
  end
end
many('ZADD', LEASED, leased)
if taken > 0 then
  count('s2', taken)
  if who ~= 'o' then sooner('due', now + lease) end
end
if who == 'h' and taken > 0 then
  call('ZADD', OWNERS, whole(now + LIVES), me)
  sooner('due', now + LIVES)
end
local wait = -1
if taken == 0 or who == 'o' then
  set_meta('ready', 1)
  wait = next_event()
end
commit()
return { wait, out }

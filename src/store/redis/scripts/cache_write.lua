-- Changes: verb, then what the verb takes.
--   put       of each entry id, key, rejected, tenant, has scope, scope, tags in JSON, created, body; one that is there stays
--   remove    of each entry key, id
--   reject    key, id
--   clear
--   erase     after which place, and what an entry must have: tenant, tag, scope, stored by; each as whether it is asked for,
--             and what. Looks through some: answers with the last place, how many it looked through, and what went
--   learn     tenant, score, correct
--   forget    whether of one tenant, tenant
local verb = ARGV[3]
local answer = 'ok'
if verb == 'put' then
  for at = 4, #ARGV, 9 do
    local id, key = ARGV[at], ARGV[at + 1]
    if not place_of(key, id) then
      local old = call('HGET', NAMES, key)
      local before = old and head(old)
      -- The new one may be gone before others have heard of it.
      if before then
        forget(old)
        tell(REMOVED, before[1])
      end
      local place = count('entry')
      local scope = ARGV[at + 4] == '1' and ARGV[at + 5] or false
      call('HSET', NAMES, key, place)
      call('ZADD', PLACES, place, place)
      call('HSET', HEADS, place, cmsgpack.pack({
        id, key, BY, ARGV[at + 2], ARGV[at + 3], scope, ARGV[at + 6], tonumber(ARGV[at + 7]),
      }))
      call('HSET', BODIES, place, ARGV[at + 8])
    end
  end
elseif verb == 'remove' then
  for at = 4, #ARGV, 2 do drop(ARGV[at], ARGV[at + 1]) end
elseif verb == 'reject' then
  local place, found = place_of(ARGV[4], ARGV[5])
  if place and found[4] ~= '1' then
    found[4] = '1'
    call('HSET', HEADS, place, cmsgpack.pack(found))
    tell(REJECTED, ARGV[5])
  end
elseif verb == 'clear' then
  call('UNLINK', NAMES, PLACES, HEADS, BODIES)
  tell(MANY, '0')
elseif verb == 'erase' then
  local places = call('ZRANGEBYSCORE', PLACES, '(' .. ARGV[4], '+inf', 'LIMIT', 0, AT_ONCE)
  local gone = {}
  for _, place in ipairs(places) do
    local found = head(place)
    local function is_asked(at) return ARGV[at] == '1' end
    local matches = found and not (is_asked(5) and found[5] ~= ARGV[6]) and not (is_asked(9) and found[6] ~= ARGV[10])
      and not (is_asked(11) and found[8] > tonumber(ARGV[12]))
    if matches and is_asked(7) then
      matches = false
      for _, tag in ipairs(cjson.decode(found[7])) do matches = matches or tag == ARGV[8] end
    end
    if matches then
      drop(found[2], found[1])
      gone[#gone + 1] = found[1]
    end
  end
  answer = { places[#places] or ARGV[4], #places, gone }
elseif verb == 'learn' then
  call('XADD', EVIDENCE, count('evidence') .. '-0', 't', ARGV[4], 's', ARGV[5], 'c', ARGV[6], 'b', BY)
else
  if ARGV[4] == '0' then
    call('DEL', EVIDENCE)
  else
    local first = '-'
    repeat
      local some = call('XRANGE', EVIDENCE, first, '+', 'COUNT', AT_ONCE)
      for _, piece in ipairs(some) do
        if piece[2][2] == ARGV[5] then call('XDEL', EVIDENCE, piece[1]) end
        first = '(' .. piece[1]
      end
    until #some < AT_ONCE
  end
  tell(FORGOTTEN, '0')
end
publish()
return answer

-- Looks: verb, then what the verb takes.
--   ends
--   page    after which entry, change and piece of evidence; a change below 0 asks for none. How many bytes of entries at
--           most, and how many changes: more are many
--   roll    after which place, how many
local verb = ARGV[3]
if verb == 'ends' then return ends() end
if verb == 'roll' then
  local places = call('ZRANGEBYSCORE', PLACES, '(' .. ARGV[4], '+inf', 'LIMIT', 0, ARGV[5])
  local roll = {}
  for _, place in ipairs(places) do
    local found = head(place)
    if found then
      roll[#roll + 1] = found[1]
      roll[#roll + 1] = found[4]
    end
  end
  return { places[#places] or ARGV[4], #places, roll }
end
local last = ends()
local entries, bytes, most_bytes, more = {}, 0, tonumber(ARGV[7]), 0
local places = call('ZRANGEBYSCORE', PLACES, '(' .. ARGV[4], '+inf', 'LIMIT', 0, AT_ONCE)
for at, place in ipairs(places) do
  local found = head(place)
  if found and found[3] ~= BY then
    local body = call('HGET', BODIES, place) or ''
    entries[#entries + 1] = { place, found[1], found[4], body }
    bytes = bytes + #body
  end
  if (bytes >= most_bytes and at < #places) or (at == #places and #places == AT_ONCE) then
    more, last[1] = 1, place
    break
  end
end
local changes, missed = {}, 0
if tonumber(ARGV[5]) >= 0 and tonumber(last[2]) > tonumber(ARGV[5]) then
  local next_change = string.format('%.0f', tonumber(ARGV[5]) + 1)
  local first = call('XRANGE', CHANGES, '-', '+', 'COUNT', 1)[1]
  local most = tonumber(ARGV[8])
  if not first or tonumber(string.match(first[1], '^%d+')) > tonumber(next_change)
    or tonumber(last[2]) - tonumber(ARGV[5]) > most then
    missed = 1
  end
  -- Of what else happened there is still to be told.
  for _, change in ipairs(call('XRANGE', CHANGES, next_change .. '-0', '+')) do
    local what, by = change[2][2], change[2][6]
    if what == MANY and by ~= BY then missed = 1 end
    if what == FORGOTTEN and by ~= BY then changes[#changes + 1] = { what, '0' } end
    if missed == 0 and by ~= BY and (what == REMOVED or what == REJECTED) then
      changes[#changes + 1] = { what, change[2][4] }
    end
  end
end
local evidence = {}
for _, piece in ipairs(call('XRANGE', EVIDENCE, string.format('%.0f-0', tonumber(ARGV[6]) + 1), '+')) do
  if piece[2][8] ~= BY then evidence[#evidence + 1] = { piece[2][2], piece[2][4], piece[2][6] } end
end
return { last, more, missed, entries, changes, evidence }

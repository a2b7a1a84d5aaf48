-- A hold that is there: verb, its number, then what the verb takes.
--   release
--   extend   by how much from now
local verb, number = ARGV[2], ARGV[3]
if verb == 'release' then return free(number) and 1 or 0 end
local ends = tonumber(call('ZSCORE', LEASES, number) or 0)
if ends <= now then return 0 end
call('ZADD', LEASES, whole(now + tonumber(ARGV[4])), number)
return 1

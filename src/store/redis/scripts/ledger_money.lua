-- Money is whole attodollars in decimal text, as the core has them in 128 bits: it saturates where the core does. Lua's
-- numbers are doubles, exact up to 2^53: three limbs of fifteen digits hold the largest amount, and two of them never carry
-- more than one.
local BASE = 1000000000000000
local MOST, LEAST = '170141183460469231731687303715884105727', '170141183460469231731687303715884105728'

local function limb(digits, from, to)
  if to < 1 then return 0 end
  return tonumber(string.sub(digits, math.max(from, 1), to))
end
local function limbs(digits)
  local n = #digits
  return limb(digits, n - 14, n), limb(digits, n - 29, n - 15), limb(digits, n - 44, n - 30)
end
local function joined(low, mid, high)
  if high > 0 then return string.format('%.0f%015.0f%015.0f', high, mid, low) end
  if mid > 0 then return string.format('%.0f%015.0f', mid, low) end
  return string.format('%.0f', low)
end
-- Sizes are digits without a sign and without zeros before them.
local function is_larger(a, b)
  if #a ~= #b then return #a > #b end
  return a > b
end
local function plus(a, b)
  local a0, a1, a2 = limbs(a)
  local b0, b1, b2 = limbs(b)
  local low, mid, high = a0 + b0, a1 + b1, a2 + b2
  if low >= BASE then low, mid = low - BASE, mid + 1 end
  if mid >= BASE then mid, high = mid - BASE, high + 1 end
  return joined(low, mid, high)
end
local function minus(a, b)
  local a0, a1, a2 = limbs(a)
  local b0, b1, b2 = limbs(b)
  local low, mid, high = a0 - b0, a1 - b1, a2 - b2
  if low < 0 then low, mid = low + BASE, mid - 1 end
  if mid < 0 then mid, high = mid + BASE, high - 1 end
  return joined(low, mid, high)
end
local function size(amount)
  if string.sub(amount, 1, 1) == '-' then return string.sub(amount, 2), true end
  return amount, false
end
local function signed(digits, is_negative)
  if digits == '0' then return digits end
  if not is_negative then return is_larger(digits, MOST) and MOST or digits end
  return '-' .. (is_larger(digits, LEAST) and LEAST or digits)
end
local function negated(amount)
  local digits, is_negative = size(amount)
  if digits == '0' then return digits end
  return is_negative and digits or '-' .. digits
end
local function add(one, other)
  local a, is_a = size(one)
  local b, is_b = size(other)
  if is_a == is_b then return signed(plus(a, b), is_a) end
  if is_larger(b, a) then return signed(minus(b, a), is_b) end
  return signed(minus(a, b), is_a)
end
local function is_less(one, other)
  local a, is_a = size(one)
  local b, is_b = size(other)
  if is_a ~= is_b then return is_a end
  if is_a then return is_larger(a, b) end
  return is_larger(b, a)
end

"""What the accounts do in Redis in one step, as scripts.

The keys, behind the prefix that is every script's first argument:

``rate:<key>``    a string: the level of a rate's bucket, and when that was
``slots:<key>``   a sorted set: who holds one, by the time until which they do
``budget:<key>``  a number: what was spent of it
``ledger``        a stream: one entry for each run, ``0-1``, ``0-2`` …
``ledger:runs``   a sorted set: the runs that have one, by its number

All but the ledger expire, some time after they matter. Times are milliseconds of the server's clock; a script's
second argument is another time to go by, or empty.
"""

from ..runs.redis_scripts import Script

# Claims are six arguments each: kind, key, limit, milliseconds (of a budget: until when), cost, holder.
_TALLY = """
local at = tonumber(ARGV[2]) or now()
local SPARE = 60000
local function each(from, visit)
  for first = from, #ARGV, 6 do
    local kind, key, limit, ms, cost, holder = unpack(ARGV, first, first + 5)
    visit(kind, prefix .. kind .. ':' .. key, tonumber(limit), tonumber(ms), tonumber(cost), holder)
  end
end
local function keep(name, value, ms)
  if ms > 0 then redis.call('SET', name, value, 'PX', ms) else redis.call('DEL', name) end
end
local function keep_level(name, level, ms)
  keep(name, string.format('%.17g %.0f', level, at), ms + SPARE)
end
-- A clock that was set back: from here a bucket drains, and a slot's time runs, even if nothing more is granted.
local function level(name, limit, ms)
  local kept, since = string.match(redis.call('GET', name) or '0 0', '^(%S+) (%S+)$')
  since = tonumber(since)
  local left = math.max(0, math.min(tonumber(kept), limit) - math.max(0, at - since) * limit / ms)
  if since > at then keep_level(name, left, ms) end
  return left
end
local function hold(name, holder, ms)
  redis.call('ZADD', name, at + ms, holder)
  local last = redis.call('ZREVRANGE', name, 0, 0, 'WITHSCORES')
  redis.call('PEXPIRE', name, last[2] - at + SPARE)
end
local function held(name, ms)
  redis.call('ZREMRANGEBYSCORE', name, '-inf', at)
  for _, holder in ipairs(redis.call('ZRANGEBYSCORE', name, '(' .. at + ms, '+inf')) do hold(name, holder, ms) end
  return redis.call('ZCARD', name)
end
local function spent(name)
  return tonumber(redis.call('GET', name) or 0)
end
local function settle(kind, name, limit, ms, cost)
  if kind == 'rate' then
    keep_level(name, math.max(0, level(name, limit, ms) + cost), ms)
  else
    keep(name, string.format('%.0f', math.max(0, spent(name) + cost)), ms - at + SPARE)
  end
end
"""


def _script(body: str) -> Script:
    return Script(_TALLY + body)


# Answers with the time and what is used, from which the verdict follows: see standing.py, whose rule this one is.
TAKE = _script("""
local usages = {}
local granted = true
each(3, function(kind, name, limit, ms, cost, holder)
  local used, needed, mine, free_at, idle_at = 0, cost, 0, '', at
  if kind == 'slots' then
    used, needed = held(name, ms), 1
    if redis.call('ZSCORE', name, holder) then mine, needed = 1, 0 end
    free_at = redis.call('ZRANGE', name, used - limit, used - limit, 'WITHSCORES')[2] or ''
    idle_at = redis.call('ZREVRANGE', name, 0, 0, 'WITHSCORES')[2] or at
  elseif kind == 'rate' then
    used = level(name, limit, ms)
  else
    used, needed = spent(name), math.max(1, cost)
  end
  granted = granted and (needed <= 0 or used + needed <= limit)
  usages[#usages + 1] = {string.format('%.17g', used), mine, tostring(free_at), tostring(idle_at)}
end)
if granted then
  each(3, function(kind, name, limit, ms, cost, holder)
    if kind == 'slots' then hold(name, holder, ms) else settle(kind, name, limit, ms, cost) end
  end)
end
return {tostring(at), usages}
""")

SETTLE = _script("each(3, settle)")

RENEW = _script("each(3, function(kind, name, limit, ms, cost, holder) hold(name, holder, ms) end)")

RELEASE = _script("each(3, function(kind, name, limit, ms, cost, holder) redis.call('ZREM', name, holder) end)")

WRITE = Script("""
local most, run, entry = tonumber(ARGV[2]), ARGV[3], ARGV[4]
local ledger, runs = prefix .. 'ledger', prefix .. 'ledger:runs'
if redis.call('ZSCORE', runs, run) then return end
local number = (redis.call('ZREVRANGE', runs, 0, 0, 'WITHSCORES')[2] or 0) + 1
redis.call('XADD', ledger, 'MAXLEN', most, string.format('0-%.0f', number), 'entry', entry)
redis.call('ZADD', runs, number, run)
redis.call('ZREMRANGEBYSCORE', runs, '-inf', number - most)
""")

"""What Redis does in one step: scripts, while which nothing else happens there.

The keys, behind the prefix that is every script's first argument:

``run:<key>``      a hash: what a log is and whose; ``closed`` is its length, once it has ended
``log:<key>``      a stream: one entry for each record, ``0-1``, ``0-2`` …; behind the last of a closed log, its end
``open:<worker>``  a set: the keys of the logs that a worker writes
``worker:<name>``  while it exists, the worker lives; ``1`` where it takes new readers
``workers``        a set: the names of all workers that live or have left open logs behind
``inbox:<worker>`` a stream: what a worker is asked for
``readers:<key>``  a sorted set: the workers that read a log, by the time until which they do
``era``            the store's own life: a name that is lost with everything else
"""

import hashlib
from typing import ClassVar

Command = tuple[str | bytes | int, ...]

_COMMON = """
local prefix = ARGV[1]
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function create(key, info, worker, epoch, era)
  redis.call('DEL', prefix .. 'log:' .. key)
  redis.call('HSET', prefix .. 'run:' .. key, 'info', info, 'worker', worker, 'epoch', epoch, 'era', era)
  redis.call('SADD', prefix .. 'open:' .. worker, key)
end
local function close(key, worker, length, keep)
  local run, log = prefix .. 'run:' .. key, prefix .. 'log:' .. key
  redis.call('XADD', log, '0-' .. length + 1, 'end', '')
  redis.call('HSET', run, 'closed', length)
  redis.call('PEXPIRE', log, keep)
  redis.call('PEXPIRE', run, keep)
  redis.call('SREM', prefix .. 'open:' .. worker, key)
end
"""


class Script:
    """A script, and the name that Redis knows it by once it was loaded."""

    every: ClassVar[list["Script"]] = []

    def __init__(self, body: str) -> None:
        self.text = _COMMON + body
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()
        self.every.append(self)

    def command(self, *arguments: str | bytes | int) -> Command:
        """What runs it."""
        return ("EVALSHA", self.sha, 0, *arguments)


CLAIM = Script("""
local key, info, worker, new_era = unpack(ARGV, 2)
if redis.call('EXISTS', prefix .. 'run:' .. key) == 0 then
  redis.call('SET', prefix .. 'era', new_era, 'NX')
  create(key, info, worker, 1, redis.call('GET', prefix .. 'era') .. ' ' .. now())
end
""")

# A log that is not there was lost, or it was ended in its writer's stead and has expired. The second takes longer than
# closed logs are kept, counted from when the log was made; so a younger one was lost, as was one of another era.
APPEND = Script("""
local KEPT, BEHIND, FENCED = 0, 1, 2
local keep = tonumber(ARGV[2])
local function was_lost(era)
  local name, claimed = string.match(era, '^(%S+) (%d+)$')
  return redis.call('GET', prefix .. 'era') ~= name or now() - claimed < keep
end
local function append(key, info, worker, epoch, era, after, count, closing, first)
  local known = redis.call('HMGET', prefix .. 'run:' .. key, 'worker', 'epoch', 'closed')
  if not known[1] then
    if after > 0 then return BEHIND, 0 end
    if not was_lost(era) then return FENCED, 0 end
    create(key, info, worker, epoch, era)
  elseif known[1] ~= worker or known[2] ~= epoch then
    return FENCED, 0
  elseif known[3] then
    local same = closing and tonumber(known[3]) == after + count
    return same and KEPT or FENCED, tonumber(known[3])
  end
  local log = prefix .. 'log:' .. key
  local length = redis.call('XLEN', log)
  if length < after then return BEHIND, length end
  for seq = length + 1, after + count do
    redis.call('XADD', log, '0-' .. seq, 'e', ARGV[first + seq - after - 1])
    length = seq
  end
  if closing then close(key, worker, length, keep) end
  return KEPT, length
end
local answers = {}
local at = 3
while at <= #ARGV do
  local key, info, worker, epoch, era, after, count, closing = unpack(ARGV, at, at + 7)
  local first = at + 8
  at = first + count
  local fate, length = append(key, info, worker, epoch, era, tonumber(after), tonumber(count), closing == '1', first)
  answers[#answers + 1] = fate
  answers[#answers + 1] = length
end
return answers
""")

CANCEL = Script("""
local key, most, keep = unpack(ARGV, 2)
local run = redis.call('HMGET', prefix .. 'run:' .. key, 'worker', 'closed')
if run[1] and not run[2] then
  local inbox = prefix .. 'inbox:' .. run[1]
  redis.call('XADD', inbox, 'MAXLEN', most, '*', 'cancel', key)
  redis.call('PEXPIRE', inbox, keep)
end
""")

ATTEND = Script("""
local worker, ms = ARGV[2], tonumber(ARGV[3])
local from = now()
for at = 4, #ARGV do
  local readers = prefix .. 'readers:' .. ARGV[at]
  redis.call('ZREMRANGEBYSCORE', readers, '-inf', from)
  redis.call('ZADD', readers, from + ms, worker)
  redis.call('PEXPIRE', readers, ms)
end
""")

ATTENDED = Script("""
local worker, key = unpack(ARGV, 2)
for _, reader in ipairs(redis.call('ZRANGEBYSCORE', prefix .. 'readers:' .. key, now(), '+inf')) do
  if reader ~= worker then return 1 end
end
return 0
""")

PEERS = Script("""
local count = 0
for _, worker in ipairs(redis.call('SMEMBERS', prefix .. 'workers')) do
  if worker ~= ARGV[2] and redis.call('GET', prefix .. 'worker:' .. worker) == '1' then count = count + 1 end
end
return count
""")

ORPHANS = Script("""
local myself = ARGV[2]
local found = {}
local function collect(worker)
  for _, key in ipairs(redis.call('SMEMBERS', prefix .. 'open:' .. worker)) do
    local run = redis.call('HMGET', prefix .. 'run:' .. key, 'worker', 'closed', 'info', 'epoch', 'era')
    if run[1] == worker and not run[2] then
      found[#found + 1] = {key, run[3], worker, run[4], run[5]}
    else
      redis.call('SREM', prefix .. 'open:' .. worker, key)
    end
  end
end
for _, worker in ipairs(redis.call('SMEMBERS', prefix .. 'workers')) do
  if worker ~= myself and redis.call('EXISTS', prefix .. 'worker:' .. worker) == 0 then
    collect(worker)
    if redis.call('EXISTS', prefix .. 'open:' .. worker) == 0 then redis.call('SREM', prefix .. 'workers', worker) end
  end
end
collect(myself)
return found
""")

# Whoever asks again, because the answer was lost, is told again that it was they.
BURY = Script("""
local keep, key, worker, epoch, myself, payload = unpack(ARGV, 2)
local run = prefix .. 'run:' .. key
local known = redis.call('HMGET', run, 'worker', 'epoch', 'closed')
if redis.call('HGET', run, 'buried') == myself .. ' ' .. epoch then return 1 end
if known[1] ~= worker or known[2] ~= epoch or known[3] then return 0 end
if worker ~= myself and redis.call('EXISTS', prefix .. 'worker:' .. worker) == 1 then return 0 end
local length = redis.call('XLEN', prefix .. 'log:' .. key) + 1
redis.call('XADD', prefix .. 'log:' .. key, '0-' .. length, 'e', payload)
redis.call('HINCRBY', run, 'epoch', 1)
redis.call('HSET', run, 'buried', myself .. ' ' .. epoch)
close(key, worker, length, keep)
return 1
""")

# Where each log has ended: nil for an open one, before the beginning for one that is not there.
ENDS = Script("""
local ends = {}
for at = 2, #ARGV do
  local run = redis.call('HMGET', prefix .. 'run:' .. ARGV[at], 'worker', 'closed')
  if run[1] then ends[at - 1] = run[2] and tonumber(run[2]) else ends[at - 1] = -1 end
end
return ends
""")

/**
 * The scripts that run inside Redis. One call carries a whole batch, so a claim and its velocity counters cost one round trip together.
 *
 * Values are small on purpose (the answer itself is in the log), and short enough to sit in one piece with their key's object:
 *   p<hash><payment id><started, base 36>     an operation is under way
 *   d<hash><payment id><sequence>             decided; the answer is that row of the log
 * `florin:memory` names what Redis remembers: it is given a name when it has none, which is when it has lost everything.
 * The keys of a batch live in different slots: on a Redis Cluster each node gets a script call of its own members.
 */

/**
 * Arguments: time to live in ms; a JSON array with key, value, number of counters, and per counter its name, its window in ms and what it counts
 * (empty: only how many), for each member; a name for a memory that has none. Answers a JSON array: per member the earlier value, or its counts, 0
 * where it has no counters; then the name of the memory.
 *
 * What is counted by name is a sorted set, by the time at which each is forgotten: what a process that died has left goes, however busy the rest.
 *
 * One text each way: as words of their own, a batch's five hundred arguments cost both sides more than the work.
 */
export const claimScript = `
local lifetime = ARGV[1]
local words = cjson.decode(ARGV[2])
local answers = {}
local at, last = 1, #words
local nowMs
while at <= last do
  local earlier = redis.call('SET', words[at], words[at + 1], 'NX', 'GET', 'PX', lifetime)
  local counters = words[at + 2]
  at = at + 3
  if earlier then
    answers[#answers + 1] = earlier
  elseif counters == 0 then
    answers[#answers + 1] = 0
  else
    local counts = {}
    for index = 1, counters do
      local first = at + 3 * (index - 1)
      local name, window, counted = words[first], words[first + 1], words[first + 2]
      if counted == '' then
        counts[index] = redis.call('INCR', name)
        if counts[index] == 1 then redis.call('PEXPIRE', name, window) end
      else
        if not nowMs then
          local time = redis.call('TIME')
          nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
        end
        redis.call('ZREMRANGEBYSCORE', name, '-inf', nowMs)
        redis.call('ZADD', name, nowMs + window, counted)
        redis.call('PEXPIRE', name, window)
        counts[index] = redis.call('ZCARD', name)
      end
    end
    answers[#answers + 1] = counts
  end
  at = at + 3 * counters
end
answers[#answers + 1] = redis.call('SET', 'florin:memory', ARGV[3], 'NX', 'GET') or ARGV[3]
return cjson.encode(answers)`;

/**
 * Arguments: time to live in ms; a JSON array with key and value of each member. The log has said so, therefore it overwrites. Where a
 * counter stands behind '-', the value is no longer counted by it: what was under way has ended.
 */
export const rememberScript = `
local words = cjson.decode(ARGV[2])
for at = 1, #words, 2 do
  local key, value = words[at], words[at + 1]
  if string.byte(key) == 45 then redis.call('ZREM', string.sub(key, 2), value)
  else redis.call('SET', key, value, 'PX', ARGV[1]) end
end
return #words`;

/** Removes a claim that is still as we made it. Arguments: key, our value. */
export const releaseScript = `
if redis.call('GET', ARGV[1]) == ARGV[2] then return redis.call('DEL', ARGV[1]) end
return 0`;

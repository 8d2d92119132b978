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
 * Arguments: time to live in ms; a JSON array with key, value, number of counters, and per counter its name and window in ms (negative: every count
 * begins it anew), for each member; a name for a memory that has none. Answers a JSON array: per member the earlier value, or its counts, 0 where it
 * has no counters; then the name of the memory.
 *
 * One text each way: as words of their own, a batch's five hundred arguments cost both sides more than the work.
 */
export const claimScript = `
local lifetime = ARGV[1]
local words = cjson.decode(ARGV[2])
local answers = {}
local at, last = 1, #words
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
      local name, window = words[at + 2 * (index - 1)], words[at + 2 * index - 1]
      local count = redis.call('INCR', name)
      if count == 1 or window < 0 then redis.call('PEXPIRE', name, math.abs(window)) end
      counts[index] = count
    end
    answers[#answers + 1] = counts
  end
  at = at + 2 * counters
end
answers[#answers + 1] = redis.call('SET', 'florin:memory', ARGV[3], 'NX', 'GET') or ARGV[3]
return cjson.encode(answers)`;

/**
 * Arguments: time to live in ms; a JSON array with key and value of each member. The log has said so, therefore it overwrites. A member
 * without a key takes one off the counter that its value names: what was under way has ended.
 */
export const rememberScript = `
local words = cjson.decode(ARGV[2])
for at = 1, #words, 2 do
  local key, value = words[at], words[at + 1]
  if key ~= '' then redis.call('SET', key, value, 'PX', ARGV[1])
  elseif redis.call('DECR', value) <= 0 then redis.call('DEL', value) end
end
return #words`;

/** Removes a claim that is still as we made it. Arguments: key, our value. */
export const releaseScript = `
if redis.call('GET', ARGV[1]) == ARGV[2] then return redis.call('DEL', ARGV[1]) end
return 0`;

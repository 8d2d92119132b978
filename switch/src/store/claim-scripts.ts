/**
 * The scripts that run inside Redis. One call carries a whole batch, so a claim and its velocity counters cost one round trip together.
 *
 * Values are small on purpose (the answer itself is in the log), and short enough to sit in one piece with their key's object:
 *   p<hash><payment id><started, base 36>     an operation is under way
 *   d<hash><payment id><sequence>             decided; the answer is that row of the log
 * The keys of a batch live in different slots: on a Redis Cluster each node gets a script call of its own members.
 */

/**
 * Arguments: time to live in ms, then per member: key, value, number of counters, and per counter its name and window in ms.
 * Answers per member: the earlier value, or the counts.
 */
export const claimScript = `
local lifetime = ARGV[1]
local answers = {}
local at, last = 2, #ARGV
while at <= last do
  local earlier = redis.call('SET', ARGV[at], ARGV[at + 1], 'NX', 'GET', 'PX', lifetime)
  local counters = tonumber(ARGV[at + 2])
  at = at + 3
  if earlier then
    answers[#answers + 1] = earlier
  else
    local counts = {}
    for index = 1, counters do
      local name = ARGV[at + 2 * (index - 1)]
      local count = redis.call('INCR', name)
      if count == 1 then redis.call('PEXPIRE', name, ARGV[at + 2 * index - 1]) end
      counts[index] = count
    end
    answers[#answers + 1] = counts
  end
  at = at + 2 * counters
end
return answers`;

/** Arguments: time to live in ms, then per member: key, value. The log has said so, therefore it overwrites whatever is there. */
export const rememberScript = `
for at = 2, #ARGV, 2 do redis.call('SET', ARGV[at], ARGV[at + 1], 'PX', ARGV[1]) end
return #ARGV`;

/** Removes a claim that is still as we made it. Arguments: key, our value. */
export const releaseScript = `
if redis.call('GET', ARGV[1]) == ARGV[2] then return redis.call('DEL', ARGV[1]) end
return 0`;

/**
 * The scripts that run inside Redis. One call carries a whole batch, so a claim and its velocity counters cost one round trip together.
 *
 * Values are small on purpose (the answer itself is in the log):
 *   p|<hash>|<started ms>|<owner>            an operation is under way
 *   d|<hash>|<payment id>|<sequence>         decided; the answer is that row of the log
 * The keys of a batch live in different slots: on a Redis Cluster each node gets a script call of its own members.
 */

/** Per member four arguments: key, value, time to live in ms, and "counter=window ms" pairs joined by spaces (may be empty). */
export const claimScript = `
local answers = {}
for i = 1, #ARGV, 4 do
  local earlier = redis.call('SET', ARGV[i], ARGV[i + 1], 'NX', 'GET', 'PX', ARGV[i + 2])
  if earlier then
    answers[#answers + 1] = earlier
  else
    local counts = {}
    for name, window in string.gmatch(ARGV[i + 3], '(%S+)=(%d+)') do
      local count = redis.call('INCR', name)
      if count == 1 then redis.call('PEXPIRE', name, window) end
      counts[#counts + 1] = count
    end
    answers[#answers + 1] = counts
  end
end
return answers`;

/** Per member three arguments: key, value, time to live in ms. */
export const rememberScript = `
for i = 1, #ARGV, 3 do redis.call('SET', ARGV[i], ARGV[i + 1], 'PX', ARGV[i + 2]) end
return #ARGV / 3`;

/** Removes a claim that is still ours. Arguments: key, our value. */
export const releaseScript = `
if redis.call('GET', ARGV[1]) == ARGV[2] then return redis.call('DEL', ARGV[1]) end
return 0`;

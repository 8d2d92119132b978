/**
 * The one way to Redis, which is a cache: losing it costs speed, never money.
 *
 * So a command fails at once when Redis is away (no offline queue, no resending, one attempt) and within `commandTimeoutMs` when it is
 * slow; the caller goes on without. The connection comes back by itself.
 */
import { Redis } from "ioredis";

export type { Redis } from "ioredis";

const reconnectDelayMsMin = 50;
const reconnectDelayMsMax = 1_000;
const connectTimeoutMs = 2_000;

/**
 * Connects in the background: commands before the connection is there fail at once. `commandTimeoutMs` bounds every command.
 * Add an "error" listener to hear of lost connections; without one they pass silently, as every command says so anyway.
 */
export function connectRedis(options: { url: string; name: string; commandTimeoutMs: number }): Redis {
  const redis = new Redis(options.url, {
    connectionName: options.name,
    connectTimeout: connectTimeoutMs,
    commandTimeout: options.commandTimeoutMs,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    retryStrategy: (attempt) => Math.min(reconnectDelayMsMin * 2 ** Math.min(attempt - 1, 10), reconnectDelayMsMax),
  });
  redis.on("error", () => {});
  return redis;
}

/** What can be wrong with a link between two processes, as TCP shows it to them. */

export type Weather =
  | { readonly kind: "clear" }
  /** Each piece comes late by `delayMs` and up to `jitterMs` more; a lost one (`lossRatio`, 0 to 1) waits for its repetition. Order is kept. */
  | { readonly kind: "latency"; readonly delayMs: number; readonly jitterMs: number; readonly lossRatio: number }
  /** At most this much passes each way on each connection. */
  | { readonly kind: "drip"; readonly bytesPerSecond: number }
  /** Nothing passes and nothing ends, as when a machine loses its power: no FIN, no RST. A new connection is taken and nobody speaks. */
  | { readonly kind: "half_open" }
  /** One direction is silent, the other one passes. What was held back arrives when it is over. */
  | { readonly kind: "one_way"; readonly silent: Way }
  /** Each connection is reset after at most so many bytes, also in the middle of a message. */
  | { readonly kind: "reset"; readonly bytesMax: number }
  /** No connection lives, none is made. */
  | { readonly kind: "cut" };

export type Way = "to_server" | "to_client";

export const clear: Weather = { kind: "clear" };

/** A lost segment is sent again after this long: Linux' smallest retransmission time-out. */
export const repeatedAfterMs = 200;

export function isSilent(weather: Weather, way: Way): boolean {
  return weather.kind === "half_open" || (weather.kind === "one_way" && weather.silent === way);
}

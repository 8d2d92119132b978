/** What `npm run loadtest` tells a scenario, by environment. Run a scenario through it, not by hand. */

function required(name: string): string {
  const value = __ENV[name];
  if (value === undefined || value === "") throw new Error(`${name} is missing: run npm run loadtest -- <scenario>`);
  return value;
}

export const edgeUrl = required("FLORIN_EDGE_URL");
export const secretKey = required("FLORIN_SECRET_KEY");
/** Begins every idempotency key and merchant reference, so that `verify` finds what this run has done. */
export const runId = required("FLORIN_RUN_ID");
/** Payment method tokens, used in turn. */
export const tokens = required("FLORIN_TOKENS").split(",");

/** A number given on the command line, or the scenario's own. */
export function numberOr(name: "FLORIN_RATE" | "FLORIN_VUS", fallback: number): number {
  const text = __ENV[name];
  return text === undefined || text === "" ? fallback : Number(text);
}

/** A duration given on the command line ("30s", "2m"), or the scenario's own. */
export function durationOr(fallback: string): string {
  const text = __ENV["FLORIN_DURATION"];
  return text === undefined || text === "" ? fallback : text;
}

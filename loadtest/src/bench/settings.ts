/**
 * What the bench sets in its own stack: limits that protect merchants would otherwise be what is measured. Everything that costs a
 * payment its safety (fsync, synchronous_commit, mTLS, audit) stays as it is.
 */
export const benchEnvironment: Readonly<Record<string, string>> = {
  FLORIN_LOG_LEVEL: "warn",
  // As many as FLORIN_IN_FLIGHT_MAX: a fixed bound, never reached here.
  FLORIN_IN_FLIGHT_MIN: "4096",
};

/** Every authorization is routed among three, as in a house that has them. The first of them takes it. */
export const threeProcessors: Readonly<Record<string, string>> = { FLORIN_CONNECTOR: "simpay,simiso,simlater" };

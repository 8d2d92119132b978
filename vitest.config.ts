import { defineConfig } from "vitest/config";

/** Most of their time they wait, for a lease or for silence to be noticed: a tenth of a processor each. */
const waiting = [
  "connectors/test/simpay-conformance.test.ts",
  "loadtest/test/hung-parts.test.ts",
  "runtime/test/bus-corruption.test.ts",
  "runtime/test/bus-jetstream.test.ts",
  "runtime/test/closing-connections.test.ts",
  "runtime/test/frames.test.ts",
  "runtime/test/lasting-channel.test.ts",
];
/** They need no server and nobody's clock, only the processor. */
const computing = ["simulation/test/**/*.test.ts", "detector/test/**/*.test.ts"];

/**
 * `unit`: beside the code, no servers. `servers`: real PostgreSQL, Redis and NATS, one file at a time so that two cores suffice. `waiting` and
 * `computing` would only lengthen that row: `npm test` runs the three at once, the last at low priority.
 */
export default defineConfig({
  test: {
    // What is waited for may be late on a busy machine; vitest's own second is the only bound in these tests that no requirement has.
    expect: { poll: { timeout: 10_000 } },
    projects: [
      {
        test: {
          name: "unit",
          include: ["*/src/**/*.test.ts", "scripts/**/*.test.ts", "simulation/mutants/**/*.test.ts"],
          exclude: ["**/node_modules/**", "*/test/**"],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: "servers",
          include: ["*/test/**/*.test.ts"],
          exclude: ["**/node_modules/**", ...waiting, ...computing],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "waiting",
          include: waiting,
          exclude: ["**/node_modules/**"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "computing",
          include: computing,
          exclude: ["**/node_modules/**"],
          testTimeout: 120_000,
          // The simulation takes every core by itself.
          fileParallelism: false,
        },
      },
    ],
  },
});

import { defineConfig } from "vitest/config";

/** `unit`: beside the code, no servers. `servers`: real PostgreSQL, Redis and NATS, one file at a time so that two cores suffice. */
export default defineConfig({
  test: {
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
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});

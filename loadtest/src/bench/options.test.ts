import { expect, test } from "vitest";
import { readBenchOptions } from "./options.ts";

test("without words the bench looks for saturation at 20 ms", () => {
  expect(readBenchOptions([])).toMatchObject({
    mode: "saturation",
    inFlight: 1_024,
    simulatorLatency: "20",
    rate: undefined,
    isJson: false,
  });
});

test("modes and figures are read", () => {
  expect(readBenchOptions(["--latency", "--seconds", "5", "--json"])).toMatchObject({ mode: "latency", seconds: 5, isJson: true });
  expect(readBenchOptions(["--memory", "--authorizations", "1000"])).toMatchObject({ mode: "memory", authorizations: 1_000 });
});

test.each([[["--latency", "--memory"]], [["--seconds", "0"]], [["--rate", "-1"]], [["--simulator-latency", "slow"]], [["fast"]]])(
  "%o is refused with the usage",
  (words) => {
    expect(() => readBenchOptions(words)).toThrow("npm run bench");
  },
);

import { expect, test } from "vitest";
import { findK6 } from "./k6-binary.ts";
import { readLoadtestOptions } from "./options.ts";

test("a scenario and its words are read", () => {
  const options = readLoadtestOptions(["mix", "--rate", "300", "--duration", "1m30s", "--directory", "there"], {
    FLORIN_CALLER_DIRECTORY: "/here",
  });
  expect(options).toMatchObject({
    scenario: "mix",
    rate: "300",
    duration: "1m30s",
    users: undefined,
    directory: "/here/there",
    tokens: 100,
  });
});

test.each([
  [[]],
  [["storm"]],
  [["mix", "steady"]],
  [["mix", "--rate", "0"]],
  [["mix", "--rate", "fast"]],
  [["mix", "--duration", "long"]],
  [["mix", "--what", "1"]],
])("%o is refused with the usage", (words) => {
  expect(() => readLoadtestOptions(words, {})).toThrow("npm run loadtest");
});

test("without k6 the message says how to get it", () => {
  expect(() => findK6({ PATH: "", FLORIN_TOOLS_DIR: "/nowhere" })).toThrow("go install go.k6.io/k6@");
});

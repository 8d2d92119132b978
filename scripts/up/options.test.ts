import { describe, expect, test } from "vitest";
import { rootFolder } from "../root-folder.ts";
import { readUpOptions } from "./options.ts";

describe("the words after up", () => {
  test("none of them: port 8080, what is there, attached, data kept, below the repository", () => {
    expect(readUpOptions([], {})).toEqual({
      port: 8080,
      profile: "auto",
      isDetached: false,
      isFresh: false,
      directory: `${rootFolder}.florin`,
      restarts: false,
      simulatorLatency: undefined,
      isHelp: false,
    });
  });

  test("all of them", () => {
    const words = [
      "--port",
      "9000",
      "--profile",
      "full",
      "--detach",
      "--fresh",
      "--directory",
      "here",
      "--restart",
      "--simulator-latency",
      "300-1200",
    ];
    expect(readUpOptions(words, { FLORIN_CALLER_DIRECTORY: "/somewhere" })).toEqual({
      port: 9000,
      profile: "full",
      isDetached: true,
      isFresh: true,
      directory: "/somewhere/here",
      restarts: true,
      simulatorLatency: "300-1200",
      isHelp: false,
    });
  });

  test.each([
    ["--port", "80"],
    ["--port", "65530"],
    ["--port", "x"],
    ["--profile", "big"],
    ["--simulator-latency", "fast"],
    ["--what"],
    ["word"],
  ])("%s %s is refused with the usage", (...words) => {
    expect(() => readUpOptions(words, {})).toThrow(/npm run up -- \[options\]/);
  });
});

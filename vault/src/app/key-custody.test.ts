import { expect, test } from "vitest";
import { mustBeUnused } from "./key-custody.ts";

const inventory = { keys: [], envelopeKeys: [], generation: 1, events: [] };
const dataKey = { purpose: "card", epoch: 1, state: "seals", retiredAt: undefined, sealsReserved: 0 } as const;

test("a key-encryption key is not destroyed while anything is wrapped by it", () => {
  const createdAt = new Date(0);
  const keys = [{ ...dataKey, kekId: "kek-1", createdAt }];
  const envelopeKeys = [{ generation: 1, kid: "k", kekId: "kek-2", createdAt }];
  expect(() => mustBeUnused({ ...inventory, keys, envelopeKeys }, "kek-1")).toThrow("1 data keys are wrapped by it, and 0 envelope keys");
  expect(() => mustBeUnused({ ...inventory, keys, envelopeKeys }, "kek-2")).toThrow("0 data keys are wrapped by it, and 1 envelope keys");
  expect(() => mustBeUnused({ ...inventory, keys, envelopeKeys }, "kek-3")).not.toThrow();
});

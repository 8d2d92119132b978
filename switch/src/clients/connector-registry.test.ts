import { create } from "@bufbuild/protobuf";
import { type ListConnectorsResponse, ListConnectorsResponseSchema } from "@florin/gen/connectors/v1/connectors";
import { expect, test } from "vitest";
import { capabilities } from "../domain/routing/processor-profile.ts";
import { createConnectorRegistry } from "./connector-registry.ts";

const all = { multipleCaptures: true, voidAfterCapture: true, multipleRefunds: true, reversal: true, query: true };
const ask = (
  connectors: readonly { name: string; capabilities?: Partial<typeof all> & { currencies?: string[]; brands?: string[] } }[],
) => {
  const answer: ListConnectorsResponse = create(ListConnectorsResponseSchema, { connectors: [...connectors] });
  return createConnectorRegistry({ listConnectors: async () => answer })();
};

test("what a connector says of itself is told in routing's words; whom nothing is named for takes all", async () => {
  const registry = await ask([
    { name: "able", capabilities: all },
    { name: "narrow", capabilities: { currencies: ["EUR"], brands: ["visa"], query: true } },
    { name: "silent" },
  ]);
  expect(registry).toEqual(
    new Map([
      ["able", { currencies: "any", networks: "any", capabilities: new Set(capabilities) }],
      ["narrow", { currencies: new Set(["EUR"]), networks: new Set(["visa"]), capabilities: new Set(["manual_capture", "query"]) }],
      ["silent", { currencies: "any", networks: "any", capabilities: new Set() }],
    ]),
  );
});

test("each flag is the capability of its own name", async () => {
  for (const [flag, capability] of [
    ["multipleCaptures", "multiple_captures"],
    ["multipleRefunds", "multiple_refunds"],
    ["voidAfterCapture", "void_after_capture"],
    ["reversal", "reversal"],
    ["query", "query"],
  ] as const)
    expect((await ask([{ name: "one", capabilities: { [flag]: true } }])).get("one")?.capabilities).toEqual(
      new Set(["manual_capture", capability]),
    );
});

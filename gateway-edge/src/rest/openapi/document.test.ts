import { readFileSync } from "node:fs";
import { errorCatalogue, errorCodes } from "@florin/kernel";
import { describe, expect, test } from "vitest";
import { api, codesOf, operationIds } from "../api.ts";
import { openApiDocument, writeOpenApi } from "./document.ts";

type Node = { readonly [name: string]: unknown };
const document = openApiDocument() as {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { readonly operationId: string; readonly responses: Readonly<Record<string, Node>> }>>>
  >;
  readonly components: { readonly schemas: Readonly<Record<string, Node>> };
};

/** Every "$ref" anywhere in a value. */
function references(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(references);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => (name === "$ref" ? [String(inner)] : references(inner)));
}

describe("the OpenAPI document", () => {
  test("is committed as the code makes it (npm run openapi writes it)", () => {
    expect(readFileSync(new URL("../../../openapi.json", import.meta.url), "utf8")).toBe(writeOpenApi());
  });

  test("has every operation", () => {
    for (const operationId of operationIds) {
      const { method, path } = api[operationId];
      expect(document.paths[path]?.[method.toLowerCase()]?.operationId).toBe(operationId);
    }
  });

  test("has every code of the catalogue, and with each operation those it may answer with", () => {
    const text = JSON.stringify(document.components.schemas["Error"]);
    for (const code of errorCodes) expect(text).toContain(`"${code}"`);
    for (const operationId of operationIds) {
      const operation = api[operationId];
      const responses = document.paths[operation.path]?.[operation.method.toLowerCase()]?.responses ?? {};
      for (const code of codesOf(operation))
        expect(String(responses[String(errorCatalogue[code].http)]?.["description"])).toContain(`\`${code}\``);
    }
  });

  test("every reference leads somewhere", () => {
    for (const reference of references(document)) {
      const target = reference
        .slice(2)
        .split("/")
        .reduce<unknown>((node, name) => (node as Node | undefined)?.[name], document);
      expect([reference, target]).not.toEqual([reference, undefined]);
    }
  });

  test("nothing of the library leaks into it", () => {
    expect(writeOpenApi()).not.toContain("~");
    expect(writeOpenApi()).not.toContain("x-openapi-schema");
  });
});

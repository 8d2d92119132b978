import { createServer } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { currentInventory, findTampering, type InventoryEntry, readInventory } from "./inventory.ts";
import { loadFieldFiles, type ServedFile } from "./rest/field-files.ts";

const files = loadFieldFiles();

test("the inventory is current: after a change run node vault/src/inventory.ts write and have it reviewed", () => {
  expect(readInventory()).toEqual(currentInventory());
});

describe("what is served", () => {
  test("has no type, no name ending in .ts and no inline script left", () => {
    for (const { path, body } of files.filter((one) => one.path.endsWith(".js"))) {
      expect([path, /from "[^"]*\.ts"/.test(body)]).toEqual([path, false]);
      expect(() => new Function(body.replaceAll(/^(import|export) .*$/gm, ""))).not.toThrow(TypeError);
    }
    for (const { body } of files.filter((one) => one.path.startsWith("/fields/") && !one.path.includes("."))) {
      expect(body.match(/<script[^>]*>/g)).toEqual([
        '<script type="importmap">',
        expect.stringMatching(/ src="\/fields\/page\/field\.js" integrity="sha384-/),
      ]);
      expect(body).not.toMatch(/ on\w+=|<style| style=/);
    }
  });

  test("is every module that one of them imports, with its integrity value in the import map", () => {
    const paths = new Set(files.map(({ path }) => path));
    const page = files.find(({ path }) => path === "/fields/number")?.body ?? "";
    const imported = files.flatMap(({ path, body }) =>
      [...body.matchAll(/\bfrom "(\.[^"]+)"/g)].map((match) => new URL(match[1] ?? "", `http://x${path}`).pathname),
    );
    expect(imported.length).toBeGreaterThan(5);
    for (const path of imported) expect([path, paths.has(path), page.includes(`"${path}":"sha384-`)]).toEqual([path, true, true]);
  });

  test("is guarded by a policy without unsafe-inline or unsafe-eval, and by integrity values for all scripts and styles", () => {
    for (const { headers } of files.filter(({ body }) => body.startsWith("<!doctype"))) {
      expect(headers["content-security-policy"]).toMatch(/^default-src 'none'; script-src 'self' 'sha256-[\w+/=]+'; /);
      expect(headers["content-security-policy"]).not.toMatch(/unsafe|\bhttps?:|data:/);
      expect(headers["integrity-policy"]).toBe("blocked-destinations=(script style)");
    }
  });
});

describe("the monitor", () => {
  const servers: (() => void)[] = [];
  afterEach(() => {
    for (const close of servers.splice(0)) close();
  });
  /** A place that serves the files, changed on the way. */
  const serve = async (change: (file: ServedFile) => Partial<ServedFile> | undefined): Promise<string> => {
    const server = createServer((request, response) => {
      const file = files.find(({ path }) => path === request.url);
      const changed = file === undefined ? undefined : change(file);
      if (file === undefined || changed === undefined) return void response.writeHead(404).end();
      const { headers, body } = { ...file, ...changed };
      return void response.writeHead(200, { ...headers }).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    servers.push(() => server.close());
    const address = server.address();
    return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  };
  const inventory: readonly InventoryEntry[] = readInventory();

  test("finds nothing where all is as it was reviewed", async () => {
    expect(await findTampering(await serve(() => ({})), inventory)).toEqual([]);
  });

  test.each(files.map(({ path }) => path))("finds one changed byte of %s", async (path) => {
    const origin = await serve((file) => (file.path === path ? { body: file.body.replace("a", "b") } : {}));
    expect(await findTampering(origin, inventory)).toEqual([expect.stringContaining(`${path}: the content is another one`)]);
  });

  test("finds a header that is weaker, and one that is gone", async () => {
    const weaker = await serve((file) => ({
      headers: { ...file.headers, "content-security-policy": `${file.headers["content-security-policy"]} 'unsafe-inline'` },
    }));
    expect(await findTampering(weaker, inventory)).toContain("/fields/number: the header content-security-policy is another one");
    const gone = await serve(({ headers: { "integrity-policy": _policy, ...headers } }) => ({ headers }));
    expect(await findTampering(gone, inventory)).toEqual(
      ["/fields/number", "/fields/expiry", "/fields/code"].map((path) => `${path}: the header integrity-policy is gone`),
    );
  });

  test("finds what is not there, and nobody there", async () => {
    const origin = await serve((file) => (file.path.endsWith("jwe.js") ? undefined : {}));
    expect(await findTampering(origin, inventory)).toEqual(["/fields/jwe.js: answered 404"]);
    expect(await findTampering("http://127.0.0.1:1", inventory)).toHaveLength(inventory.length);
  });
});

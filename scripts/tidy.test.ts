/**
 * Keeps the house in order: who imports what, how files are named and sized, what every workspace has. Each message says what to do instead.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { rootFolder } from "./root-folder.ts";
import { breachOf, isForTests, rooms } from "./tidy/import-rules.ts";
import { serviceRooms } from "./tidy/service-rooms.ts";
import { findImports, listFiles, type Manifest, readManifest, readSources, type SourceFile, workspaces } from "./tidy/source-files.ts";

const services = ["switch", "connectors", "vault", "ledger", "gateway-edge", "simulator"];
const sourcesOf = new Map(workspaces.map((workspace) => [workspace, readSources(workspace)]));
const scripts = [...readSources("scripts"), ...readSources("docs")];
const allSources: readonly SourceFile[] = [...sourcesOf.values(), scripts].flat();
const sources = (workspace: string): readonly SourceFile[] => sourcesOf.get(workspace) ?? [];

/** Lines of a file, not counting what a script wrote. */
const linesMax = 500;

describe("who imports what", () => {
  test.each(services)("%s keeps to its rooms", (service) => {
    const breaches = sources(service).flatMap((file) => file.imports.map((one) => breachOf(file, one, serviceRooms[service] ?? {})));
    expect([...new Set(breaches)].filter((breach) => breach !== undefined)).toEqual([]);
  });

  test("a service never imports another, not even in its tests", () => {
    const breaches = services.flatMap((service) =>
      sources(service).flatMap((file) =>
        file.imports
          .filter(({ specifier }) => services.some((other) => other !== service && importsWorkspace(file.path, specifier, other)))
          .map(({ specifier }) => `${file.path} imports ${specifier}: between services are only gen/ and the network`),
      ),
    );
    expect(breaches).toEqual([]);
  });

  test("the simulation imports the rooms of switch and ledger that decide and keep, and who decides outside; nothing imports the simulation", () => {
    const rooms = /^@florin\/((switch|ledger)\/src\/(domain|app|store|clients|consumers|workers)|simulator\/src\/domain)\//;
    const reached = sources("simulation").flatMap((file) =>
      file.imports
        .filter(({ specifier }) => services.some((service) => importsWorkspace(file.path, specifier, service)) && !rooms.test(specifier))
        .map(
          ({ specifier }) => `${file.path} imports ${specifier}: the simulation composes what main.ts composes, from the rooms below it`,
        ),
    );
    const leaning = allSources
      .filter(({ path }) => !path.startsWith("simulation/"))
      .flatMap((file) =>
        file.imports
          .filter(({ specifier }) => importsWorkspace(file.path, specifier, "simulation"))
          .map(({ specifier }) => `${file.path} imports ${specifier}: production never leans on its simulation`),
      );
    expect([...reached, ...leaning]).toEqual([]);
  });

  test("kernel is pure: no packages, and node: only where a Secret must not print", () => {
    expect(Object.keys(readManifest("kernel").dependencies ?? {})).toEqual([]);
    const breaches = sources("kernel")
      .filter((file) => !file.path.endsWith(".test.ts"))
      .flatMap((file) => file.imports.map(({ specifier }) => [file.path, specifier] as const))
      .filter(([path, specifier]) => !specifier.startsWith("./") && !(path === "kernel/src/secret.ts" && specifier === "node:util"));
    expect(breaches).toEqual([]);
  });

  test("detector searches bytes: it imports kernel, and of Node what unpacks; files are read by its command alone", () => {
    expect(Object.keys(readManifest("detector").dependencies ?? {})).toEqual(["@florin/kernel"]);
    const breaches = sources("detector")
      .filter(({ path }) => path.startsWith("detector/src/") && !isForTests(path) && !/^detector\/src\/(scan[./]|testing\/)/.test(path))
      .flatMap((file) => file.imports.map(({ specifier }) => [file.path, specifier] as const))
      .filter(([, specifier]) => !specifier.startsWith(".") && specifier !== "@florin/kernel")
      .filter(([path, specifier]) => !(path === "detector/src/decoders/packed.ts" && specifier === "node:zlib"));
    expect(breaches).toEqual([]);
  });

  test("runtime knows nothing about payments: it imports kernel, detector, gen and packages only", () => {
    const breaches = sources("runtime").flatMap((file) =>
      file.imports
        .filter(({ specifier }) => specifier.startsWith("@florin/") && !/^@florin\/(kernel$|detector$|gen\/|runtime\/)/.test(specifier))
        .map(({ specifier }) => `${file.path}: ${specifier}`),
    );
    expect(breaches).toEqual([]);
  });

  test("workspaces are imported by name, not by path", () => {
    const breaches = workspaces.flatMap((workspace) =>
      sources(workspace).flatMap((file) =>
        file.imports
          .filter(({ specifier }) => workspaces.some((other) => other !== workspace && importsWorkspace(file.path, specifier, other, true)))
          .map(({ specifier }) => `${file.path} imports ${specifier}: write @florin/<workspace>`),
      ),
    );
    expect(breaches).toEqual([]);
  });
});

describe("domain folders are pure", () => {
  const impure: readonly [RegExp, string][] = [
    [/\bDate\.now\(|\bnew Date\(\)/, "take `now` as an argument"],
    [/\bMath\.random\(|\brandomBytes\(|\brandomUUID\(/, "take random bytes as an argument"],
    [/\bset(Timeout|Interval|Immediate)\(|\bqueueMicrotask\(/, "return what is to happen later as data"],
    [/\bprocess\.\w/, "take the setting as an argument"],
    [/\bfetch\(|\bawait\b|\basync\b/, "domain is synchronous: let app do the waiting"],
    [/\bconsole\.\w/, "return what is worth telling"],
  ];
  const domainFiles = allSources.filter((file) => /^[^/]+\/src\/domain\//.test(file.path) && !file.path.endsWith(".test.ts"));

  test.each(impure)("nothing matches %s", (pattern, instead) => {
    const breaches = domainFiles.filter((file) => pattern.test(withoutComments(file.text))).map((file) => `${file.path}: ${instead}`);
    expect(breaches).toEqual([]);
  });
});

describe("files", () => {
  test(`no file has more than ${linesMax} lines`, () => {
    const long = allSources
      .filter((file) => file.text.split("\n").length > linesMax + 1)
      .map((file) => `${file.path}: split it by reason to change`);
    expect(long).toEqual([]);
  });

  test("files are named after the one thing inside, in kebab case", () => {
    const names = allSources.map((file) => file.path);
    const vague = names
      .filter((path) => /(^|[/.-])(utils?|helpers?|common|manager|misc)([/.-]|$)/i.test(path))
      .map((path) => `${path}: say what is inside`);
    const cased = names.filter((path) => !/^[a-z0-9_./-]+$/.test(path)).map((path) => `${path}: kebab-case`);
    expect([...vague, ...cased]).toEqual([]);
  });

  test("a TODO has an issue number", () => {
    const open = allSources
      .filter((file) => /\b(TODO|FIXME)\b(?!\(#\d+\))/.test(withoutStrings(file.text)))
      .map((file) => `${file.path}: write TODO(#123), or do it now`);
    expect(open).toEqual([]);
  });

  test("every module says what it is for", () => {
    const silent = allSources
      .filter((file) => /^[^/]+\/src\//.test(file.path) && !file.path.endsWith(".test.ts") && !file.path.endsWith("/index.ts"))
      .filter((file) => !file.text.includes("/**"))
      .map((file) => `${file.path}: say purpose and invariants in a comment at its head`);
    expect(silent).toEqual([]);
  });
});

describe("workspaces", () => {
  test.each([...workspaces, "proto"])("%s has a README", (workspace) => {
    expect(existsSync(join(rootFolder, workspace, "README.md"))).toBe(true);
  });

  test("every dependency is pinned to one version, the same everywhere", () => {
    const versions = new Map<string, string>();
    const breaches: string[] = [];
    for (const folder of [".", "tools", ...workspaces]) {
      for (const [name, version] of Object.entries(allDependencies(readManifest(folder)))) {
        const isOwn = name.startsWith("@florin/");
        if (isOwn ? version !== "*" : !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
          breaches.push(`${folder}: ${name}@${version} is not an exact version`);
        if (!isOwn && (versions.get(name) ?? version) !== version)
          breaches.push(`${folder}: ${name}@${version}, elsewhere ${versions.get(name)}`);
        versions.set(name, version);
      }
    }
    expect(breaches).toEqual([]);
  });

  test("every runtime dependency is explained in docs/dependencies.md", () => {
    const text = readFileSync(join(rootFolder, "docs", "dependencies.md"), "utf8");
    const names = new Set(workspaces.flatMap((workspace) => Object.keys(runtimeDependencies(readManifest(workspace)))));
    const missing = [...names].filter((name) => !name.startsWith("@florin/") && !text.includes(`\`${name}\``));
    expect(missing).toEqual([]);
  });

  test("a workspace imports only packages that it declares", () => {
    const breaches = workspaces.flatMap((workspace) => {
      const declared = new Set(Object.keys(runtimeDependencies(readManifest(workspace))));
      return sources(workspace)
        .filter((file) => /^[^/]+\/src\//.test(file.path) && !isForTests(file.path))
        .flatMap((file) => file.imports.map(({ specifier }) => [file.path, packageOf(specifier)] as const))
        .filter(([, name]) => name !== undefined && name !== readManifest(workspace).name && !declared.has(name))
        .map(([path, name]) => `${path}: ${name} is not in ${workspace}/package.json`);
    });
    expect(breaches).toEqual([]);
  });
});

describe("documents", () => {
  const pages = listFiles(".").filter((path) => path.endsWith(".md"));

  test("links lead somewhere", () => {
    const broken = pages.flatMap((page) =>
      [...readFileSync(join(rootFolder, page), "utf8").matchAll(/\]\((?!https?:|mailto:|#)([^)\s#]+)(?:#[^)]*)?\)/g)]
        .map((match) => match[1] ?? "")
        .filter((target) => !existsSync(join(rootFolder, page, "..", target)))
        .map((target) => `${page} links to ${target}, which is not there`),
    );
    expect(broken).toEqual([]);
  });

  test("every workspace, and every page of docs/, can be reached from the README", () => {
    const text = readFileSync(join(rootFolder, "README.md"), "utf8");
    expect(workspaces.filter((workspace) => !text.includes(`(${workspace}/README.md)`))).toEqual([]);
    const linked = pages.map((page) => readFileSync(join(rootFolder, page), "utf8")).join("\n");
    const names = pages.filter((page) => page.startsWith("docs/")).map((page) => page.slice(page.lastIndexOf("/") + 1));
    expect(names.filter((name) => !linked.includes(`${name})`) && !linked.includes(`${name}#`))).toEqual([]);
  });
});

describe("the tidy test itself", () => {
  const file = (path: string, text: string): SourceFile => ({ path, text, imports: findImports(text) });
  const breaches = (path: string, text: string): number => {
    const source = file(path, text);
    return source.imports.filter((one) => breachOf(source, one, {}) !== undefined).length;
  };

  test("sees every form of import", () => {
    const text =
      'import "a";\nimport b from "b";\nimport { c,\n  d } from "c";\nexport * from "d";\nimport type { E } from "e";\nimport { type F } from "f";\nconst g = await import("g");';
    expect(findImports(text).map(({ specifier }) => specifier)).toEqual(["a", "b", "c", "d", "e", "f", "g"]);
    expect(
      findImports(text)
        .filter(({ isTypeOnly }) => isTypeOnly)
        .map(({ specifier }) => specifier),
    ).toEqual(["e", "f"]);
  });

  test("names each breach", () => {
    expect(breaches("switch/src/domain/a.ts", 'import { b } from "../app/b.ts";')).toBe(1);
    expect(breaches("switch/src/domain/a.ts", 'import { b } from "node:crypto";')).toBe(1);
    expect(breaches("switch/src/domain/a.ts", 'import { b } from "@florin/kernel";')).toBe(0);
    expect(breaches("vault/src/domain/a.ts", 'import { b } from "@florin/kernel/test-cards";')).toBe(0);
    expect(breaches("switch/src/domain/a.ts", 'import { b } from "@florin/kernel/test-cards";')).toBe(1);
    expect(breaches("switch/src/store/a.ts", 'import { b } from "@florin/gen/events/v1/events";')).toBe(1);
    expect(breaches("switch/src/store/event-body.ts", 'import { b } from "@florin/gen/events/v1/events";')).toBe(0);
    expect(breaches("switch/src/rpc/a.ts", 'import { b } from "../store/b.ts";')).toBe(1);
    expect(breaches("switch/src/app/a.ts", 'import { b } from "../../../vault/src/app/b.ts";')).toBe(1);
    expect(breaches("switch/src/stuff/a.ts", 'import { b } from "@florin/kernel";')).toBe(1);
    for (const place of Object.keys(rooms)) expect(rooms[place]?.instead).not.toBe("");
  });
});

function importsWorkspace(from: string, specifier: string, workspace: string, byPathOnly = false): boolean {
  if (!byPathOnly && (specifier === `@florin/${workspace}` || specifier.startsWith(`@florin/${workspace}/`))) return true;
  return specifier.startsWith("../") && join(from, "..", specifier).startsWith(`${workspace}/`);
}

function allDependencies(manifest: Manifest): Readonly<Record<string, string>> {
  return { ...manifest.devDependencies, ...runtimeDependencies(manifest) };
}

function runtimeDependencies(manifest: Manifest): Readonly<Record<string, string>> {
  return { ...manifest.dependencies, ...manifest.optionalDependencies };
}

/** "@scope/name/part" → "@scope/name"; undefined for files and node:. */
function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith(".") || specifier.startsWith("node:") || specifier.startsWith("k6")) return undefined;
  const parts = specifier.split("/");
  return specifier.startsWith("@") ? parts.slice(0, 2).join("/") : parts[0];
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/(^|\s)\/\/.*$/gm, "");
}

/** Strings may quote the very words that are looked for. */
function withoutStrings(text: string): string {
  return text.replaceAll(/"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`|\/(?:[^/\\\n]|\\.)+\//g, "");
}

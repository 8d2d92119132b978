/**
 * Who may import what: the table of rooms in docs/ARCHITECTURE.md as data. A breach names what to do instead.
 *
 * Rooms are the first folder (or the file) below a workspace's `src/`. Files for tests obey the
 * rule of the folder they stand in, and may import test packages besides.
 */
import { type Import, resolveRelative, type SourceFile } from "./source-files.ts";

export type Room = {
  /** Own rooms beside itself; "*" is every one. A name with "type:" may be imported for its types only. */
  readonly own: readonly string[];
  readonly kernel: boolean;
  readonly runtime: boolean;
  readonly gen: boolean;
  /** Packages from npm and node:. */
  readonly packages: boolean;
  readonly instead: string;
};

const everything: Omit<Room, "instead"> = { own: ["*"], kernel: true, runtime: true, gen: true, packages: true };

/** Rooms that every service has. */
export const rooms: Readonly<Record<string, Room>> = {
  "main.ts": { ...everything, instead: "main.ts is the composition root and may import everything of its own service" },
  "migrate.ts": { ...everything, instead: "migrate.ts is an entry point" },
  "rebuild.ts": { ...everything, instead: "rebuild.ts is an entry point" },
  "provision.ts": { ...everything, instead: "provision.ts is an entry point" },
  "inventory.ts": { ...everything, instead: "inventory.ts is an entry point" },
  "config.ts": {
    own: [],
    kernel: true,
    runtime: true,
    gen: false,
    packages: false,
    instead: "settings are values: read them here, act on them in main.ts",
  },
  domain: {
    own: [],
    kernel: true,
    runtime: false,
    gen: false,
    packages: false,
    instead:
      "domain is pure: return an effect as data and let app perform it; translate generated types in rpc, clients or store/event-body.ts",
  },
  app: {
    own: ["domain", "store", "clients", "type:config.ts"],
    kernel: true,
    runtime: true,
    gen: false,
    packages: true,
    instead: "app loads, decides, appends and performs; translate wire types in rpc, rest or clients",
  },
  store: {
    own: ["type:domain", "domain"],
    kernel: true,
    runtime: true,
    gen: false,
    packages: true,
    instead: "store holds SQL; only store/event-body.ts may encode generated messages",
  },
  clients: {
    own: ["domain", "type:app"],
    kernel: true,
    runtime: true,
    gen: true,
    packages: true,
    instead: "clients speak RPC and return domain words; call them from app",
  },
  rpc: {
    own: ["app", "domain"],
    kernel: true,
    runtime: true,
    gen: true,
    packages: true,
    instead: "rpc validates, translates and calls app; move SQL to store and calls to clients, behind app",
  },
  rest: {
    own: ["app", "domain"],
    kernel: true,
    runtime: true,
    gen: true,
    packages: true,
    instead: "rest validates, translates and calls app; move SQL to store and calls to clients, behind app",
  },
  consumers: {
    own: ["app", "domain"],
    kernel: true,
    runtime: true,
    gen: true,
    packages: true,
    instead: "a consumer turns an event into one call of app",
  },
  workers: {
    own: ["app", "store", "domain", "consumers"],
    kernel: true,
    runtime: true,
    gen: false,
    packages: true,
    instead: "a worker is a loop with a bound, a rhythm and a stop around a call of app, or around a consumer",
  },
};

/** Unit tests, the generators of their values, and suites that every implementation of an interface must pass. */
export function isForTests(path: string): boolean {
  return /(\.test|-arbitrary|\/conformance|-conformance)\.ts$/.test(path);
}

/** `undefined` when the import is allowed; otherwise a sentence that says what to do. */
export function breachOf(file: SourceFile, one: Import, ownRooms: Readonly<Record<string, Room>>): string | undefined {
  const [workspace, area, place] = file.path.split("/");
  if (workspace === undefined || area !== "src" || place === undefined) return undefined;
  const target = resolveRelative(file.path, one.specifier);
  if (target !== undefined && !target.startsWith(`${workspace}/`))
    return `${file.path} reaches into ${target}: import a workspace by its name, and a service never`;
  const room = ownRooms[place] ?? rooms[place.replace(/\.test\.ts$/, ".ts")];
  if (room === undefined)
    return `${file.path} is in no known room: use one of ${Object.keys(rooms).join(", ")}, or add the room to scripts/tidy/service-rooms.ts`;
  const isTest = isForTests(file.path);
  const isAllowed = target === undefined ? mayImportPackage(room, file, one, isTest) : mayImportOwn(room, place, target, one);
  return isAllowed ? undefined : `${file.path} may not import ${one.specifier}: ${room.instead}`;
}

function mayImportOwn(room: Room, place: string, target: string, one: Import): boolean {
  const targetPlace = target.split("/")[2] ?? "";
  if (targetPlace === place || room.own.includes("*") || room.own.includes(targetPlace)) return true;
  return one.isTypeOnly && room.own.includes(`type:${targetPlace}`);
}

const testPackages: readonly string[] = ["vitest", "fast-check"];

function mayImportPackage(room: Room, file: SourceFile, one: Import, isTest: boolean): boolean {
  const { specifier } = one;
  if (isTest && testPackages.includes(specifier)) return true;
  if (specifier === "@florin/kernel") return room.kernel;
  // As pure as the kernel: bytes in, findings out.
  if (specifier === "@florin/detector") return room.kernel;
  // The shape of a number alone, without what is not meant for browsers.
  if (specifier === "@florin/kernel/card") return room.kernel;
  // Card numbers in clear, if only published ones: for who takes them and for who plays the acquirer, and in nobody else's memory.
  if (specifier === "@florin/kernel/test-cards") return room.kernel && (isTest || /^(vault|simulator)\//.test(file.path));
  if (specifier.startsWith("@florin/runtime/")) return room.runtime || isTest;
  if (specifier.startsWith("@florin/gen/")) return room.gen || file.path.endsWith("/store/event-body.ts");
  if (specifier.startsWith("@florin/")) return false;
  return room.packages || isTest;
}

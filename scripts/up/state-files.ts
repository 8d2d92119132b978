/**
 * What a running stack leaves in its directory, and the lock that lets only one run there.
 *
 * `up.json` is for people and tools; `run.json` is for `up` and `down`: the same processes with their start times, so that a process id
 * which was given to somebody else is never signalled. All files are readable by their owner only.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describeProcess, isRunning, type KnownProcess } from "../processes.ts";
import { writeWhole } from "./whole-file.ts";

export type UpFile = {
  readonly edgeUrl: string;
  readonly vaultUrl: string;
  readonly simulatorUrl: string;
  /** The same acquirer over ISO 8583: connector `simiso`. */
  readonly simulatorIso8583Url: string;
  /** A merchant's page with card fields, docs/examples/shop. */
  readonly shopUrl: string;
  readonly secretKey: string;
  readonly publishableKey: string;
  readonly databaseUrl: string;
  readonly redisUrl: string | null;
  readonly natsUrl: string | null;
  readonly processes: readonly { readonly name: string; readonly pid: number }[];
};

/** `processes` in the order in which they are to be stopped. */
export type RunFile = { readonly supervisor: KnownProcess; readonly processes: readonly KnownProcess[] };

export const upFilePath = (directory: string): string => join(directory, "up.json");
const runFilePath = (directory: string): string => join(directory, "run.json");

export function writeUpFile(directory: string, up: UpFile): void {
  writeWhole(upFilePath(directory), up);
}

export function writeRunFile(directory: string, run: RunFile): void {
  writeWhole(runFilePath(directory), run);
}

/** Where our processes listen for each other: for internal clients, see docs/examples. */
export type AddressesFile = {
  readonly switchAddress: string;
  readonly connectorsAddress: string;
  readonly vaultAddress: string;
  readonly ledgerAddress: string;
  readonly tlsDirectory: string;
  readonly merchantId: string;
};

export function writeAddressesFile(directory: string, addresses: AddressesFile): void {
  writeWhole(join(directory, "addresses.json"), addresses);
}

export function readAddressesFile(directory: string): AddressesFile | undefined {
  return readJson<AddressesFile>(join(directory, "addresses.json"));
}

/** Undefined when nothing was left behind. */
export function readRunFile(directory: string): RunFile | undefined {
  return readJson<RunFile>(runFilePath(directory));
}

export function readUpFile(directory: string): UpFile | undefined {
  return readJson<UpFile>(upFilePath(directory));
}

/** The supervisor that holds the directory, running or not. */
export function readSupervisor(directory: string): KnownProcess | undefined {
  return readJson<KnownProcess>(join(directory, "supervisor.json"));
}

/** Takes the directory for this process; answers the holder when another supervisor has it. */
export function claimDirectory(directory: string): KnownProcess | undefined {
  const file = join(directory, "supervisor.json");
  const self = describeProcess("supervisor", process.pid);
  for (let tries = 0; tries < 3; tries++) {
    try {
      writeFileSync(file, JSON.stringify(self), { mode: 0o600, flag: "wx" });
      return undefined;
    } catch (thrown) {
      if (!(thrown instanceof Error && "code" in thrown && thrown.code === "EEXIST")) throw thrown;
    }
    const holder = readJson<KnownProcess>(file);
    if (holder !== undefined && isRunning(holder)) return holder;
    rmSync(file, { force: true });
  }
  throw new Error(`cannot take ${file}: is another up starting in the same directory?`);
}

/** Removes what says that a stack runs here; data, keys and logs stay. Safe to repeat. */
export function clearState(directory: string): void {
  clearLeftovers(directory);
  rmSync(join(directory, "supervisor.json"), { force: true });
}

/** The same for one who holds the directory: nobody shall take an earlier stack's `up.json` for that of one which is still starting. */
export function clearLeftovers(directory: string): void {
  for (const name of ["up.json", "addresses.json", "run.json"]) rmSync(join(directory, name), { force: true });
}

function readJson<T>(file: string): T | undefined {
  if (!existsSync(file)) return undefined;
  try {
    return JSON.parse(readFileSync(file, "utf8")) as T;
  } catch {
    return undefined;
  }
}

/** Where commands of operators find a stack of this machine, unless they are told an address. */
import { join, resolve } from "node:path";
import { rootFolder } from "./root-folder.ts";
import { type AddressesFile, readAddressesFile } from "./up/state-files.ts";

/** Where the caller stands: relative paths begin there. */
export function callerDirectoryOf(env: NodeJS.ProcessEnv): string {
  return env["FLORIN_CALLER_DIRECTORY"] ?? process.cwd();
}

/**
 * The addresses of the stack in `named`, or of this repository's own, wherever in it the caller stands. Throws an Error when none is up there;
 * `help` says where to read on.
 */
export function addressesOfStack(named: string | undefined, o: { readonly callerDirectory: string; readonly help: string }): AddressesFile {
  const directory = named === undefined ? join(rootFolder, ".florin") : resolve(o.callerDirectory, named);
  const addresses = readAddressesFile(directory);
  if (addresses === undefined) throw new Error(`${join(directory, "addresses.json")} is not there: is the stack up? See ${o.help}`);
  return addresses;
}

/**
 * Reads a secret from where a reference of the settings says. Whoever may change the settings chooses the reference, so it reaches only what was
 * put there to be reached: files below one folder, wherever links and dots lead, and variables with one prefix.
 */
import { constants } from "node:fs";
import { open, realpath } from "node:fs/promises";
import { sep } from "node:path";
import { makeSecretBytes, Secret } from "@florin/kernel";

/** Why there is no secret. Words only: no path, no value, no message of the operating system. */
export type SecretFault =
  | "unknown_form"
  | "no_folder"
  | "outside_folder"
  | "not_found"
  | "unreadable"
  | "wrong_size"
  | "variable_not_allowed";
export type ReadSecret = (reference: string) => Promise<Secret | SecretFault>;

export const variablePrefix = "FLORIN_SECRET_";
const bytesMax = 4_096;

/** Takes the variables that references may name out of the environment, so that no child process and no diagnostic report shows them. */
export function takeSecretVariables(env: NodeJS.ProcessEnv): ReadonlyMap<string, Secret> {
  const taken = new Map<string, Secret>();
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(variablePrefix) || value === undefined) continue;
    taken.set(name, secretOf(Buffer.from(value, "utf8")));
    delete env[name];
  }
  return taken;
}

/** `folder` empty: no file is read. A secret has 1 to 4,096 bytes; a file's last line break is not part of it. The caller wipes what comes back. */
export function createSecretSource(o: { readonly folder: string; readonly variables: ReadonlyMap<string, Secret> }): ReadSecret {
  return async (reference) => {
    if (reference.startsWith("file:")) return o.folder === "" ? "no_folder" : readFileBelow(o.folder, reference.slice("file:".length));
    if (!reference.startsWith("env:")) return "unknown_form";
    const name = reference.slice("env:".length);
    if (!name.startsWith(variablePrefix)) return "variable_not_allowed";
    const found = o.variables.get(name);
    return found === undefined ? "not_found" : sized(Buffer.from(found.expose()));
  };
}

async function readFileBelow(folder: string, path: string): Promise<Secret | SecretFault> {
  try {
    const [root, file] = await Promise.all([realpath(folder), realpath(path)]);
    if (!file.startsWith(root.endsWith(sep) ? root : `${root}${sep}`)) return "outside_folder";
    // Neither a link that was put there since, nor the wait for a pipe's other end.
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const { size } = await handle.stat().then((stat) => (stat.isFile() ? stat : { size: -1 }));
      if (size < 0) return "unreadable";
      if (size > bytesMax + 2) return "wrong_size";
      const bytes = Buffer.allocUnsafeSlow(size);
      const { bytesRead } = await handle.read(bytes, 0, size, 0);
      return sized(bytes.subarray(0, bytesRead));
    } finally {
      await handle.close();
    }
  } catch (thrown) {
    // The system's message names the path and nothing that helps more than the word.
    return thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT" ? "not_found" : "unreadable";
  }
}

/** Wipes what it is given. */
function sized(bytes: Buffer): Secret | SecretFault {
  const end = bytes.at(-1) !== 0x0a ? bytes.length : bytes.at(-2) === 0x0d ? bytes.length - 2 : bytes.length - 1;
  const secret = end < 1 || end > bytesMax ? "wrong_size" : secretOf(bytes.subarray(0, end));
  bytes.fill(0);
  return secret;
}

function secretOf(bytes: Uint8Array): Secret {
  const copy = makeSecretBytes(bytes.length);
  copy.set(bytes);
  return new Secret(copy);
}

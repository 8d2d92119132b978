/** The words of `npx florin settings`. */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { addressesOfStack, callerDirectoryOf } from "../local-stack.ts";

export const usage = `npx florin settings <command> [options]

  get [version]        prints a version's document, the newest unless one is named; 0 is what is built in
  check <file>         says all that is wrong with a document, or what it would change; makes nothing
  put <file>           makes the next version, and waits until every replica works by it
  history              who made which version, when, why, and what changed
  diff <from> <to>     what differs between two versions
  rollback <version>   makes a next version with the document of an earlier one, and waits likewise
  applied              which version each running replica works by

  --by <person>        who does it; put and rollback need it
  --note <text>        why
  --base <version>     the version the file was made from, instead of the one that stands in it
  --limit <n>          versions of the history (20; at most 100)
  --directory <path>   of the stack (.florin of this repository)
  --address <host:port> --tls <path>  of any switch, with a folder of certificates that has one named operator

A file named - is read from the standard input. Exit code 1: refused, or not applied by every replica within 10 s.`;

const arguments_ = { get: [0, 1], check: [1, 1], put: [1, 1], history: [0, 0], diff: [2, 2], rollback: [1, 1], applied: [0, 0] } as const;
export type CommandName = keyof typeof arguments_;

export type Options = {
  readonly command: CommandName;
  readonly words: readonly string[];
  /** Where the caller stands: relative paths begin there. */
  readonly callerDirectory: string;
  readonly by: string;
  readonly note: string;
  readonly base: number | undefined;
  readonly limit: number;
  readonly address: string;
  readonly tlsDirectory: string;
};

/** Throws an Error that says what to write instead. */
export function readOptions(args: readonly string[], env: NodeJS.ProcessEnv): Options | { readonly command: "help" } {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      by: { type: "string", default: "" },
      note: { type: "string", default: "" },
      base: { type: "string" },
      limit: { type: "string", default: "20" },
      directory: { type: "string" },
      address: { type: "string" },
      tls: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const [command = "help", ...words] = positionals;
  if (values.help || command === "help") return { command: "help" };
  if (!isCommand(command)) throw new Error(`${command} is no command. See npx florin settings --help`);
  const [min, max] = arguments_[command];
  if (words.length < min || words.length > max) throw new Error(`${command} takes other arguments. See npx florin settings --help`);
  if ((command === "put" || command === "rollback") && values.by === "") throw new Error("--by names the person who does this");
  const callerDirectory = callerDirectoryOf(env);
  const isNamed = values.address !== undefined && values.tls !== undefined;
  const local = isNamed ? undefined : addressesOfStack(values.directory, { callerDirectory, help: "npx florin settings --help" });
  return {
    command,
    words,
    callerDirectory,
    by: values.by,
    note: values.note,
    base: values.base === undefined ? undefined : versionOf(values.base),
    limit: limitOf(values.limit),
    address: values.address ?? local?.switchAddress ?? "",
    tlsDirectory: values.tls === undefined ? (local?.tlsDirectory ?? "") : resolve(callerDirectory, values.tls),
  };
}

/** Throws an Error for what is no version's number. */
export function versionOf(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error("a version is a whole number");
  return Number(text);
}

const limitMax = 100;

function limitOf(text: string): number {
  const limit = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > limitMax) throw new Error(`--limit is 1 to ${limitMax}`);
  return limit;
}

function isCommand(word: string): word is CommandName {
  return Object.hasOwn(arguments_, word);
}

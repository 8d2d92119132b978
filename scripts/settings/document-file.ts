/** A settings document as it stands in a file. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";

/** A message of 4 MiB (gRPC's default) takes it with what goes beside it. */
const bytesMax = 4_000_000;

/** The text, without the byte order mark that some editors write. `-` is the standard input. Throws an Error that names the file. */
export function readDocument(file: string, callerDirectory: string): string {
  const bytes = readFileSync(file === "-" ? 0 : resolve(callerDirectory, file));
  if (bytes.length > bytesMax)
    throw new Error(`${file} has ${bytes.length} bytes, at most ${bytesMax} fit into a request: is it a settings document?`);
  return new TextDecoder("utf-8").decode(bytes);
}

/** One stream of bytes through the detector. A whole file that is packed (gzip, zstd, by its first bytes; brotli, by its name) is unpacked as it flows. */
import { Readable, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress, createGunzip, createZstdDecompress } from "node:zlib";
import type { Encoding, Finding, Unread } from "../find-card-numbers.ts";
import { createStreamFinder } from "../stream-finder.ts";
import { whyOf } from "./list-files.ts";
import { isPublishedTestNumber } from "./test-numbers.ts";

export type StreamReport = { onFinding(finding: Finding): void; onUnread(unread: Unread): void };

const magicBytes = 4;

/** Resolves to the bytes read; offsets are those of the unpacked bytes. Never rejects: what cannot be read is told. */
export async function scanStream(source: Readable, name: string, report: StreamReport): Promise<number> {
  let read = 0;
  try {
    const { head, rest } = await readHead(source);
    const packing = packingOf(head, name);
    const outer: readonly Encoding[] = packing === undefined ? [] : [packing.encoding];
    const search = async (bytes: AsyncIterable<Buffer>): Promise<void> => {
      for await (const chunk of bytes) {
        read += chunk.length;
        finder.push(chunk);
      }
    };
    const finder = createStreamFinder({
      isTestNumber: isPublishedTestNumber,
      onFinding: (finding) => report.onFinding({ ...finding, encodings: [...outer, ...finding.encodings] }),
      onUnread: (unread) => report.onUnread(unread),
    });
    const whole = Readable.from(joined(head, rest));
    try {
      await (packing === undefined ? pipeline(whole, search) : pipeline(whole, packing.open(), search));
    } finally {
      // What came before a damage is searched too.
      finder.end();
    }
  } catch (thrown) {
    report.onUnread({ at: read, why: whyOf(thrown) });
  }
  return read;
}

type Packing = { readonly encoding: Encoding; open(): Transform };

function packingOf(head: Uint8Array, name: string): Packing | undefined {
  const starts = (...magic: readonly number[]): boolean => magic.every((byte, index) => head[index] === byte);
  if (starts(0x1f, 0x8b, 8)) return { encoding: "gzip", open: () => createGunzip() };
  if (starts(0x28, 0xb5, 0x2f, 0xfd)) return { encoding: "zstd", open: () => createZstdDecompress() };
  if (name.endsWith(".br")) return { encoding: "brotli", open: () => createBrotliDecompress() };
  return undefined;
}

type Head = { readonly head: Buffer; readonly rest: AsyncIterator<Buffer> };

async function readHead(source: Readable): Promise<Head> {
  const rest = (source as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  let head: Buffer = Buffer.alloc(0);
  while (head.length < magicBytes) {
    const { value, done } = await rest.next();
    if (done === true) break;
    head = Buffer.concat([head, value]);
  }
  return { head, rest };
}

async function* joined(head: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

/**
 * Question: how many ISO 8583 messages does one core encode and decode, and what does the content cost beside the mere copying of it?
 *
 * `node connectors/bench/iso8583.bench.ts [rounds]`. One authorization request of 20 fields (card number among them) in the common dialects,
 * per second of CPU, medians of the rounds. Rulers of the same run: the npm package iso_8583 with the same message in its dialect, and
 * JSON.stringify and JSON.parse of the same values.
 */
import { Secret } from "@florin/kernel";
import { testCards } from "@florin/kernel/test-cards";
import IsoEightFiveEightThree from "iso_8583";
import { decodeMessage } from "../src/iso8583/codec/decode.ts";
import { type DialectData, makeDialect } from "../src/iso8583/codec/dialect.ts";
import { ascii1987, asciiBinary1987, bcd1987, ebcdic1987 } from "../src/iso8583/codec/dialects.ts";
import { encodeMessage } from "../src/iso8583/codec/encode.ts";
import type { FieldValue } from "../src/iso8583/codec/message.ts";

const rounds = Number(process.argv[2] ?? 7);
const roundMs = 150;

const texts: Readonly<Record<number, string>> = {
  3: "000000",
  4: "000000012345",
  7: "1121143045",
  11: "004711",
  12: "143045",
  13: "1121",
  14: "3512",
  18: "5411",
  22: "812",
  25: "59",
  32: "12345678901",
  37: "432514004711",
  41: "TERM0001",
  42: "MERCHANT0000001",
  43: "BOOKSHOP              VIENNA          AT",
  49: "978",
  60: "0123456789012345678901234567890123456789",
  63: "order-4711",
};
const number = Buffer.from(testCards.visa.number, "latin1");
const fields = new Map<number, FieldValue>(Object.entries(texts).map(([key, text]) => [Number(key), text]));
fields.set(2, new Secret(number));
fields.set(52, new Secret(Buffer.from("0123456789ABCDEF", "hex")));
const message = { mti: "0100", fields };

type Row = { readonly what: string; readonly bytes: number; readonly encodesPerS: number; readonly decodesPerS: number };

/** Calls per second of CPU, the median of the rounds after one to warm up: a machine that others use does not change what a message costs. */
function perSecond(run: () => void): number {
  const rates: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const before = process.cpuUsage();
    let calls = 0;
    let cpuMs = 0;
    while (cpuMs < roundMs) {
      for (let times = 0; times < 200; times++) run();
      calls += 200;
      const { user, system } = process.cpuUsage(before);
      cpuMs = (user + system) / 1_000;
    }
    if (round > 0) rates.push((calls * 1_000) / cpuMs);
  }
  return rates.toSorted((a, b) => a - b)[Math.floor(rates.length / 2)] as number;
}

function benchDialect(data: DialectData): Row {
  const dialect = makeDialect(data);
  const target = Buffer.alloc(1_024);
  const encoded = encodeMessage(dialect, message, target);
  if (encoded.kind === "refused") throw new Error("the message is encodable");
  const bytes = Buffer.from(target.subarray(0, encoded.length));
  const decode = () => {
    if (decodeMessage(dialect, bytes).kind === "refused") throw new Error("the message is decodable");
  };
  return {
    what: data.name,
    bytes: bytes.length,
    encodesPerS: perSecond(() => encodeMessage(dialect, message, target)),
    decodesPerS: perSecond(decode),
  };
}

/** Strings throughout, as its users give them. */
function benchPackage(): Row {
  const plain = { 0: "0100", 2: number.toString("latin1"), ...texts, 52: "0123456789abcdef" };
  const encode = () => {
    const bytes = new IsoEightFiveEightThree(plain).getRawMessage();
    if (!Buffer.isBuffer(bytes)) throw new Error(JSON.stringify(bytes));
    return bytes;
  };
  const bytes = encode();
  const decode = () => new IsoEightFiveEightThree().getIsoJSON(bytes, { lenHeader: false });
  return { what: "iso_8583 (npm), as ascii-binary", bytes: bytes.length, encodesPerS: perSecond(encode), decodesPerS: perSecond(decode) };
}

function benchJson(): Row {
  const plain = { mti: "0100", 2: number.toString("latin1"), ...texts, 52: "0123456789abcdef" };
  const text = JSON.stringify(plain);
  const encode = () => Buffer.from(JSON.stringify(plain));
  const decode = () => JSON.parse(text);
  return { what: "JSON of the same values", bytes: text.length, encodesPerS: perSecond(encode), decodesPerS: perSecond(decode) };
}

const rows = [...[ascii1987, asciiBinary1987, bcd1987, ebcdic1987].map(benchDialect), benchPackage(), benchJson()];
console.log(`20 fields, ${rounds} rounds of ${roundMs} ms of CPU, Node ${process.version}\n`);
console.log("| dialect | bytes | encodes/s | decodes/s |\n| --- | ---: | ---: | ---: |");
const rounded = (rate: number) => (Math.round(rate / 1_000) * 1_000).toLocaleString("en");
for (const row of rows) console.log(`| ${row.what} | ${row.bytes} | ${rounded(row.encodesPerS)} | ${rounded(row.decodesPerS)} |`);

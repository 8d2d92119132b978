/**
 * Question: what does one exchange over a live ISO 8583 link cost, from the message to its reply, and what does the rest of the connector add?
 *
 * `node --max-semi-space-size=16 connectors/bench/iso8583-path.bench.ts [exchanges] [echo]`, with memory as `npm run up` sets it. A host in another process approves after 20 ms over real loopback sockets; 4 links, 256
 * exchanges under way, a request of 20 fields with card number and PIN block. CPU is user + system of this process: the host's is left out. `echo`: what
 * `npm run bench -- --echo-only` says of this machine, CPU-µs; gates are of one where it says 16.
 * 0. what the path is not: making the message that is handed in (its fields and secrets); and, as a ruler, the same bytes through bare sockets;
 * 1. the path: encode, link, multiplex, decode (gate: at most 15 CPU-µs, the making left out);
 * 2. the same with codes (ANSI X9.19) on both messages;
 * 3. the whole connector: identity, message, codes, path, outcome, totals.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { makeId, Secret } from "@florin/kernel";
import { testCards } from "@florin/kernel/test-cards";
import { untilTrue } from "@florin/runtime/testing";
import { systemTiming } from "@florin/runtime/timing";
import { makeDialect } from "../src/iso8583/codec/dialect.ts";
import { asciiBinary1987 } from "../src/iso8583/codec/dialects.ts";
import { encodeMessage } from "../src/iso8583/codec/encode.ts";
import { type FieldValue, type IsoMessage, wipeMessage } from "../src/iso8583/codec/message.ts";
import { framings } from "../src/iso8583/framing/framing.ts";
import { createProcessorLinks, type LinkProfile } from "../src/iso8583/link/processor-links.ts";
import { softwareMac } from "../src/iso8583/mac/seal.ts";
import { linkSettings } from "../src/simiso/profile.ts";
import { createSimiso } from "../src/simiso/simiso.ts";
import { testCard } from "../test/cards.ts";

const total = Number(process.argv[2] ?? 100_000);
const inFlight = 256;
const linkCount = 4;
const gateUs = (15 * Number(process.argv[3] ?? 16)) / 16;
const rounds = 3;
const macKeyHex = randomBytes(16).toString("hex");
const children: ChildProcess[] = [];

type Row = { readonly what: string; readonly cpuUs: number; readonly perSecond: number };
type Work = (index: number) => Promise<void>;

async function main(): Promise<void> {
  const [plain, sealed] = [await startHost([]), await startHost([macKeyHex])];
  const mac = { makeMac: softwareMac("x9.19", new Secret(Buffer.from(macKeyHex, "hex"))), classes: "1245" };
  const making = await measure("making the message (0)", async (index) => wipeMessage(request(index)));
  const ruler = await benchSockets(plain);
  const path = withoutMaking(await benchPath("the path: encode, link, multiplex, decode (1)", plain, undefined), making);
  print([
    making,
    ruler,
    path,
    withoutMaking(await benchPath("with codes on both messages (2)", sealed, mac), making),
    await benchConnector(sealed),
  ]);
  console.log(
    path.cpuUs <= gateUs
      ? `\nmet: ${path.cpuUs.toFixed(1)} of at most ${gateUs.toFixed(1)} CPU-µs`
      : `\nNOT MET: ${path.cpuUs.toFixed(1)} of ${gateUs.toFixed(1)} CPU-µs`,
  );
  if (path.cpuUs > gateUs) process.exitCode = 1;
}

const withoutMaking = (row: Row, making: Row): Row => ({ ...row, cpuUs: row.cpuUs - making.cpuUs });

const number = Buffer.from(testCards.visa.number, "latin1");
const pinBlock = Buffer.from("0123456789ABCDEF", "hex");
const texts: readonly (readonly [number, string])[] = [
  ...([
    [3, "000000"],
    [4, "000000012345"],
    [7, "1121143045"],
    [12, "143045"],
    [13, "1121"],
    [14, "3512"],
    [18, "5411"],
  ] as const),
  ...([
    [22, "811"],
    [25, "59"],
    [32, "12345678901"],
    [42, "MERCHANT0000001"],
    [43, "BOOKSHOP              VIENNA          AT"],
  ] as const),
  ...([
    [49, "978"],
    [60, "0123456789012345678901234567890123456789"],
    [63, "order-4711"],
  ] as const),
];

/** 20 fields; numbers and terminals so that none waits for another. */
function request(index: number): IsoMessage {
  const fields = new Map<number, FieldValue>(texts);
  fields.set(2, new Secret(Buffer.from(number))).set(52, new Secret(Buffer.from(pinBlock)));
  fields.set(11, String(1 + (index % 999_999)).padStart(6, "0"));
  fields.set(37, String(index).padStart(12, "0")).set(41, `TERM${String(index % 16).padStart(4, "0")}`);
  return { mti: "0100", fields };
}

async function benchPath(what: string, port: number, mac: LinkProfile["mac"]): Promise<Row> {
  const links = createProcessorLinks({
    profile: {
      dialect: makeDialect(asciiBinary1987),
      framing: framings.binary,
      messageBytesMax: 2_048,
      network: {
        mti: "0800",
        codeField: 70,
        codes: { sign_on: "001", sign_off: "002", echo: "301" },
        acceptedCode: "00",
        fields: new Map(),
      },
      echoed: [7, 37],
      mac,
    },
    addresses: addressesOf(port),
    settings: linkSettings,
    lease: undefined,
    ...{ inFlightMax: 1_024, waitingMax: 64, rememberedMs: 180_000, rememberedMax: 100_000, backlogBytesMax: 1_048_576 },
    ...{ timing: systemTiming, wallMs: Date.now, random: Math.random },
  });
  await untilTrue(() => links.isUp(), 5_000);
  const row = await measure(what, async (index) => {
    const answer = await links.exchange(request(index), Date.now() + 10_000);
    if (answer.kind !== "answered" || answer.message.fields.get(39) !== "00") throw new Error(JSON.stringify(answer));
    wipeMessage(answer.message);
  });
  await links.close();
  return row;
}

/** As many messages under way over as many sockets, nothing looked at: what the operating system and Node take. */
async function benchSockets(port: number): Promise<Row> {
  const frame = Buffer.alloc(2_048);
  const encoded = encodeMessage(makeDialect(asciiBinary1987), request(1), frame.subarray(2));
  if (encoded.kind === "refused") throw new Error(encoded.fault.reason);
  frame.writeUInt16BE(encoded.length);
  const bytes = frame.subarray(0, 2 + encoded.length);
  const run = async (count: number): Promise<void> => {
    const sockets = await Promise.all(
      Array.from({ length: linkCount }, async () => {
        const socket = connect({ port, host: "127.0.0.1", noDelay: true });
        await once(socket, "connect");
        return socket;
      }),
    );
    let [sent, answered, replyBytes] = [inFlight, 0, 0];
    await new Promise<void>((resolve) => {
      for (const socket of sockets) {
        socket.on("data", (chunk) => {
          // Every reply is as long as the first.
          replyBytes ||= 2 + chunk.readUInt16BE();
          const arrived = Math.round(chunk.length / replyBytes);
          answered += arrived;
          const next = Math.min(arrived, count - sent);
          sent += Math.max(0, next);
          if (next > 0) socket.write(Buffer.concat(Array.from({ length: next }, () => bytes)));
          if (answered >= count) resolve();
        });
        socket.write(Buffer.concat(Array.from({ length: inFlight / linkCount }, () => bytes)));
      }
    });
    for (const socket of sockets) socket.destroy();
  };
  const counted = Math.floor(total / rounds);
  await run(counted);
  const [before, startedAtMs] = [process.cpuUsage(), performance.now()];
  await run(counted);
  const { user, system } = process.cpuUsage(before);
  const perSecond = (counted * 1_000) / (performance.now() - startedAtMs);
  return { what: "the same bytes through bare sockets, a ruler (0)", cpuUs: (user + system) / counted, perSecond };
}

const newId = (kind: Parameters<typeof makeId>[0]) => makeId(kind, Date.now(), randomBytes(10));

async function benchConnector(port: number): Promise<Row> {
  const connector = createSimiso({
    addresses: addressesOf(port),
    macKey: new Secret(Buffer.from(macKeyHex, "hex")),
    inFlightMax: 1_024,
    isGranted: false,
    totals: { windowMs: 300_000, settleMs: 1_000 },
    onTotals: () => undefined,
  });
  await untilTrue(() => connector.isUp(), 5_000);
  const merchantId = newId("merchant");
  const command = { merchantId, paymentId: newId("payment"), merchantReference: "", amount: 1_000n, currency: "EUR", capture: false };
  // Made beforehand: making ids is not what is measured.
  const references = Array.from({ length: total + inFlight }, () => newId("attempt"));
  const row = await measure("the whole connector (3)", async (index) => {
    const reference = references[index % references.length] as string;
    const call = { deadlineAtMs: Date.now() + 10_000, traceparent: "" };
    const outcome = await connector.authorize({ ...command, reference }, testCard("approved"), call);
    if (outcome.kind !== "approved") throw new Error(JSON.stringify(outcome));
  });
  await connector.close();
  return row;
}

const addressesOf = (port: number) => Array.from({ length: linkCount }, () => ({ host: "127.0.0.1", port, tls: undefined }));

/** The median of the rounds, after a round to warm up. */
async function measure(what: string, work: Work): Promise<Row> {
  const counted = Math.floor(total / rounds);
  await drive(counted, work);
  const rows: Row[] = [];
  for (let round = 0; round < rounds; round++) {
    const [before, startedAtMs] = [process.cpuUsage(), performance.now()];
    await drive(counted, work);
    const { user, system } = process.cpuUsage(before);
    rows.push({ what, cpuUs: (user + system) / counted, perSecond: (counted * 1_000) / (performance.now() - startedAtMs) });
  }
  return rows.toSorted((a, b) => a.cpuUs - b.cpuUs)[Math.floor(rounds / 2)] as Row;
}

async function drive(count: number, work: Work): Promise<void> {
  let next = 0;
  const client = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: inFlight }, client));
}

async function startHost(args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [new URL("fixed-host.ts", import.meta.url).pathname, ...args], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  children.push(child);
  for await (const chunk of child.stdout ?? []) return Number(String(chunk).trim());
  throw new Error("the host ended without printing its port");
}

function print(rows: readonly Row[]): void {
  console.log(`${total} exchanges, ${inFlight} under way, ${linkCount} links, host at 20 ms, Node ${process.version}\n`);
  console.log("| part | CPU-µs each | per second |\n| --- | ---: | ---: |");
  for (const { what, cpuUs, perSecond } of rows)
    console.log(`| ${what} | ${cpuUs.toFixed(1)} | ${Math.round(perSecond).toLocaleString("en")} |`);
}

try {
  await main();
} finally {
  for (const child of children) child.kill("SIGKILL");
}
process.exit();

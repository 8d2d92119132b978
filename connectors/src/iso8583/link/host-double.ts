/** A host that does what each test says, over real sockets, and links to it. For tests. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Secret } from "@florin/kernel";
import { systemTiming } from "@florin/runtime/timing";
import { decodeMessage } from "../codec/decode.ts";
import { makeDialect } from "../codec/dialect.ts";
import { bcd1987 } from "../codec/dialects.ts";
import { encodeMessage } from "../codec/encode.ts";
import type { FieldValue, IsoMessage } from "../codec/message.ts";
import { type Framing, framings, headerBytes, writeHeader } from "../framing/framing.ts";
import { createSplitter } from "../framing/splitter.ts";
import type { LinkSettings } from "./link-state.ts";
import { isReply, replyTypeOf } from "./network-messages.ts";
import { createProcessorLinks, type LinkNotice, type ProcessorLinks, type ProcessorLinksOptions } from "./processor-links.ts";

export const dialect = makeDialect(bcd1987);
export const settings: LinkSettings = {
  signsOn: true,
  connectTimeoutMs: 2_000,
  networkTimeoutMs: 2_000,
  echoAfterMs: 60_000,
  missedEchoesMax: 2,
  retryMsMin: 5,
  retryMsMax: 20,
};
const network = {
  mti: "0800",
  codeField: 70,
  codes: { sign_on: "001", sign_off: "002", echo: "301" },
  acceptedCode: "00",
  fields: new Map<number, string>(),
};

export type Host = {
  readonly port: number;
  readonly sockets: Set<Socket>;
  /** Everything that came, in order. */
  readonly received: IsoMessage[];
  send(socket: Socket, message: IsoMessage): void;
  raw(socket: Socket, bytes: Uint8Array): void;
  close(): Promise<void>;
};
/** What the host does with a message that is no sign-on, sign-off or echo; those it accepts. */
export type Behaviour = (host: Host, socket: Socket, message: IsoMessage) => void;

const closing: (() => Promise<unknown>)[] = [];
/** Ends whatever a test started. */
export async function closeAll(): Promise<void> {
  for (const close of closing.splice(0).toReversed()) await close();
}

export function replyTo(message: IsoMessage, more: Readonly<Record<number, FieldValue>> = { 39: "00" }): IsoMessage {
  const echo = [7, 11, 37, 41, 70].flatMap((field) =>
    message.fields.has(field) ? [[field, message.fields.get(field) as FieldValue] as const] : [],
  );
  return {
    mti: replyTypeOf(message.mti),
    fields: new Map([...echo, ...Object.entries(more).map(([field, value]) => [Number(field), value] as const)]),
  };
}

export async function startHost(
  behave: Behaviour,
  o: { framing?: Framing; port?: number; refusesSignOn?: boolean; isSilent?: (message: IsoMessage) => boolean } = {},
): Promise<Host> {
  const framing = o.framing ?? framings.binary;
  const sockets = new Set<Socket>();
  const received: IsoMessage[] = [];
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => sockets.delete(socket));
    const take = (bytes: Uint8Array) => {
      const decoded = decodeMessage(dialect, bytes);
      if (decoded.kind === "refused") throw new Error(decoded.fault.reason);
      const { message } = decoded;
      received.push(message);
      if (o.isSilent?.(message) === true) return;
      if (message.mti === "0800") host.send(socket, replyTo(message, { 39: o.refusesSignOn === true ? "91" : "00" }));
      else if (!isReply(message)) behave(host, socket, message);
    };
    const splitter = framing.length === "none" ? undefined : createSplitter({ framing, messageBytesMax: 2_000 });
    socket.on("data", (chunk) => (splitter === undefined ? take(chunk) : splitter.push(chunk, take)));
  });
  server.listen(o.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  const host: Host = {
    port: (server.address() as AddressInfo).port,
    sockets,
    received,
    send(socket, message) {
      const body = Buffer.alloc(2_000);
      const encoded = encodeMessage(dialect, message, body);
      if (encoded.kind === "refused") throw new Error(encoded.fault.reason);
      host.raw(socket, body.subarray(0, encoded.length));
    },
    raw(socket, bytes) {
      const frame = Buffer.alloc(headerBytes(framing) + bytes.length);
      writeHeader(framing, bytes.length, frame);
      frame.set(bytes, headerBytes(framing));
      socket.write(frame);
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
  closing.push(() => (server.listening ? host.close() : Promise.resolve()));
  return host;
}

export type Started = {
  readonly links: ProcessorLinks;
  readonly notices: LinkNotice[];
  readonly late: string[];
  readonly phases: string[];
};

export async function startLinks(
  ports: readonly number[],
  change: Partial<ProcessorLinksOptions> & { framing?: Framing; mac?: ProcessorLinksOptions["profile"]["mac"] } = {},
): Promise<Started> {
  const notices: LinkNotice[] = [];
  const late: string[] = [];
  const phases: string[] = [];
  const links = createProcessorLinks({
    profile: { dialect, framing: change.framing ?? framings.binary, messageBytesMax: 2_000, network, echoed: [7, 37], mac: change.mac },
    addresses: ports.map((port) => ({ host: "127.0.0.1", port, tls: undefined })),
    settings,
    lease: undefined,
    ...{ inFlightMax: 100, waitingMax: 10, rememberedMs: 10_000, rememberedMax: 100, backlogBytesMax: 100_000 },
    timing: systemTiming,
    wallMs: Date.now,
    random: Math.random,
    onNotice: (notice) => notices.push(notice),
    onLate: (_trace, reply) => late.push(String(reply.fields.get(39))),
    onPhase: (link, phase) => phases.push(`${link} ${phase}`),
    ...change,
  });
  closing.push(() => links.close());
  return { links, notices, late, phases };
}

let counter = 0;
/** An authorization with a number of its own. */
export function request(change: { stan?: string; terminal?: string; card?: Secret } = {}): IsoMessage {
  counter += 1;
  const fields = new Map<number, FieldValue>([
    [3, "000000"],
    [4, "1000"],
    [7, "1121120000"],
    [11, change.stan ?? String(counter).padStart(6, "0")],
    [37, String(counter).padStart(12, "0")],
    [41, change.terminal ?? "TERM0001"],
  ]);
  if (change.card !== undefined) fields.set(2, change.card);
  return { mti: "0100", fields };
}
export const soon = (ms = 5_000) => Date.now() + ms;
export const codeIn = (answer: Awaited<ReturnType<ProcessorLinks["exchange"]>>) =>
  answer.kind === "answered" ? answer.message.fields.get(39) : answer;
export const approve: Behaviour = (host, socket, message) => host.send(socket, replyTo(message));

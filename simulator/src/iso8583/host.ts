/**
 * The acquirer as a host of ISO 8583: long-lived TCP connections, sign-on first, then requests in any order with answers in any order. The same
 * books, fault rules and latency as over HTTP: only the language differs.
 *
 * A message that cannot be read, or whose code is wrong, is not answered and books nothing; who did not sign on is cut off.
 */
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { AppError, type Secret } from "@florin/kernel";
import type { Logger } from "@florin/runtime/telemetry";
import type { Acquirer, AcquirerAnswer, QueryAnswer } from "../app/acquirer.ts";
import type { FaultRules } from "../app/fault-rules.ts";
import type { RequestMeter } from "../app/request-meter.ts";
import type { TerminalJournal } from "../app/terminal-journal.ts";
import { type Fault, isCallbackFault, type RequestFacts } from "../domain/fault-rule.ts";
import { drawLatencyMs, type Latency } from "../domain/latency.ts";
import { createFrameReader, frameOf } from "./frames.ts";
import { type HostRequest, readRequest } from "./read-request.ts";
import { isSealed, seal } from "./retail-mac.ts";
import { isAboutTotals, journalEntryOf, totalsReply, windowOf } from "./totals.ts";
import { decode, encode, type HostMessage } from "./wire.ts";
import { codes, garbled, replyTo, replyWith } from "./write-reply.ts";

export type HostOptions = {
  readonly acquirer: Acquirer;
  readonly journal: TerminalJournal;
  readonly rules: FaultRules;
  /** 16 bytes: both keys of the retail MAC. */
  readonly macKey: Secret;
  readonly latency: () => Latency;
  readonly meter: RequestMeter;
  readonly logger: Logger;
  /** True: every request meets an outage, unless a rule has something else for it. */
  readonly isOutOfOrder: () => boolean;
};

export type Iso8583Host = {
  /** The port that it listens on. */
  listen(host: string, port: number): Promise<number>;
  /** Cuts every connection. */
  close(): Promise<void>;
};

const connectionsMax = 1_024;
const delayMsDefault = 1_000;
/** Faults of one connection with one request at a time; here all requests share one. */
const foreignFaults: ReadonlySet<Fault> = new Set<Fault>(["slow_drip", "denied_query"]);
/** Faults that come before the books, and what is said; undefined is silence. */
const unbookedCodes = {
  timeout_before_charge: undefined,
  outage: codes.outOfOrder,
  malfunction: codes.malfunction,
  turned_away: codes.securityViolation,
  no_original: codes.noOriginal,
} as const satisfies Partial<Record<Fault, string | undefined>>;
const networkCodes = { signOn: "001", signOff: "002", echo: "301" } as const;

export function createIso8583Host(options: HostOptions): Iso8583Host {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    serve(options, socket);
  });
  server.maxConnections = connectionsMax;
  return {
    async listen(host, port) {
      server.listen(port, host);
      await once(server, "listening");
      const address = server.address();
      return typeof address === "object" && address !== null ? address.port : port;
    },
    async close() {
      if (!server.listening) return;
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, "close");
    },
  };
}

type Session = { isSignedOn: boolean };

function serve(options: HostOptions, socket: Socket): void {
  const reader = createFrameReader();
  const session: Session = { isSignedOn: false };
  socket.setNoDelay(true);
  // A caller that resets is one that is gone.
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    const messages = reader.push(chunk);
    if (messages === "too_long") socket.destroy();
    else for (const bytes of messages) receive(options, { socket, session }, bytes);
  });
}

type Peer = { readonly socket: Socket; readonly session: Session };

function receive(options: HostOptions, peer: Peer, bytes: Buffer): void {
  const message = decode(bytes);
  if (message === undefined) {
    options.logger.warn("a message could not be read");
    return;
  }
  if (message.mti === "0800") {
    manage(peer, message);
    return;
  }
  if (!peer.session.isSignedOn) {
    peer.socket.destroy();
    return;
  }
  if (!isSealed(options.macKey, bytes, message)) {
    options.logger.warn({ mti: message.mti }, "the code of a message is wrong");
    return;
  }
  answer(options, peer.socket, message).catch((thrown: unknown) => {
    // As a host that is out of order: it does not say whether it booked.
    if (!(thrown instanceof AppError)) options.logger.error({ err: thrown }, "request failed");
    send(peer.socket, seal(options.macKey, replyTo(message, codes.outOfOrder)));
  });
}

/** Messages about the link carry no code. */
function manage({ socket, session }: Peer, message: HostMessage): void {
  const asked = message.fields.get(70);
  const isKnown = Object.values(networkCodes).some((code) => code === asked);
  if (asked === networkCodes.signOn) session.isSignedOn = true;
  if (asked === networkCodes.signOff) session.isSignedOn = false;
  send(socket, encode(replyTo(message, isKnown ? codes.accepted : codes.formatError)));
}

async function tellTotals({ journal, macKey }: HostOptions, socket: Socket, message: HostMessage): Promise<void> {
  const window = windowOf(message);
  const reply = window === undefined ? replyTo(message, codes.formatError) : totalsReply(message, await journal.sums(window));
  send(socket, seal(macKey, reply));
}

async function answer(options: HostOptions, socket: Socket, message: HostMessage): Promise<void> {
  const { rules, macKey, meter } = options;
  if (isAboutTotals(message)) return tellTotals(options, socket, message);
  const request = readRequest(message);
  if (request === undefined) {
    send(socket, seal(macKey, replyTo(message, codes.formatError)));
    return;
  }
  const facts = factsOf(request);
  const rule = rules.take(facts, ({ fault }) => !foreignFaults.has(fault) && !isCallbackFault(fault));
  const fault = rule?.fault ?? (options.isOutOfOrder() ? "outage" : undefined);
  if (fault !== undefined) meter.fault(fault);
  if (isUnbooked(fault)) {
    meter.request(facts.operation, "not_reached");
    const code = unbookedCodes[fault];
    if (code !== undefined) send(socket, seal(macKey, replyTo(message, code)));
    return;
  }
  const latencyMs = drawLatencyMs(options.latency(), Math.random()) + (rule?.fault === "delay" ? (rule.delayMs ?? delayMsDefault) : 0);
  const startedAtMs = performance.now();
  const answered = await carryOut(options.acquirer, request);
  await writeDown(options.journal, message, request, replyWith(message, answered));
  meter.request(facts.operation, resultOf(answered));
  const leftMs = latencyMs - (performance.now() - startedAtMs);
  if (leftMs >= 1) await sleep(leftMs, undefined, { ref: false });
  if (rule?.fault === "reset_after_approval") socket.resetAndDestroy();
  for (const bytes of messagesWith(rule?.fault, macKey, replyWith(message, answered))) send(socket, bytes);
}

function isUnbooked(fault: Fault | undefined): fault is keyof typeof unbookedCodes {
  return fault !== undefined && Object.hasOwn(unbookedCodes, fault);
}

/** Before it is said. A refusal moves nothing. */
async function writeDown(journal: TerminalJournal, message: HostMessage, request: HostRequest, reply: HostMessage): Promise<void> {
  if (reply.fields.get(39) !== codes.accepted) return;
  const entry = journalEntryOf(message, request, request.kind === "reversal" ? request.original.mti : undefined);
  if (entry !== undefined) await journal.write(entry);
}

async function carryOut(acquirer: Acquirer, asked: HostRequest): Promise<AcquirerAnswer> {
  if (asked.kind === "authorization") return acquirer.authorize(asked.request);
  // An original is found by its type too: what was booked as a purchase is no hold.
  const { reference, mti } = asked.original;
  const booked = await acquirer.query(reference);
  if (booked.kind === "found" && isOfOtherType(booked, mti)) return { kind: "authorization_not_found" };
  // Over a live link nobody asks or calls back later: what is answered is the end of it.
  return asked.kind === "movement" ? acquirer.move({ ...asked.request, isDecidedAtOnce: true }) : acquirer.reverse(asked.request);
}

/** One that was reversed before it came has no type of its own. */
function isOfOtherType({ view, isCaptured }: Extract<QueryAnswer, { kind: "found" }>, mti: string): boolean {
  return view.operation === "authorization" && view.status !== "reversed" && isCaptured !== mti.startsWith("02");
}

function factsOf(asked: HostRequest): RequestFacts {
  const { reference, merchantId, amount, currency } = asked.request;
  const common = { reference, merchantId, amount: Number(amount), currency, merchantReference: "" };
  if (asked.kind === "movement") return { ...common, operation: asked.request.operation, paymentId: "", cardLast4: "" };
  const { paymentId } = asked.request;
  if (asked.kind === "reversal") return { ...common, operation: "reversal", paymentId, cardLast4: "" };
  return { ...common, operation: "authorization", paymentId, cardLast4: asked.request.card.number.slice(-4) };
}

function resultOf(answered: AcquirerAnswer): "booked" | "repeated" | "refused" {
  if (answered.kind !== "answered") return "refused";
  return answered.isRepeat ? "repeated" : "booked";
}

/** What the caller sees after the books have it; nothing is silence. */
function messagesWith(fault: Fault | undefined, macKey: Secret, reply: HostMessage): readonly Buffer[] {
  if (fault === "timeout_after_charge" || fault === "reset_after_approval") return [];
  if (fault === "garbage") return [encode(garbled(reply))];
  if (fault === "unmapped_code") return [seal(macKey, withCode(reply, codes.unlisted))];
  if (fault === "malfunction_after_charge") return [seal(macKey, withCode(reply, codes.malfunction))];
  const bytes = seal(macKey, reply);
  if (fault === "wrong_mac") return [withWrongCode(bytes)];
  return fault === "duplicate_answer" ? [bytes, bytes] : [bytes];
}

function withCode({ mti, fields }: HostMessage, code: string): HostMessage {
  return { mti, fields: new Map(fields).set(39, code) };
}

function withWrongCode(bytes: Buffer): Buffer {
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
  return bytes;
}

function send(socket: Socket, message: Buffer): void {
  if (!socket.destroyed) socket.write(frameOf(message));
}

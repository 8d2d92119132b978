/** The acquirer over ISO 8583: its own words on a socket, the books of the HTTP acquirer. */
import { connect, type Socket } from "node:net";
import { Secret } from "@florin/kernel";
import { freePort } from "@florin/runtime/testing";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { acquirerWays } from "../src/domain/acquirer-ways.ts";
import { createIssuerModel } from "../src/domain/issuer-model.ts";
import { createFrameReader, frameOf } from "../src/iso8583/frames.ts";
import { isSealed, retailMac, seal } from "../src/iso8583/retail-mac.ts";
import { decode, encode, type HostMessage } from "../src/iso8583/wire.ts";
import { startSimulator, type TestSimulator } from "./start-simulator.ts";

const macKey = new Secret(Buffer.from("0123456789abcdeffedcba9876543210", "hex"));
let simulator: TestSimulator;
let port: number;
const clients: Client[] = [];

beforeAll(async () => {
  port = await freePort();
  simulator = await startSimulator({ iso8583: { port, macKey } });
});
afterAll(() => simulator.stop());
afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.destroy();
  await simulator.call("DELETE", "/admin/rules");
});

type Client = {
  readonly socket: Socket;
  readonly received: { readonly message: HostMessage | undefined; readonly bytes: Buffer }[];
  send(bytes: Buffer): void;
  /** The next message that comes. */
  next(): Promise<HostMessage>;
  ask(mti: string, fields: Readonly<Record<number, string>>): Promise<HostMessage>;
};

async function signedOn(o: { signsOn?: boolean; port?: number } = {}): Promise<Client> {
  const socket = connect(o.port ?? port, "127.0.0.1");
  const reader = createFrameReader();
  const received: Client["received"] = [];
  let taken = 0;
  socket.on("error", () => undefined);
  socket.on("data", (chunk: Buffer) => {
    const messages = reader.push(chunk);
    if (messages !== "too_long") for (const bytes of messages) received.push({ bytes, message: decode(bytes) });
  });
  const client: Client = {
    socket,
    received,
    send: (bytes) => void socket.write(frameOf(bytes)),
    async next() {
      await expect.poll(() => received.length, { timeout: 5_000, interval: 5 }).toBeGreaterThan(taken);
      return received[taken++]?.message as HostMessage;
    },
    ask(mti, fields) {
      client.send(sealed(mti, fields));
      return client.next();
    },
  };
  clients.push(client);
  if (o.signsOn === false) return client;
  client.send(encode(messageOf("0800", { 7: "1121143045", 11: "000001", 70: "001" })));
  expect((await client.next()).fields.get(39)).toBe("00");
  return client;
}

const messageOf = (mti: string, fields: Readonly<Record<number, string>>): HostMessage => ({
  mti,
  fields: new Map(Object.entries(fields).map(([number, value]) => [Number(number), value])),
});
const sealed = (mti: string, fields: Readonly<Record<number, string>>) => seal(macKey, messageOf(mti, fields));
const elements = (values: Readonly<Record<string, string>>) =>
  Object.entries(values)
    .toSorted(([left], [right]) => left.localeCompare(right))
    .map(([tag, value]) => `${tag}${String(value.length).padStart(2, "0")}${value}`)
    .join("");

let counter = 0;
const newReference = () => `ref-${++counter}`;
const head = { 3: "000000", 7: "1121143045", 11: "000042", 37: "6325ABCDEFGH", 41: "TERM0001", 42: "MERCHANT0000001" };
const authorization = (reference: string, change: Readonly<Record<number, string>> = {}) => ({
  ...head,
  2: "4242424242424242",
  4: "000000001000",
  14: "3512",
  48: elements({ "01": reference, "03": `pay-${reference}`, "92": "123" }),
  49: "978",
  ...change,
});
const about = (original: string, reference: string, change: Readonly<Record<number, string>> = {}) => ({
  ...head,
  4: "000000000400",
  48: elements({ "01": reference, "02": original, "03": `pay-${original}`, "04": original }),
  49: "978",
  90: `0100${"0".repeat(38)}`,
  ...change,
});
const books = async (reference: string) => (await simulator.call("GET", `/admin/books/charges?reference=${reference}`)).body;
const codeOf = ({ fields }: HostMessage) => fields.get(39);

test("the MAC is the one that ANSI X9.19 asks for", () => {
  // The common example: "Hello World !!!!" under 7CA110454A1A6E57 and 0131D9619DC1376E.
  const key = new Secret(Buffer.from("7ca110454a1a6e570131d9619dc1376e", "hex"));
  expect(retailMac(key, Buffer.from("Hello World !!!!")).toString("hex")).toBe("f09b856213bab83b");
});

describe("operations", () => {
  test("an authorization is booked under the reference in DE 48, and its reply repeats what was asked", async () => {
    const client = await signedOn();
    const reference = newReference();
    const reply = await client.ask("0100", authorization(reference));
    expect(reply.mti).toBe("0110");
    for (const number of [3, 4, 7, 11, 37, 41, 42, 49]) expect(reply.fields.get(number)).toBe(authorization(reference)[number as 4]);
    expect(codeOf(reply)).toBe("00");
    expect(reply.fields.get(38)).toMatch(/^[0-9A-Z]{6}$/);
    expect(reply.fields.get(48)).toBe("8701M");
    expect(reply.fields.has(2)).toBe(false);
    const { bytes, message } = client.received[1] ?? {};
    expect(bytes !== undefined && message !== undefined && isSealed(macKey, bytes, message)).toBe(true);
    expect(await books(reference)).toMatchObject({ count: 1, requests: 1 });
    expect((await simulator.call("GET", `/admin/books/payments/pay-${reference}`)).body).toMatchObject({ amount_authorized: 1_000 });
  });

  test("a payment runs its course in the same books as over HTTP", async () => {
    const client = await signedOn();
    const reference = newReference();
    await client.ask("0100", authorization(reference));
    expect(codeOf(await client.ask("0220", about(reference, newReference())))).toBe("00");
    expect(codeOf(await client.ask("0220", about(reference, newReference(), { 4: "000000000601" })))).toBe("13");
    expect(codeOf(await client.ask("0200", about(reference, newReference(), { 3: "200000", 4: "000000000150" })))).toBe("00");
    expect(codeOf(await client.ask("0400", about(reference, newReference())))).toBe("00");
    const totals = (await simulator.call("GET", `/admin/books/payments/pay-${reference}`)).body;
    expect(totals).toMatchObject({ amount_authorized: 1_000, amount_captured: 400, amount_voided: 600, amount_refunded: 150 });
  });

  test("a purchase takes the money at once, and a decline comes with its code", async () => {
    const client = await signedOn();
    const [bought, poor] = [newReference(), newReference()];
    expect(codeOf(await client.ask("0200", authorization(bought)))).toBe("00");
    expect((await simulator.call("GET", `/admin/books/payments/pay-${bought}`)).body).toMatchObject({ amount_captured: 1_000 });
    expect(codeOf(await client.ask("0100", authorization(poor, { 2: "4000000000009995" })))).toBe("51");
    expect(await books(poor)).toMatchObject({ count: 0 });
  });

  test("a reversal has its effect once, before the original or after it, by 0420 and by 0421", async () => {
    const client = await signedOn();
    const [charged, never] = [newReference(), newReference()];
    await client.ask("0200", authorization(charged));
    for (const original of [charged, never]) {
      const reversal = about(original, newReference(), { 4: "000000001000", 90: `0200${"0".repeat(38)}` });
      const reply = await client.ask("0420", reversal);
      expect([reply.mti, codeOf(reply)]).toEqual(["0430", "00"]);
      expect(codeOf(await client.ask("0421", reversal))).toBe("00");
      expect(codeOf(await client.ask("0200", authorization(original)))).toBe("12");
      expect(await books(original)).toMatchObject({ count: 0 });
    }
  });

  test("the same reference is one charge, and for another amount a duplicate", async () => {
    const client = await signedOn();
    const reference = newReference();
    const first = await client.ask("0100", authorization(reference));
    expect(await client.ask("0101", authorization(reference))).toEqual(first);
    expect(codeOf(await client.ask("0100", authorization(reference, { 4: "000000000999" })))).toBe("94");
    expect(await books(reference)).toMatchObject({ count: 1, requests: 3 });
  });

  test("an original is found by its type too: a purchase is not the hold that DE 90 speaks of", async () => {
    const client = await signedOn();
    const reference = newReference();
    await client.ask("0200", authorization(reference));
    const refund = { 3: "200000", 4: "000000000150" };
    expect(codeOf(await client.ask("0200", about(reference, newReference(), refund)))).toBe("25");
    expect(codeOf(await client.ask("0420", about(reference, newReference(), { 4: "000000001000" })))).toBe("25");
    const bought = { ...refund, 90: `0200${"0".repeat(38)}` };
    expect(codeOf(await client.ask("0200", about(reference, newReference(), bought)))).toBe("00");
  });

  test("a refund is decided at once, whatever the delay over HTTP: nobody could ask for its end", async () => {
    const client = await signedOn();
    const [paid, paidToo] = [newReference(), newReference()];
    const refund = { 3: "200000", 4: "000000000150", 90: `0200${"0".repeat(38)}` };
    await client.ask("0200", authorization(paid));
    await client.ask("0200", authorization(paidToo, { 2: "4000000000005126" }));
    const [kept, refused] = [about(paid, newReference(), refund), about(paidToo, newReference(), refund)];
    for (let times = 0; times < 2; times++)
      expect([codeOf(await client.ask("0200", kept)), codeOf(await client.ask("0200", refused))]).toEqual(["00", "46"]);
    const refundedOf = async (reference: string) => (await simulator.call("GET", `/admin/books/payments/pay-${reference}`)).body;
    expect(await refundedOf(paid)).toMatchObject({ amount_refunded: 150, amount_refund_pending: 0 });
    expect(await refundedOf(paidToo)).toMatchObject({ amount_refunded: 0, amount_refund_pending: 0 });
  });

  test("what has no authorization is code 25, and what cannot be understood is code 30", async () => {
    const client = await signedOn();
    expect(codeOf(await client.ask("0400", about(newReference(), newReference())))).toBe("25");
    expect(codeOf(await client.ask("0600", head))).toBe("30");
    expect(codeOf(await client.ask("0100", authorization(newReference(), { 49: "000" })))).toBe("30");
  });
});

describe("a world of issuers", () => {
  const seed = Math.floor(Math.random() * 1_000_000) + 1;
  /** The same at every hour. */
  const steady = { usual: 0.5, special: {}, badHours: undefined };
  const worldWith = (outages: { perHour: number; minutes: number }) =>
    createIssuerModel({ seed, ways: { ...acquirerWays, simiso: { ...steady, outages } } });
  let other: TestSimulator | undefined;
  afterEach(() => other?.stop());

  async function clientIn(issuers: ReturnType<typeof worldWith>): Promise<Client> {
    const otherPort = await freePort();
    other = await startSimulator({ iso8583: { port: otherPort, macKey }, issuers });
    return signedOn({ port: otherPort });
  }

  test(`seed ${seed}: what is answered is what the model says of this acquirer`, async () => {
    const issuers = worldWith({ perHour: 0, minutes: 1 });
    const client = await clientIn(issuers);
    const references = Array.from({ length: 40 }, newReference);
    const number = authorization("any")[2] as string;
    const asked = { acquirer: "simiso", brand: "visa", region: issuers.regionOf(number.slice(0, 6)), atMs: Date.now() };
    const expected = references.map((reference) => issuers.answerOf({ ...asked, luck: `pay-${reference}` }));
    expect(new Set(expected).size).toBeGreaterThan(2);
    const codes: unknown[] = [];
    for (const reference of references) codes.push(codeOf(await client.ask("0100", authorization(reference))));
    expect(codes).toEqual(expected);
  });

  test("a host that is out of order answers 22 and books nothing", async () => {
    const client = await clientIn(worldWith({ perHour: 1, minutes: 120 }));
    const reference = newReference();
    expect(codeOf(await client.ask("0100", authorization(reference)))).toBe("22");
    expect((await other?.call("GET", `/admin/books/charges?reference=${reference}`))?.body).toMatchObject({ count: 0, requests: 0 });
  });
});

describe("the link", () => {
  test("who does not sign on is cut off, and nothing is booked", async () => {
    const client = await signedOn({ signsOn: false });
    const reference = newReference();
    client.send(sealed("0100", authorization(reference)));
    await expect.poll(() => client.socket.closed, { timeout: 5_000 }).toBe(true);
    expect(await books(reference)).toMatchObject({ count: 0 });
  });

  test("an echo is answered without a code; a message with a wrong code, or none, is not answered and books nothing", async () => {
    const client = await signedOn();
    const [wrong, none] = [newReference(), newReference()];
    const bytes = sealed("0100", authorization(wrong));
    bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
    client.send(bytes);
    client.send(encode(messageOf("0100", authorization(none))));
    client.send(encode(messageOf("0800", { 7: "1121143045", 11: "000007", 70: "301" })));
    const echo = await client.next();
    expect([echo.mti, echo.fields.get(11), codeOf(echo)]).toEqual(["0810", "000007", "00"]);
    for (const reference of [wrong, none]) expect(await books(reference)).toMatchObject({ count: 0 });
  });

  test("messages are read however they are cut, and a length that no message has ends the connection", async () => {
    const client = await signedOn();
    const frames = Buffer.concat(
      ["0", "1"].map((digit) => frameOf(sealed("0100", authorization(newReference(), { 11: `00000${digit}` })))),
    );
    for (const byte of frames) client.socket.write(Buffer.of(byte));
    expect(new Set([(await client.next()).fields.get(11), (await client.next()).fields.get(11)])).toEqual(new Set(["000000", "000001"]));
    client.socket.write(Buffer.of(0xff, 0xff));
    await expect.poll(() => client.socket.closed, { timeout: 5_000 }).toBe(true);
  });
});

describe("faults", () => {
  const fail = (reference: string, fault: string, delayMs?: number) =>
    simulator.call("POST", "/admin/rules", {
      ...{ fault, match: { reference_prefix: reference }, times: 1 },
      ...(delayMs === undefined ? {} : { delay_ms: delayMs }),
    });
  /** A message that meets the fault, and then one that is answered: what came before that is all there is. */
  const met = async (fault: string) => {
    const client = await signedOn();
    const reference = newReference();
    await fail(reference, fault);
    client.send(sealed("0100", authorization(reference, { 11: "000099" })));
    await expect.poll(async () => (await books(reference))["requests"], { timeout: 5_000 }).toBe(fault in unbooked ? 0 : 1);
    client.send(sealed("0100", authorization(newReference(), { 11: "000100" })));
    await expect.poll(() => client.received.some(({ message }) => message?.fields.get(11) === "000100"), { timeout: 5_000 }).toBe(true);
    return { ...client, reference, replies: client.received.slice(1).filter(({ message }) => message?.fields.get(11) !== "000100") };
  };
  const unbooked = { timeout_before_charge: true, outage: true, malfunction: true, turned_away: true, no_original: true };

  test.each([
    ["timeout_before_charge", 0, []],
    ["timeout_after_charge", 1, []],
    ["outage", 0, ["22"]],
    ["malfunction", 0, ["96"]],
    ["malfunction_after_charge", 1, ["96"]],
    ["turned_away", 0, ["63"]],
    ["no_original", 0, ["25"]],
    ["duplicate_answer", 1, ["00", "00"]],
    ["unmapped_code", 1, ["ZZ"]],
  ] as const)("%s", async (fault, effects, replies) => {
    const seen = await met(fault);
    expect(seen.replies.map(({ message }) => message && codeOf(message))).toEqual(replies);
    expect(await books(seen.reference)).toMatchObject({ count: effects });
  });

  test("garbage has a head that can be read, with the trace number, and is booked", async () => {
    const { replies, reference } = await met("garbage");
    expect(replies).toHaveLength(1);
    expect(replies[0]?.message).toBeUndefined();
    expect(replies[0]?.bytes.toString("latin1")).toContain("000099");
    expect(await books(reference)).toMatchObject({ count: 1 });
  });

  test("a wrong code is on an answer that is booked", async () => {
    const { replies, reference } = await met("wrong_mac");
    const [reply] = replies;
    expect(reply?.message !== undefined && isSealed(macKey, reply.bytes, reply.message)).toBe(false);
    expect(reply?.message && codeOf(reply.message)).toBe("00");
    expect(await books(reference)).toMatchObject({ count: 1 });
  });

  test("a link that drops after the booking takes its answer with it", async () => {
    const client = await signedOn();
    const reference = newReference();
    await fail(reference, "reset_after_approval");
    client.send(sealed("0100", authorization(reference)));
    await expect.poll(() => client.socket.closed, { timeout: 5_000 }).toBe(true);
    expect(client.received).toHaveLength(1);
    expect(await books(reference)).toMatchObject({ count: 1 });
  });

  test("a late answer does not hold up the next one", async () => {
    const client = await signedOn();
    const reference = newReference();
    await fail(reference, "delay", 300);
    client.send(sealed("0100", authorization(reference, { 11: "000001" })));
    client.send(sealed("0100", authorization(newReference(), { 11: "000002" })));
    expect((await client.next()).fields.get(11)).toBe("000002");
    expect((await client.next()).fields.get(11)).toBe("000001");
  });
});

test("a PIN block is a wrong PIN when it says so, and right otherwise", async () => {
  const client = await signedOn();
  const block = (byte: string) => ({ 22: "051", 52: byte.repeat(8) });
  expect(codeOf(await client.ask("0200", authorization(newReference(), block("\u00ff"))))).toBe("55");
  expect(codeOf(await client.ask("0200", authorization(newReference(), block("\u0012"))))).toBe("00");
});

describe("totals", () => {
  const terminal = "TOTALS01";
  const at = (transmission: string) => ({ 41: terminal, 7: transmission });
  const none = { 74: "0".repeat(10), 75: "0".repeat(10), 76: "0".repeat(10), 77: "0".repeat(10), 81: "0".repeat(10) };
  const noSums = { 86: "0".repeat(16), 87: "0".repeat(16), 88: "0".repeat(16), 89: "0".repeat(16) };
  const window = (from: string, until: string, change: Readonly<Record<number, string>> = {}) => ({
    ...{ 7: until, 11: "000077", 32: "99900000001", 41: terminal, 48: elements({ "05": from, "06": until }), 50: "978" },
    ...none,
    ...noSums,
    ...change,
  });

  test("are what the host approved at a terminal in a window, each reference once", async () => {
    const client = await signedOn();
    const [hold, purchase, capture] = [newReference(), newReference(), newReference()];
    await client.ask("0100", authorization(hold, at("0301120000")));
    for (let times = 0; times < 2; times++) await client.ask("0200", authorization(purchase, at("0301120001")));
    await client.ask("0220", about(hold, capture, at("0301120059")));
    const names = elements({ "01": newReference(), "02": capture, "03": `pay-${hold}`, "04": hold });
    await client.ask("0420", about(capture, "", { ...at("0301120059"), 48: names, 90: `0220${"0".repeat(38)}` }));
    await client.ask("0200", about(purchase, newReference(), { ...at("0301120030"), 3: "200000", 90: `0200${"0".repeat(38)}` }));
    // Declined, of another terminal, and of the next window.
    await client.ask("0200", authorization(newReference(), { ...at("0301120002"), 2: "4000000000009995" }));
    await client.ask("0200", authorization(newReference(), { ...at("0301120003"), 41: "TOTALS02" }));
    await client.ask("0200", authorization(newReference(), at("0301120100")));
    const ours = { 81: "0000000001", 76: "0000000002", 88: "0000000000001400", 74: "0000000001", 86: "0000000000000400" };
    const reversed = { 77: "0000000001", 89: "0000000000000400" };
    const same = await client.ask("0500", window("0301120000", "0301120100", { ...ours, ...reversed }));
    expect([same.mti, codeOf(same), same.fields.get(66)]).toEqual(["0510", "00", "1"]);
    for (const [field, text] of Object.entries({ ...ours, ...reversed }))
      expect([field, same.fields.get(Number(field))]).toEqual([field, text]);
    const told = await client.ask("0520", window("0301120000", "0301120100", ours));
    expect([told.mti, told.fields.get(66), told.fields.get(77)]).toEqual(["0530", "2", "0000000001"]);
    expect((await client.ask("0521", window("0301120000", "0301120100", ours))).mti).toBe("0530");
  });

  test("reach over New Year", async () => {
    const client = await signedOn();
    for (const transmission of ["1231235959", "0101000000", "0101000100"])
      await client.ask("0100", authorization(newReference(), { ...at(transmission), 41: "TOTALS03" }));
    const reply = await client.ask("0500", window("1231235900", "0101000100", { 41: "TOTALS03" }));
    expect(reply.fields.get(81)).toBe("0000000002");
  });

  test.each([
    ["without a window", { 48: "" }],
    ["in a currency that there is not", { 50: "000" }],
  ])("%s are a format error", async (_name, change) => {
    const client = await signedOn();
    expect(codeOf(await client.ask("0500", window("0301120000", "0301120100", change)))).toBe("30");
  });
});

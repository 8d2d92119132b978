/** Live links against a host that does what each test says, over real sockets. */
import { once } from "node:events";
import type { Socket } from "node:net";
import { required, Secret } from "@florin/kernel";
import { afterEach, describe, expect, test } from "vitest";
import { encodeMessage } from "../codec/encode.ts";
import type { FieldValue, IsoMessage } from "../codec/message.ts";
import { framings } from "../framing/framing.ts";
import { encodeSealed, type MakeMac, softwareMac } from "../mac/seal.ts";
import {
  approve,
  type Behaviour,
  closeAll,
  codeIn,
  dialect,
  replyTo,
  request,
  type Started,
  settings,
  soon,
  startHost,
  startLinks,
} from "./host-double.ts";
import { isReply, replyTypeOf } from "./network-messages.ts";
import type { LinkAnswer } from "./processor-links.ts";

afterEach(closeAll);

async function isUp({ links }: Started): Promise<void> {
  await expect.poll(() => links.isUp(), { interval: 5 }).toBe(true);
}

describe("a link", () => {
  test("signs on before the first payment, and off at the end", async () => {
    const host = await startHost(approve);
    const started = await startLinks([host.port]);
    expect(await started.links.exchange(request(), soon())).toEqual({ kind: "not_sent", cause: "not_connected" });
    await isUp(started);
    expect(codeIn(await started.links.exchange(request(), soon()))).toBe("00");
    await started.links.close();
    expect(host.received.map(({ mti, fields }) => `${mti} ${fields.get(70) ?? ""}`.trim())).toEqual(["0800 001", "0100", "0800 002"]);
    expect(started.phases).toEqual(["0 connecting", "0 signing_on", "0 up", "0 signing_off", "0 closed"]);
    expect(await started.links.exchange(request(), soon())).toEqual({ kind: "not_sent", cause: "closing" });
  });

  test("that the processor refuses takes no payments", async () => {
    const host = await startHost(approve, { refusesSignOn: true });
    const started = await startLinks([host.port]);
    await expect.poll(() => host.received.length, { interval: 5 }).toBeGreaterThan(2);
    expect(started.links.isUp()).toBe(false);
    expect(await started.links.exchange(request(), soon())).toEqual({ kind: "not_sent", cause: "not_connected" });
    expect(new Set(host.received.map(({ mti }) => mti))).toEqual(new Set(["0800"]));
  });

  test("comes back after the processor was away", async () => {
    const host = await startHost(approve);
    const started = await startLinks([host.port]);
    await isUp(started);
    await host.close();
    await expect.poll(() => started.links.isUp(), { interval: 5 }).toBe(false);
    await startHost(approve, { port: host.port });
    await isUp(started);
    expect(codeIn(await started.links.exchange(request(), soon()))).toBe("00");
  });

  test("breaks silence with echoes, and is given up when they stay without an answer", async () => {
    const host = await startHost(approve, { isSilent: ({ fields }) => fields.get(70) === "301" });
    const started = await startLinks([host.port], { settings: { ...settings, echoAfterMs: 10, networkTimeoutMs: 30 } });
    await isUp(started);
    await expect.poll(() => started.phases.includes("0 waiting"), { interval: 5 }).toBe(true);
    expect(host.received.filter(({ fields }) => fields.get(70) === "301").length).toBeGreaterThanOrEqual(2);
  });

  test("answers the processor's echo, and goes when it is signed off", async () => {
    const host = await startHost(approve);
    const started = await startLinks([host.port]);
    await isUp(started);
    const [socket] = host.sockets;
    const asks = (code: string) =>
      host.send(socket as Socket, {
        mti: "0800",
        fields: new Map([
          [7, "1121120000"],
          [11, "000777"],
          [70, code],
        ]),
      });
    asks("301");
    await expect.poll(() => host.received.at(-1)?.mti, { interval: 5 }).toBe("0810");
    expect(host.received.at(-1)?.fields.get(11)).toBe("000777");
    asks("002");
    await expect.poll(() => started.phases.filter((phase) => phase === "0 up").length, { interval: 5 }).toBe(2);
  });

  test("asks on demand whether the processor answers", async () => {
    const host = await startHost(approve);
    const started = await startLinks([host.port]);
    await isUp(started);
    expect((await started.links.echo(soon())).kind).toBe("answered");
  });
});

describe("a request", () => {
  test("gets its own reply, in whatever order they come", async () => {
    const held: (() => void)[] = [];
    const host = await startHost((to, socket, message) => {
      held.push(() => to.send(socket, replyTo(message, { 39: "00", 38: String(message.fields.get(11)) })));
      if (held.length === 20) for (const send of held.toReversed()) send();
    });
    const started = await startLinks([host.port, host.port]);
    await expect.poll(() => started.phases.filter((phase) => phase.endsWith(" up")).length, { interval: 5 }).toBe(2);
    const asked = Array.from({ length: 20 }, () => request());
    const answers = await Promise.all(asked.map((message) => started.links.exchange(message, soon())));
    expect(answers.map((answer) => answer.kind === "answered" && answer.message.fields.get(38))).toEqual(
      asked.map(({ fields }) => fields.get(11)),
    );
    expect(started.links.inFlight).toBe(0);
  });

  test("without a reply is unknown at its deadline; the late one is told apart, and its copy too", async () => {
    let answerLate: () => void = () => undefined;
    const host = await startHost((to, socket, message) => {
      answerLate = () => to.send(socket, replyTo(message, { 39: "05" }));
    });
    const started = await startLinks([host.port]);
    await isUp(started);
    expect(await started.links.exchange(request(), soon(50))).toEqual({ kind: "unknown", cause: "timeout" });
    answerLate();
    answerLate();
    await expect.poll(() => started.notices, { interval: 5 }).toEqual(["late", "duplicate"]);
    expect(started.late).toEqual(["05"]);
  });

  test("on a link that breaks is unknown", async () => {
    const host = await startHost((_host, socket) => socket.destroy());
    const started = await startLinks([host.port]);
    await isUp(started);
    expect(await started.links.exchange(request(), soon())).toEqual({ kind: "unknown", cause: "connection_lost" });
  });

  test("whose deadline has passed is not sent", async () => {
    const host = await startHost(approve);
    const started = await startLinks([host.port]);
    await isUp(started);
    expect(await started.links.exchange(request(), Date.now() - 1)).toEqual({ kind: "not_sent", cause: "deadline_exceeded" });
    expect(host.received.map(({ mti }) => mti)).toEqual(["0800"]);
  });

  test("waits for another with its number at its terminal, and no longer than its deadline", async () => {
    const held: (() => void)[] = [];
    const host = await startHost((to, socket, message) => held.push(() => to.send(socket, replyTo(message))));
    const started = await startLinks([host.port]);
    await isUp(started);
    const first = started.links.exchange(request({ stan: "000001" }), soon());
    const second = started.links.exchange(request({ stan: "000001" }), soon());
    const other = started.links.exchange(request({ stan: "000001", terminal: "TERM0002" }), soon());
    const impatient = started.links.exchange(request({ stan: "000001" }), soon(40));
    expect(await impatient).toEqual({ kind: "not_sent", cause: "deadline_exceeded" });
    expect(held.length).toBe(2);
    for (const send of held.splice(0)) send();
    expect(codeIn(await first)).toBe("00");
    expect(codeIn(await other)).toBe("00");
    await expect.poll(() => held.length, { interval: 5 }).toBe(1);
    held[0]?.();
    expect(codeIn(await second)).toBe("00");
  });

  test("beyond the limit is refused, and its card is wiped", async () => {
    const host = await startHost(() => undefined);
    const started = await startLinks([host.port], { inFlightMax: 1, waitingMax: 0 });
    await isUp(started);
    const first = started.links.exchange(request({ stan: "000001" }), soon(300));
    const card = new Secret(Buffer.from("9".repeat(16)));
    expect(await started.links.exchange(request({ card }), soon())).toEqual({ kind: "not_sent", cause: "queue_full" });
    expect(card.expose().every((byte) => byte === 0)).toBe(true);
    expect(await started.links.exchange(request({ stan: "000001" }), soon())).toEqual({ kind: "not_sent", cause: "queue_full" });
    expect(await first).toEqual({ kind: "unknown", cause: "timeout" });
  });

  test("has its card wiped while the processor thinks, which got all of it", async () => {
    const host = await startHost(() => undefined);
    const started = await startLinks([host.port]);
    await isUp(started);
    const card = new Secret(Buffer.from("9".repeat(16)));
    const answer = started.links.exchange(request({ card }), soon(300));
    await expect.poll(() => host.received.length, { interval: 5 }).toBe(2);
    expect(card.expose().every((byte) => byte === 0)).toBe(true);
    const got = host.received[1]?.fields.get(2);
    expect(got instanceof Secret && Buffer.from(got.expose()).toString()).toBe("9".repeat(16));
    expect(await answer).toEqual({ kind: "unknown", cause: "timeout" });
  });

  test("that does not fit the dialect is a bug, and holds up nobody", async () => {
    const host = await startHost(approve);
    const started = await startLinks([host.port]);
    await isUp(started);
    const bad = request({ stan: "000001" });
    await expect(started.links.exchange({ ...bad, fields: new Map([...bad.fields, [43, "Zürich"]]) }, soon())).rejects.toThrow("DE 43");
    expect(codeIn(await started.links.exchange(request({ stan: "000001" }), soon()))).toBe("00");
  });

  test("under way is waited for when the links close", async () => {
    let answer: () => void = () => undefined;
    const host = await startHost((to, socket, message) => {
      answer = () => to.send(socket, replyTo(message));
    });
    const started = await startLinks([host.port]);
    await isUp(started);
    const exchange = started.links.exchange(request(), soon());
    await expect.poll(() => host.received.length, { interval: 5 }).toBe(2);
    const closed = started.links.close();
    answer();
    expect(codeIn(await exchange)).toBe("00");
    await closed;
    expect(host.received.at(-1)?.fields.get(70)).toBe("002");
  });
});

describe("a reply that makes no sense", () => {
  test("is unknown for its request alone, when its number can be read", async () => {
    const host = await startHost((to, socket, message) => {
      if (message.fields.get(41) === "TERM0002") return to.send(socket, replyTo(message));
      const body = Buffer.alloc(200);
      const encoded = encodeMessage(dialect, replyTo(message), body);
      if (encoded.kind === "refused") throw new Error(encoded.fault.reason);
      to.raw(socket, Buffer.concat([body.subarray(0, encoded.length), Buffer.of(0xff)]));
    });
    const started = await startLinks([host.port]);
    await isUp(started);
    const [bad, good] = await Promise.all([
      started.links.exchange(request(), soon()),
      started.links.exchange(request({ terminal: "TERM0002" }), soon()),
    ]);
    expect(bad).toEqual({ kind: "unknown", cause: "garbage" });
    expect(codeIn(good)).toBe("00");
    expect(started.notices).toEqual(["garbled"]);
  });

  test("and breaks the stream is unknown for all on the link, which begins anew", async () => {
    const host = await startHost((_host, socket) => socket.write(Buffer.alloc(64, 0xff)));
    const started = await startLinks([host.port]);
    await isUp(started);
    expect(await Promise.all([started.links.exchange(request(), soon()), started.links.exchange(request(), soon())])).toEqual([
      { kind: "unknown", cause: "garbage" },
      { kind: "unknown", cause: "garbage" },
    ]);
    await isUp(started);
  });

  test("or for which there is no answer is counted, and the link stays", async () => {
    const host = await startHost(approve);
    const started = await startLinks([host.port]);
    await isUp(started);
    const [socket] = host.sockets;
    // About the link, by their class: what the standard reserves, a notification, an acknowledgement.
    for (const functionDigit of [0x90, 0x80, 0x40, 0x50])
      host.raw(socket as Socket, Buffer.of(0x08, functionDigit, 0, 0, 0, 0, 0, 0, 0, 0));
    expect(codeIn(await started.links.exchange(request(), soon()))).toBe("00");
    expect(started.notices).toEqual(["unasked", "unasked", "unasked", "unasked"]);
    expect(host.received.map(({ mti }) => mti)).toEqual(["0800", "0100"]);
    expect(started.phases).toEqual(["0 connecting", "0 signing_on", "0 up"]);
  });

  test("is of nobody, or asks for a payment, and is counted", async () => {
    const host = await startHost((to, socket, message) => {
      to.send(socket, {
        mti: "0110",
        fields: new Map([
          [11, "999999"],
          [39, "00"],
        ]),
      });
      to.send(socket, { mti: "0200", fields: new Map([[11, "999999"]]) });
      to.send(socket, replyTo(message));
    });
    const started = await startLinks([host.port]);
    await isUp(started);
    expect(codeIn(await started.links.exchange(request(), soon()))).toBe("00");
    expect(started.notices).toEqual(["stray", "unasked"]);
  });
});

describe("authentication codes", () => {
  const key = (last: string) => new Secret(Buffer.from(`0123456789ABCDEFFEDCBA98765432${last}`, "hex"));
  const sealedBy =
    (last: string): Behaviour =>
    (host, socket, message) => {
      const body = Buffer.alloc(500);
      void encodeSealed(dialect, softwareMac("x9.19", key(last)), replyTo(message, { 39: "05" }), body).then((encoded) => {
        if (encoded.kind === "encoded") host.raw(socket, body.subarray(0, encoded.length));
      });
    };
  const mac = { makeMac: softwareMac("x9.19", key("10")), classes: "1245" };

  test("a right one makes an answer, and requests carry theirs", async () => {
    const host = await startHost(sealedBy("10"));
    const started = await startLinks([host.port], { mac });
    await isUp(started);
    expect(codeIn(await started.links.exchange(request(), soon()))).toBe("05");
    expect(host.received.map(({ mti, fields }) => [mti, fields.has(64) || fields.has(128)])).toEqual([
      ["0800", false],
      ["0100", true],
    ]);
  });

  test("while codes are checked slowly, no more are begun than there can be replies", async () => {
    let made = 0;
    const maker = softwareMac("x9.19", key("10"));
    const ofTheRequestOnly: MakeMac = (...words) => {
      made += 1;
      return made === 1 ? maker(...words) : new Promise(() => {});
    };
    const host = await startHost((self, socket, message) => {
      const body = Buffer.alloc(500);
      void encodeSealed(dialect, maker, replyTo(message), body).then((encoded) => {
        for (let copy = 0; copy < 500; copy += 1) if (encoded.kind === "encoded") self.raw(socket, body.subarray(0, encoded.length));
      });
    });
    const started = await startLinks([host.port], { mac: { makeMac: ofTheRequestOnly, classes: "1245" }, inFlightMax: 2 });
    await isUp(started);
    expect(await started.links.exchange(request(), soon(500))).toEqual({ kind: "unknown", cause: "timeout" });
    expect(made).toBe(1 + 66);
    expect(started.notices.filter((notice) => notice === "stray")).toHaveLength(500 - 66);
  });

  test.each([
    ["a wrong one", sealedBy("32")],
    ["none", ((host, socket, message) => host.send(socket, replyTo(message, { 39: "05" }))) as Behaviour],
  ])("%s makes a decline unknown", async (_name, behave) => {
    const host = await startHost(behave);
    const started = await startLinks([host.port], { mac });
    await isUp(started);
    expect(await started.links.exchange(request(), soon())).toEqual({ kind: "unknown", cause: "mac_mismatch" });
    expect(started.notices).toEqual(["mac_wrong"]);
  });
});

describe("when no code can be made", () => {
  const mac = (makeMac: MakeMac, classes = "1245") => ({ makeMac, classes });
  const noCode: MakeMac = async () => {
    throw new Error("the module is away");
  };
  const inTurn = (...makers: MakeMac[]): MakeMac => {
    let turn = 0;
    return (bytes) => (makers[Math.min(turn++, makers.length - 1)] as MakeMac)(bytes);
  };
  const code: MakeMac = async () => new Uint8Array(8);
  /** With a code of zeros, which is the right one here. */
  const approveSealed: Behaviour = (host, socket, message) => host.send(socket, replyTo(message, { 39: "00", 64: new Uint8Array(8) }));

  test("a request is not sent, and who waits for its number goes", async () => {
    const host = await startHost(approveSealed);
    const started = await startLinks([host.port], { mac: mac(inTurn(noCode, code)) });
    await isUp(started);
    const answers = [1, 2].map(() => started.links.exchange(request({ stan: "000001" }), soon()));
    expect(await answers[0]).toEqual({ kind: "not_sent", cause: "not_connected" });
    expect(codeIn((await answers[1]) as LinkAnswer)).toBe("00");
    expect([started.notices, started.links.inFlight]).toEqual([["unmade"], 0]);
  });

  test.each([
    ["is away", noCode],
    ["says too little", async () => new Uint8Array(7)],
  ] as const)("an answer is unknown: who would check it %s", async (_name, maker) => {
    const host = await startHost(approveSealed);
    const started = await startLinks([host.port], { mac: mac(inTurn(code, maker, code)) });
    await isUp(started);
    expect(await started.links.exchange(request(), soon())).toEqual({ kind: "unknown", cause: "mac_mismatch" });
    expect(started.notices).toEqual(["mac_wrong"]);
    expect(codeIn(await started.links.exchange(request(), soon()))).toBe("00");
  });

  test("an echo is not sent, and one of the processor has no answer; the link stays", async () => {
    const host = await startHost(approve);
    const ofTheLink = mac(inTurn(noCode, code, noCode), "8");
    const started = await startLinks([host.port], { mac: ofTheLink, settings: { ...settings, signsOn: false } });
    await isUp(started);
    expect(await started.links.echo(soon())).toEqual({ kind: "not_sent", cause: "not_connected" });
    const [socket] = host.sockets;
    const asked = new Map<number, FieldValue>([
      [11, "000777"],
      [70, "301"],
      [128, new Uint8Array(8)],
    ]);
    host.send(socket as Socket, { mti: "0800", fields: asked });
    await expect.poll(() => started.notices, { interval: 5 }).toEqual(["unmade", "unmade"]);
    expect(codeIn(await started.links.exchange(request(), soon()))).toBe("00");
    expect(host.received.map(({ mti }) => mti)).toEqual(["0100"]);
  });

  test("who waits for the number of a message that cannot be made goes next", async () => {
    const host = await startHost(approveSealed);
    const started = await startLinks([host.port], { mac: mac(code) });
    await isUp(started);
    const bad = request({ stan: "000001" });
    const refused = started.links.exchange({ ...bad, fields: new Map([...bad.fields, [43, "Zürich"]]) }, soon());
    const next = started.links.exchange(request({ stan: "000001" }), soon());
    await expect(refused).rejects.toThrow("DE 43");
    expect(codeIn(await next)).toBe("00");
    expect(started.links.inFlight).toBe(0);
  });
});

test("when one of several links is lost, only its requests are unknown, and the others go on", async () => {
  const dead: IsoMessage[] = [];
  const first = await startHost((_host, _socket, message) => dead.push(message));
  const second = await startHost(approve);
  const started = await startLinks([first.port, second.port]);
  await expect.poll(() => started.phases.filter((phase) => phase.endsWith(" up")).length, { interval: 5 }).toBe(2);
  const answers = Array.from({ length: 30 }, () => started.links.exchange(request(), soon()));
  await expect.poll(() => started.links.inFlight === dead.length && dead.length > 0, { interval: 5 }).toBe(true);
  await first.close();
  const kinds = (await Promise.all(answers)).map((answer) => (answer.kind === "answered" ? "answered" : `${answer.kind} ${answer.cause}`));
  expect(kinds.filter((kind) => kind === "unknown connection_lost").length).toBe(dead.length);
  expect(kinds.filter((kind) => kind === "answered").length).toBe(30 - dead.length);
  expect(codeIn(await started.links.exchange(request(), soon()))).toBe("00");
});

test("messages without a length before them are told apart by their fields", async () => {
  const host = await startHost(approve, { framing: framings.none });
  const started = await startLinks([host.port], { framing: framings.none });
  await isUp(started);
  for (let times = 0; times < 3; times++) expect(codeIn(await started.links.exchange(request(), soon()))).toBe("00");
});

test("a message type knows its reply", () => {
  expect(["0100", "0101", "0220", "0420", "0421", "0800", "1804"].map(replyTypeOf)).toEqual([
    "0110",
    "0110",
    "0230",
    "0430",
    "0430",
    "0810",
    "1814",
  ]);
  expect(["0100", "0110", "0130", "0420"].map((mti) => isReply({ mti, fields: new Map() }))).toEqual([false, true, true, false]);
});

test("a host that asks and does not read is owed no memory: its replies are left out, and counted", async () => {
  const host = await startHost(approve);
  const started = await startLinks([host.port]);
  await isUp(started);
  const socket = required([...host.sockets][0], "the link's socket");
  socket.pause();
  const ask: IsoMessage = {
    mti: "0800",
    fields: new Map([
      [11, "000777"],
      [70, "301"],
    ]),
  };
  let asked = 0;
  for (; asked < 1_000_000 && !started.notices.includes("unheard"); asked++) {
    host.send(socket, ask);
    if (socket.writableNeedDrain) await once(socket, "drain");
  }
  expect(started.notices).toContain("unheard");
  // The link stays: when it reads again, all goes on.
  socket.resume();
  await expect.poll(async () => (await started.links.exchange(request(), soon())).kind, { timeout: 20_000 }).toBe("answered");
}, 60_000);

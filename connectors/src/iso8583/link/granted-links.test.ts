/** Links that wait for grants, over real sockets. */
import { systemTiming } from "@florin/runtime/timing";
import { afterEach, describe, expect, test } from "vitest";
import { approve, closeAll, codeIn, type Host, replyTo, request, type Started, soon, startHost, startLinks } from "./host-double.ts";
import { sweepMs } from "./processor-links.ts";

afterEach(closeAll);

async function isUp({ links }: Started): Promise<void> {
  await expect.poll(() => links.isUp(), { interval: 5 }).toBe(true);
}

describe("links that are granted", () => {
  /** A lease that the test sets, ms on the links' own clock. */
  const startGranted = async (host: Host, count = 1) => {
    const lease = { untilMs: Number.NEGATIVE_INFINITY };
    const remainingMs = () => lease.untilMs - systemTiming.monotonicMs();
    const started = await startLinks(
      Array.from({ length: count }, () => host.port),
      {
        lease: { endingMs: 150, signOffMs: 60, remainingMs },
      },
    );
    return { started, grant: (forMs: number) => (lease.untilMs = systemTiming.monotonicMs() + forMs) };
  };
  const codesOf = (host: Host) => host.received.map(({ mti, fields }) => `${mti} ${fields.get(70) ?? ""}`.trim());

  test("connect to nobody before there is a grant", async () => {
    const host = await startHost(approve);
    const { started, grant } = await startGranted(host, 3);
    await new Promise((resolve) => setTimeout(resolve, 10 * sweepMs));
    expect([host.sockets.size, started.phases]).toEqual([0, []]);
    expect(await started.links.exchange(request(), soon())).toEqual({ kind: "not_sent", cause: "not_connected" });
    grant(60_000);
    await isUp(started);
    expect(codeIn(await started.links.exchange(request(), soon()))).toBe("00");
  });

  test("sign off before the end of a grant that is not renewed, and on again with the next one", async () => {
    const host = await startHost(approve);
    const { started, grant } = await startGranted(host);
    grant(60_000);
    await isUp(started);
    grant(150);
    await expect.poll(() => started.phases.at(-1), { interval: 5 }).toBe("0 idle");
    expect(codesOf(host)).toEqual(["0800 001", "0800 002"]);
    await expect.poll(() => host.sockets.size, { interval: 5 }).toBe(0);
    expect(await started.links.exchange(request(), soon())).toEqual({ kind: "not_sent", cause: "not_connected" });
    grant(60_000);
    await isUp(started);
    expect(codesOf(host)).toEqual(["0800 001", "0800 002", "0800 001"]);
  });

  test("stay as they are over any number of renewals", async () => {
    const host = await startHost(approve);
    const { started, grant } = await startGranted(host);
    grant(1_500);
    await isUp(started);
    for (let times = 0; times < 8; times++) {
      grant(1_500);
      expect(codeIn(await started.links.exchange(request(), soon()))).toBe("00");
      await new Promise((resolve) => setTimeout(resolve, 225));
    }
    expect(codesOf(host).filter((code) => code.startsWith("0800"))).toEqual(["0800 001"]);
  });

  test("take nothing new towards the end, and wait for the answer to what is under way", async () => {
    let answer: () => void = () => undefined;
    const host = await startHost((to, socket, message) => {
      answer = () => to.send(socket, replyTo(message));
    });
    const { started, grant } = await startGranted(host);
    grant(60_000);
    await isUp(started);
    const underWay = started.links.exchange(request(), soon());
    await expect.poll(() => host.received.length, { interval: 5 }).toBe(2);
    grant(150);
    await expect.poll(() => started.links.isUp(), { interval: 5 }).toBe(false);
    expect(await started.links.exchange(request(), soon())).toEqual({ kind: "not_sent", cause: "not_connected" });
    answer();
    expect(codeIn(await underWay)).toBe("00");
    await expect.poll(() => codesOf(host).at(-1), { interval: 5 }).toBe("0800 002");
  });

  test("write nothing after the end, whatever stood still meanwhile, and cut the connection", async () => {
    const host = await startHost(approve);
    const { started, grant } = await startGranted(host);
    grant(60_000);
    await isUp(started);
    // The end comes between two looks of the clockwork, as when a process is stopped and goes on.
    grant(-1);
    expect(await started.links.exchange(request(), soon())).toEqual({ kind: "not_sent", cause: "not_connected" });
    await expect.poll(() => host.sockets.size, { interval: 5 }).toBe(0);
    expect(codesOf(host)).toEqual(["0800 001"]);
    expect(started.phases.at(-1)).toBe("0 idle");
  });

  test("that wait for a grant close at once", async () => {
    const host = await startHost(approve);
    const { started } = await startGranted(host);
    await started.links.close();
    expect([started.phases, host.received]).toEqual([["0 closed"], []]);
  });
});

import { expect, test } from "vitest";
import { WaitingRoom } from "./waiting-room.ts";

const guest = (name: string, stan: string, deadlineMs = 1_000) => ({
  name,
  deadlineMs,
  trace: { messageClass: "1", stan, terminal: "TERM0001", echoes: [] },
});

test("who waits for a number leaves when it is free, the first first; nobody leaves for another's", () => {
  const room = new WaitingRoom<ReturnType<typeof guest>>(3);
  for (const one of [guest("a", "000001"), guest("b", "000002"), guest("c", "000001")]) expect(room.add(one)).toBe(true);
  const { trace } = guest("", "000001");
  expect(room.takeFor({ ...trace, messageClass: "4" })).toBeUndefined();
  expect(room.takeFor({ ...trace, terminal: "TERM0002" })).toBeUndefined();
  expect([room.takeFor(trace)?.name, room.takeFor(trace)?.name, room.takeFor(trace)]).toEqual(["a", "c", undefined]);
  expect(room.takeFor({ ...trace, stan: "000002" })?.name).toBe("b");
});

test("a full room takes nobody; whose time is over leaves and makes place", () => {
  const room = new WaitingRoom<ReturnType<typeof guest>>(2);
  expect([room.add(guest("a", "000001", 10)), room.add(guest("b", "000002", 20)), room.add(guest("c", "000003"))]).toEqual([
    true,
    true,
    false,
  ]);
  expect(room.takeOverdue(9)).toEqual([]);
  expect(room.takeOverdue(10).map(({ name }) => name)).toEqual(["a"]);
  expect(room.add(guest("d", "000004", 30))).toBe(true);
  expect(room.takeOverdue(100).map(({ name }) => name)).toEqual(["b", "d"]);
  expect(room.takeOverdue(100)).toEqual([]);
});

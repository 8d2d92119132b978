import { expect, test } from "vitest";
import { createSightings } from "./sightings.ts";

test("an operation is known since it was first asked about, by the clock that never jumps", () => {
  let nowMs = 1_000;
  const sightings = createSightings({ timing: { monotonicMs: () => nowMs } });
  expect(sightings.seenForMs("a1")).toBe(0);
  nowMs += 30_000;
  expect([sightings.seenForMs("a1"), sightings.seenForMs("a2")]).toEqual([30_000, 0]);
});

test("what recovery saw before counts, and a later sighting takes nothing of it away", () => {
  const sightings = createSightings({ timing: { monotonicMs: () => 50_000 } });
  sightings.noteSeenFor("a1", 30_000);
  sightings.noteSeenFor("a1", 10);
  expect([sightings.seenForMs("a1"), sightings.seenForMs("a2")]).toEqual([30_000, 0]);
});

test("beyond its bound it forgets the oldest, which is then seen anew", () => {
  let nowMs = 0;
  const sightings = createSightings({ timing: { monotonicMs: () => nowMs }, operationsMax: 2 });
  for (const id of ["a1", "a2", "a3"]) sightings.seenForMs(id);
  nowMs = 500;
  expect([sightings.seenForMs("a3"), sightings.seenForMs("a1")]).toEqual([500, 0]);
});

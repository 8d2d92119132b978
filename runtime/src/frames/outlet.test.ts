import { expect, test } from "vitest";
import { FrameOutlet } from "./outlet.ts";

/** Copies a message behind a head of five bytes before it is written, as grpc-js does, and says when it is written. */
function sink() {
  const copies: Buffer[] = [];
  const written: (() => void)[] = [];
  return {
    copies,
    written,
    write(frame: Buffer, onWritten: () => void) {
      const copy = Buffer.alloc(frame.byteLength + 5);
      frame.copy(copy, 5);
      copies.push(copy);
      written.push(onWritten);
      return true;
    },
    on: () => {},
  };
}

const isWiped = (bytes: Uint8Array) => bytes.every((byte) => byte === 0);

test("a secret frame and the copy behind the head are wiped when they were written, not before", () => {
  const target = sink();
  const outlet = new FrameOutlet(target, () => {});
  const frame = Buffer.from([1, 2, 3]);
  outlet.writeSecret(frame);
  expect(target.copies).toEqual([Buffer.from([0, 0, 0, 0, 0, 1, 2, 3])]);
  target.written[0]?.();
  expect([frame, ...target.copies].every(isWiped)).toBe(true);
});

test("other frames are left as they are", () => {
  const target = sink();
  const outlet = new FrameOutlet(target, () => {});
  const frame = Buffer.from([1, 2, 3]);
  outlet.write(frame);
  target.written[0]?.();
  outlet.wipeSecrets();
  expect(frame).toEqual(Buffer.from([1, 2, 3]));
});

test("what was not written when the stream ended is wiped then", () => {
  const target = sink();
  const outlet = new FrameOutlet(target, () => {});
  const frames = [Buffer.from([1]), Buffer.from([2])];
  for (const frame of frames) outlet.writeSecret(frame);
  target.written[0]?.();
  outlet.wipeSecrets();
  expect([...frames, ...target.copies].every(isWiped)).toBe(true);
});

test("secret frames count towards the bound like others", () => {
  const target = sink();
  let freed = 0;
  const outlet = new FrameOutlet(target, () => {
    freed += 1;
  });
  outlet.writeSecret(Buffer.alloc(64 * 1024 * 1024));
  expect(outlet.isBlocked).toBe(true);
  target.written[0]?.();
  expect([outlet.isBlocked, freed]).toEqual([false, 1]);
});

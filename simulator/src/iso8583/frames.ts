/** Messages in a stream, two bytes of length before each. What is incomplete is kept, and is never longer than one message. */

const lengthBytes = 2;
export const messageBytesMax = 2_048;

export function frameOf(message: Buffer): Buffer {
  const frame = Buffer.alloc(lengthBytes + message.length);
  frame.writeUInt16BE(message.length);
  frame.set(message, lengthBytes);
  return frame;
}

export type FrameReader = {
  /** The messages that `chunk` completes, in order; "too_long" when the stream cannot be read any further. */
  push(chunk: Buffer): readonly Buffer[] | "too_long";
};

export function createFrameReader(): FrameReader {
  let pending: Buffer = Buffer.alloc(0);
  return {
    push(chunk) {
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      const messages: Buffer[] = [];
      while (pending.length >= lengthBytes) {
        const length = pending.readUInt16BE();
        if (length > messageBytesMax) return "too_long";
        if (pending.length < lengthBytes + length) break;
        // Nothing but a length is a sign of life.
        if (length > 0) messages.push(pending.subarray(lengthBytes, lengthBytes + length));
        pending = pending.subarray(lengthBytes + length);
      }
      return messages;
    },
  };
}

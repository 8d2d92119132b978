/**
 * Why a message could not be encoded or decoded: which field, at which byte, in closed words. Never any of its data: what cannot be read may
 * be a card number that stands in the wrong place.
 */

export const faultReasons = {
  truncated: "the message ends inside of it",
  excess: "bytes follow the last field",
  bad_length: "its length prefix is not a number",
  too_long: "it is longer than its format allows",
  wrong_length: "it is not as long as its format says",
  bad_character: "it has a character that its format does not allow",
  bad_padding: "its unused half byte is not the dialect's padding",
  no_format: "the dialect has no format for it",
  other_version: "it is not of the dialect's version",
  no_room: "the buffer is too small for it",
} as const;
export type FaultReason = keyof typeof faultReasons;

/** Where a fault is: a data element by its number, or what stands around them. */
export type MessagePart = "mti" | "bitmap" | "end" | number;

export type CodecFault = {
  readonly part: MessagePart;
  /** Byte of the message at which the part begins, from 0. */
  readonly position: number;
  readonly reason: FaultReason;
};

/** "DE 4 at byte 22: it has a character that its format does not allow". */
export function describeFault({ part, position, reason }: CodecFault): string {
  const name = typeof part === "number" ? `DE ${part}` : part;
  return `${name} at byte ${position}: ${faultReasons[reason]}`;
}

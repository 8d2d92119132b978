/**
 * Whom to count requests for: one subscriber, as far as an address tells.
 *
 * An IPv6 subscriber has a whole /64 and can take a new address for every request (RFC 4291 §2.5.4, RFC 6177), so all of it counts as one.
 */
import { isIPv4, isIPv6 } from "node:net";

const groupsPerNetwork = 4;
const groupsPerAddress = 8;
const unknownNetwork = "unknown";

/** The IPv4 address, the first 64 bits of an IPv6 address, or "unknown" for everything else: those share one name. */
export function networkOf(address: string | undefined): string {
  if (address === undefined) return unknownNetwork;
  if (isIPv4(address)) return address;
  const plain = address.split("%", 1)[0] ?? "";
  if (!isIPv6(plain)) return unknownNetwork;
  // IPv4 written as IPv6, as a dual-stack socket shows it (RFC 4291 §2.5.5.2).
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(plain)?.[1];
  if (mapped !== undefined) return mapped;
  return `${leadingGroups(plain).join(":")}::/64`;
}

/** The first four groups of a valid address, without leading zeros. */
function leadingGroups(address: string): readonly string[] {
  const [head = "", tail] = address.split("::");
  const before = groupsOf(head);
  const after = tail === undefined ? [] : groupsOf(tail);
  const gap = tail === undefined ? 0 : groupsPerAddress - before.length - after.length;
  const groups = [...before, ...Array.from({ length: gap }, () => "0"), ...after];
  return groups.slice(0, groupsPerNetwork).map((group) => Number.parseInt(group, 16).toString(16));
}

/** A dotted end stands for two groups. It is never among the first four, so zeros do. */
function groupsOf(part: string): readonly string[] {
  if (part === "") return [];
  return part.split(":").flatMap((group) => (group.includes(".") ? ["0", "0"] : [group]));
}

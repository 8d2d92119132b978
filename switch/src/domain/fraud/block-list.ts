/** Block lists: cards, BINs and addresses that are refused whatever else speaks for them. */
import type { FraudSignals } from "./signals.ts";

export type BlockKind = "card_fingerprint" | "bin" | "ip";
export type Block = { readonly kind: BlockKind; readonly value: string /** Empty: for all merchants. */; readonly merchantId: string };

export type BlockList = { readonly has: (block: Block) => boolean; readonly size: number };

export function makeBlockList(blocks: Iterable<Block>): BlockList {
  const keys = new Set<string>();
  for (const block of blocks) keys.add(keyOf(block));
  return { has: (block) => keys.has(keyOf(block)), size: keys.size };
}

/** The kinds of entry that hit, for the reasons of the verdict. */
export function blocksHit(list: BlockList, signals: FraudSignals): readonly BlockKind[] {
  if (list.size === 0) return [];
  const candidates: readonly (readonly [BlockKind, string])[] = [
    ["card_fingerprint", signals.cardFingerprint],
    ["bin", signals.bin],
    ["bin", signals.bin.slice(0, 6)],
    ["ip", signals.customerIp],
  ];
  const hit = candidates.filter(
    ([kind, value]) =>
      value !== "" && (list.has({ kind, value, merchantId: "" }) || list.has({ kind, value, merchantId: signals.merchantId })),
  );
  return [...new Set(hit.map(([kind]) => kind))];
}

function keyOf(block: Block): string {
  return `${block.kind}|${block.merchantId}|${block.value}`;
}

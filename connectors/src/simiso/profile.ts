/** How simiso speaks ISO 8583:1987, and how it knows this house (simulator/README.md). Values only. */
import type { Secret } from "@florin/kernel";
import { makeDialect } from "../iso8583/codec/dialect.ts";
import { asciiBinary1987 } from "../iso8583/codec/dialects.ts";
import { framings } from "../iso8583/framing/framing.ts";
import type { LeaseSettings } from "../iso8583/link/lease.ts";
import type { LinkSettings } from "../iso8583/link/link-state.ts";
import type { LinkProfile } from "../iso8583/link/processor-links.ts";
import { softwareMac } from "../iso8583/mac/seal.ts";
import type { PaymentProfile } from "../iso8583/payment/requests.ts";

const messageBytesMax = 2_048;

export function linkProfile(macKey: Secret): LinkProfile {
  return {
    dialect: makeDialect(asciiBinary1987),
    framing: framings.binary,
    messageBytesMax,
    network: {
      mti: "0800",
      codeField: 70,
      codes: { sign_on: "001", sign_off: "002", echo: "301" },
      acceptedCode: "00",
      fields: new Map(),
    },
    echoed: [7, 37],
    mac: { makeMac: softwareMac("x9.19", macKey), classes: "1245" },
  };
}

export const linkSettings: LinkSettings = {
  signsOn: true,
  connectTimeoutMs: 3_000,
  networkTimeoutMs: 5_000,
  echoAfterMs: 30_000,
  missedEchoesMax: 2,
  retryMsMin: 100,
  retryMsMax: 15_000,
};

/** A grant is renewed when it has 3 s left of 5: a renewal may fail before requests are refused. */
export const leaseSettings: LeaseSettings = { endingMs: 1_000, signOffMs: 400 };

const acceptorIdLength = 15;

export const paymentProfile: PaymentProfile = {
  acquirerId: "99900000001",
  // Part of every message's identity: changed only when nothing is open (docs/decisions/0009).
  terminals: Array.from({ length: 16 }, (_, index) => `FLORIN${String(index + 1).padStart(2, "0")}`),
  // The end of an id is chance: 75 bits of it.
  acceptorIdOf: (merchantId) => merchantId.slice(-acceptorIdLength),
  acceptorName: "FLORIN SANDBOX SHOP      VIENNA       AT",
  merchantCategory: "5999",
  entryMode: "812",
  conditionCode: "59",
};

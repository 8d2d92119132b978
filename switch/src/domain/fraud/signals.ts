/** What the fraud tiers may look at. No card number, only what the vault tells of a token. */

export type FraudSignals = {
  readonly merchantId: string;
  /** Keyed fingerprint of the card within this merchant. */
  readonly cardFingerprint: string;
  readonly bin: string;
  /** Empty when the merchant sent none. */
  readonly customerIp: string;
  /** Minor units. */
  readonly amount: bigint;
  readonly currency: string;
  /** How many attempts each velocity window has counted, this one included. */
  readonly velocity: VelocityCounts;
};

export type VelocityCounts = {
  readonly cardPerHour: number;
  readonly cardPerDay: number;
  readonly ipPerHour: number;
  readonly merchantPerMinute: number;
};

export { createKeyedBuckets, type KeyedBuckets } from "./keyed-buckets.ts";
export { networkOf } from "./network-of.ts";
export type { BucketRate } from "./token-bucket.ts";

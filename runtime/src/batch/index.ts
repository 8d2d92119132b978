export { type Batcher, type BatcherOptions, createBatcher, type Settled } from "./batcher.ts";

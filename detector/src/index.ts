export { type Encoding, type Finding, type FindOptions, findCardNumbers, type Report } from "./find-card-numbers.ts";
export { createStreamFinder, type StreamFinder } from "./stream-finder.ts";
export { findInText, holdsCardNumber } from "./text.ts";

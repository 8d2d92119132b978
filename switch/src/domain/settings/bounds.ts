/** Bounds of a settings document. The parser and the published JSON Schema read them here. */
import { processorsMax } from "../routing/processor-profile.ts";

export { processorsMax };
/** Characters of the document as JSON without blanks: some thousand merchants, and as many issuer ranges as there may be. */
export const documentLengthMax = 1_572_864;
/** Characters of a document as a person or PostgreSQL writes it, with blanks. Fits the largest message of an RPC, 4 MiB. */
export const textLengthMax = 2 * documentLengthMax;
/** Entries of `merchants`, the default's included. */
export const merchantsMax = 2_000;
/** Issuer ranges; some 60 characters each. */
export const binsMax = 20_000;
/** Codes of one list; ISO 3166-1 has some 250. */
export const codesMax = 300;
/** Secrets of one processor. */
export const secretsMax = 16;
/** More are not told at once. */
export const problemsMax = 100;
/** Objects and lists within one another. Rules may stand 8 deep, and their conditions 8 below that. */
export const depthMax = 48;

/** As at the edge: FLORIN_RATE_PER_KEY_… */
export const requestsMax = 1_000_000;
export const attemptsCountMax = 1_000_000_000;
export const cascadeWithinMs = { min: 100, max: 20_000 } as const;
/** Leaves a merchant's request time for the last attempt to be answered. */
export const cascadeWithinMsDefault = 10_000;
/** Length of who made a version, and of why. */
export const personLengthMax = 80;
export const noteLengthMax = 500;

/** Names of processors, as the connectors' registry has them. */
export const processorName = /^[a-z][a-z0-9_]{0,31}$/;
export const secretName = /^[a-z][A-Za-z0-9]{0,31}$/;

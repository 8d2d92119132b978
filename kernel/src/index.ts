export { AppError, type AppErrorOptions, invalid, sentAway, toAppError, type Work } from "./app-error.ts";
export { AssertionError, assert, required, unreachable } from "./assert.ts";
export { brandOf, type CardBrand, isLuhnValid, maskCardNumber } from "./card.ts";
export { type Currency, currencies, currencyDecimals, isCurrency } from "./currency.ts";
export { type DeclineCode, type DeclineReason, declineReasons, isDeclineReason } from "./decline-reason.ts";
export {
  type ErrorCode,
  type ErrorCodeEntry,
  type ErrorType,
  errorCatalogue,
  errorCodes,
  type GrpcStatus,
  isErrorCode,
} from "./error-code.ts";
export { type IdKind, idFromHex, idPrefixes, idTimeMs, idToHex, isId, makeId } from "./id.ts";
export { add, allocate, amountMinorMax, type Money } from "./money.ts";
export { makeSecretBytes, Secret } from "./secret.ts";

/**
 * How much of everything the edge takes. One table, so that the validation, the OpenAPI document and the tests of "n and n + 1" agree.
 *
 * Lengths are Unicode code points unless the name says bytes. Amounts: ISO 8583 DE 4 has twelve digits.
 */
export const limits = {
  amountMinorMin: 1,
  amountMinorMax: 999_999_999_999,
  bodyBytesMax: 16_384,
  headerBytesMax: 8_192,
  jsonDepthMax: 8,
  idempotencyKeyLengthMax: 255,
  merchantReferenceLengthMax: 255,
  descriptionLengthMax: 1_000,
  reasonLengthMax: 255,
  metadataPairsMax: 50,
  metadataKeyLengthMax: 40,
  metadataValueLengthMax: 500,
  tokenLengthMax: 68,
  customerIpLengthMax: 45,
  cursorLengthMax: 512,
  /** The last millisecond of the year 9999: what RFC 3339 can say. */
  timeMsMax: 253_402_300_799_999,
  callerRequestIdLengthMax: 128,
  pageSizeMax: 100,
  pageSizeDefault: 20,
  timelinePageSizeDefault: 100,
} as const;

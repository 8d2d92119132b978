/** How much of everything the vault's own origin takes. Lengths of text are Unicode code points. */
export const limits = {
  bodyBytesMax: 4_096,
  headerBytesMax: 8_192,
  numberLengthMin: 12,
  numberLengthMax: 19,
  pinBlockBytes: 8,
  keySerialNumberBytes: 10,
  nameLengthMax: 100,
  postalCodeLengthMax: 16,
  addressLine1LengthMax: 100,
  /** Years from now that an expiry may lie ahead. */
  expiryYearsMax: 50,
  purposeLengthMax: 32,
} as const;

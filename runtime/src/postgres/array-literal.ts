/**
 * Array parameters as text literals.
 *
 * A batch statement takes its members as arrays (`unnest`). The driver would have to learn array types by asking the server on every
 * connection; a text literal with a cast (`${arrayLiteral(ids)}::uuid[]`) needs no lookup and costs one string.
 *
 * Deliberately not here: nested arrays, and anything that guesses a type. The cast in the statement names it.
 */

/** What PostgreSQL would read wrongly unless it is quoted: delimiters, quotes, white space, the word NULL, the empty string. */
const needsQuotes = /[{}",\\\s]|^$|^null$/i;
const escapes = /["\\]/g;

/** `{a,b,NULL}`: pass it as a text parameter and cast it in the statement. Bigints keep every digit; null becomes NULL. */
export function arrayLiteral(values: readonly (string | number | bigint | null | boolean)[]): string {
  let text = "{";
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    if (index > 0) text += ",";
    if (value === null || value === undefined) text += "NULL";
    else if (typeof value === "string") text += needsQuotes.test(value) ? `"${value.replace(escapes, "\\$&")}"` : value;
    else text += String(value);
  }
  return `${text}}`;
}

/** `{"\\x00ff"}` for `::bytea[]`. Twice the size of the bytes on the wire; fine for events of some hundred bytes. */
export function byteaArrayLiteral(values: readonly Uint8Array[]): string {
  let text = "{";
  for (let index = 0; index < values.length; index++) {
    const value = values[index] as Uint8Array;
    if (index > 0) text += ",";
    text += `"\\\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex")}"`;
  }
  return `${text}}`;
}

/**
 * Bytes of one outgoing request, from a bounded stock of buffers that nothing else uses.
 *
 * A request may hold a card number, so the bytes are wiped before the buffer goes back; they never lie in Node's shared buffer pool.
 */

const sizeBytesDefault = 4_096;
const stockMax = 4_096;
const stock: Buffer[] = [];

/** At least `sizeBytes` long; its content is old zeros or noise, never an old card. */
export function takeBuffer(sizeBytes: number): Buffer {
  if (sizeBytes > sizeBytesDefault) return Buffer.allocUnsafeSlow(sizeBytes);
  return stock.pop() ?? Buffer.allocUnsafeSlow(sizeBytesDefault);
}

/** Wipes the first `usedBytes` and keeps the buffer for the next request. The caller must not touch it afterwards. */
export function giveBack(buffer: Buffer, usedBytes: number): void {
  buffer.fill(0, 0, usedBytes);
  if (buffer.length === sizeBytesDefault && stock.length < stockMax) stock.push(buffer);
}

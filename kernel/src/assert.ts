/**
 * Asserts for bugs: they fail loudly and let the process restart; recovery continues from stored state.
 *
 * Never for input or for what another party answered; those are `AppError` or a tagged value.
 */

export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Throws when `condition` is false. `message` says what must hold; it holds no card data. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Marks the end of a switch over a closed union; the compiler refuses it while a member is left. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable value: ${String(value)}`);
}

/** The value, or an assertion failure when it is absent. */
export function required<T>(value: T | undefined | null, name: string): T {
  assert(value !== undefined && value !== null, `${name} is required`);
  return value;
}

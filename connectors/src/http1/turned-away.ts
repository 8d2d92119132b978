/**
 * Refusals at the door: the processor did not like the request's form, its key or its rate, and looked at nothing else.
 *
 * Such an answer says that this request did nothing. It does not say what an earlier one with the same reference did, and not whether something can
 * be undone: with a key that is wrong for a minute everything is refused like this. So it is never the end of an operation that may have been sent
 * before.
 */

/** RFC 9110 §15.5.1, §15.5.2, §15.5.4; RFC 6585 §4. */
const statuses: ReadonlySet<number> = new Set([400, 401, 403, 429]);

export function isTurnedAway(httpStatus: number): boolean {
  return statuses.has(httpStatus);
}

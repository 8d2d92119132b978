/**
 * The worker's side: makes the exported function of a worker file from a function of one member.
 *
 * ```ts
 * export const run = workerTask((member: ScoreRequest) => score(member));
 * ```
 * The export must be called `run`. One member that throws does not fail its neighbours.
 */
import { toAppError } from "@florin/kernel";
import { toWireFault, type WireSettled } from "./protocol.ts";

export function workerTask<In, Out>(
  handle: (member: In) => Out | Promise<Out>,
): (members: readonly In[]) => Promise<readonly WireSettled<Out>[]> {
  return async (members) => {
    const answers: WireSettled<Out>[] = [];
    for (const member of members) {
      try {
        answers.push({ ok: true, value: await handle(member) });
      } catch (thrown) {
        answers.push({ ok: false, fault: toWireFault(toAppError(thrown)) });
      }
    }
    return answers;
  };
}

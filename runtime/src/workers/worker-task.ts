/**
 * The worker's side: makes the exported function of a worker file from a function of one member.
 *
 * ```ts
 * export const run = workerTask((member: ScoreRequest) => score(member));
 * ```
 * The export must be called `run`. One member that throws does not fail its neighbours. With `membersAtOnce` so many of a batch are handled side by side: for
 * members that wait for the engine's own threads, as WebCrypto does.
 */
import { toAppError } from "@florin/kernel";
import { toWireFault, type WireSettled } from "./protocol.ts";

export function workerTask<In, Out>(
  handle: (member: In) => Out | Promise<Out>,
  { membersAtOnce = 1 }: { readonly membersAtOnce?: number } = {},
): (members: readonly In[]) => Promise<readonly WireSettled<Out>[]> {
  const answer = async (member: In): Promise<WireSettled<Out>> => {
    try {
      return { ok: true, value: await handle(member) };
    } catch (thrown) {
      return { ok: false, fault: toWireFault(toAppError(thrown)) };
    }
  };
  return async (members) => {
    const answers: WireSettled<Out>[] = Array.from({ length: members.length });
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < members.length) {
        const at = next++;
        answers[at] = await answer(members[at] as In);
      }
    };
    await Promise.all(Array.from({ length: Math.min(membersAtOnce, members.length) }, lane));
    return answers;
  };
}

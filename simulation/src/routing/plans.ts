/** Reads plans from a command line: "listed:1,value:3" is a fixed order without a cascade, and expected value with one. */
import { attemptsMax, strategyKinds } from "@florin/switch/src/domain/routing/index.ts";
import type { Plan } from "./replay.ts";

const plansMax = 8;
/** Of plans that learn; one payment in fifty is drawn. */
const exploreBps = 200;

/** Throws with what is expected when the text is no list of plans. */
export function parsePlans(text: string): readonly Plan[] {
  const names = text.split(",");
  if (names.length > plansMax) throw new Error(`--plans are at most ${plansMax}`);
  return names.map((name) => {
    const [word, attempts] = name.split(":");
    const kind = strategyKinds.find((one) => one === word);
    if (kind === undefined || (attempts !== "1" && attempts !== String(attemptsMax)))
      throw new Error(`--plans are ${strategyKinds.join(", ")} with :1 or :${attemptsMax}, separated by commas`);
    return { name, strategy: { kind, exploreBps }, attempts: attempts === "1" ? 1 : attemptsMax };
  });
}

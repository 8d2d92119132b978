/** From the log to its consumers: nothing skipped, nothing twice. */
import type { Mutant } from "../mutant.ts";

const tail = "switch/src/store/log-tail.ts";
const intake = "runtime/src/bus/partition-intake.ts";

export const deliveryMutants: readonly Mutant[] = [
  {
    name: "tail-without-a-fence",
    about: "the log is read up to the last position drawn, past transactions that have not ended: WHERE position > last",
    file: tail,
    find: "    if ((await queries.oldestRunning()) < fence.transaction) return;\n",
    replace: "",
  },
  {
    name: "fence-in-the-wrong-order",
    about: "the fence's transaction is drawn before its position is read",
    file: tail,
    find: `    const position = await queries.lastDrawn();
    if (position > decided) fence = { position, transaction: await queries.ownTransaction() };`,
    replace: `    const transaction = await queries.ownTransaction();
    const position = await queries.lastDrawn();
    if (position > decided) fence = { position, transaction };`,
  },
  {
    name: "fence-not-drawn",
    about: "the fence is the oldest transaction that runs, as pg_snapshot_xmax would say, instead of one of our own",
    file: tail,
    find: "transaction: await queries.ownTransaction() };",
    replace: "transaction: await queries.oldestRunning() };",
  },
  {
    name: "full-page-skips-the-rest",
    about: "a page that was cut at its limit counts as everything",
    file: tail,
    find: "throughPosition: events.length < limit ? through : (events.at(-1)?.position ?? through), events };",
    replace: "throughPosition: through, events };",
  },
  {
    name: "gap-not-noticed",
    about: "a consumer goes on over a hole in the stream",
    file: intake,
    find: `    if (offer.afterPosition > seen) return "gap";\n`,
    replace: "",
  },
];

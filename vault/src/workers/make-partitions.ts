/** Makes room in the access log for the months to come: once at start, then twice a day. */
import type { Logger } from "@florin/runtime/telemetry";
import type { AccessStore } from "../store/access-log.ts";

const monthsAhead = 2;
const periodMs = 43_200_000;

/** Resolves after the first run, which may reject: without room there is no access. Later faults are logged; there are months to mend them. */
export async function keepPartitionsAhead(o: { store: Pick<AccessStore, "makePartitions">; logger: Logger }): Promise<{ stop(): void }> {
  const make = async (): Promise<void> => {
    const made = await o.store.makePartitions(monthsAhead);
    if (made > 0) o.logger.info({ made }, "access log partitions made");
  };
  await make();
  const timer = setInterval(() => {
    make().catch((err: unknown) => o.logger.error({ err }, "access log partitions not made"));
  }, periodMs);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

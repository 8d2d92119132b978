/** Makes the log's monthly partitions ahead of time. A month without a partition would refuse every payment. */
import type { Sql } from "@florin/runtime/postgres";
import type { Logger } from "@florin/runtime/telemetry";

const monthsAhead = 3;
const rhythmMs = 60 * 60 * 1000;

/** Resolves after the first round; goes on hourly. A fault of the first round is thrown, later ones are logged. */
export async function startPartitionMaker(o: { readonly sql: Sql; readonly logger: Logger }): Promise<{ stop(): void }> {
  const make = async (): Promise<void> => {
    const [row] = await o.sql<{ made: number }[]>`SELECT ensure_log_partitions(${monthsAhead}) AS made`;
    if (row !== undefined && row.made > 0) o.logger.info({ made: row.made }, "log partitions made");
  };
  await make();
  const timer = setInterval(
    () => void make().catch((err: unknown) => o.logger.error({ err }, "log partitions could not be made")),
    rhythmMs,
  ).unref();
  return { stop: () => clearInterval(timer) };
}

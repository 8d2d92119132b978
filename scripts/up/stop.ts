/** Stopping a stack by process id, in order, each one awaited. */
import { type KnownProcess, stopProcess } from "../processes.ts";

/** A process gives up draining by itself after 30 s, and says so; one that is not gone a little later is killed. */
export const drainPatienceMs = 35_000;

/** PostgreSQL's "fast shutdown" is SIGINT; everybody else drains on SIGTERM. */
function signalFor(name: string): NodeJS.Signals {
  return name === "postgres" ? "SIGINT" : "SIGTERM";
}

/** Stops the processes one after the other; answers a sentence for each one that had to be killed. */
export async function stopInOrder(processes: readonly KnownProcess[]): Promise<readonly string[]> {
  const complaints: string[] = [];
  for (const known of processes) {
    const how = await stopProcess(known, signalFor(known.name), drainPatienceMs);
    if (how === "killed") complaints.push(`${known.name} (process ${known.pid}) did not end within ${drainPatienceMs} ms and was killed`);
  }
  return complaints;
}

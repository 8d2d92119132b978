/** `npm run down`: ends the stack of a directory in order and waits; data stays. Safe to repeat, and after a killed supervisor. */
import { isRunning, stopProcess } from "./processes.ts";
import { downUsage, readDownOptions } from "./up/options.ts";
import { clearState, readRunFile, readSupervisor } from "./up/state-files.ts";
import { drainPatienceMs, stopInOrder } from "./up/stop.ts";

/** All parts may take their drain time one after the other: six of ours and three servers. */
const supervisorPatienceMs = 9 * drainPatienceMs;

async function main(): Promise<number> {
  const { directory, isHelp } = readDownOptions(process.argv.slice(2), process.env);
  if (isHelp) {
    console.log(downUsage);
    return 0;
  }
  const run = readRunFile(directory);
  const supervisor = readSupervisor(directory) ?? run?.supervisor;
  const isSupervised = supervisor !== undefined && isRunning(supervisor);
  if (!isSupervised && !(run?.processes ?? []).some(isRunning)) {
    clearState(directory);
    console.log(`florin: nothing runs in ${directory}`);
    return 0;
  }
  const complaints: string[] = [];
  if (isSupervised) {
    const how = await stopProcess(supervisor, "SIGTERM", supervisorPatienceMs);
    if (how === "killed") complaints.push(`the supervisor (process ${supervisor.pid}) did not end and was killed`);
  }
  // What the supervisor has stopped is found ended, here or in what it wrote last; what it left is stopped here.
  const left = [...(run?.processes ?? []), ...(readRunFile(directory)?.processes ?? [])];
  complaints.push(...(await stopInOrder(left)));
  clearState(directory);
  for (const complaint of complaints) console.error(`florin: ${complaint}`);
  console.log("florin: stopped");
  return complaints.length === 0 ? 0 : 1;
}

process.exitCode = await main().catch((thrown: unknown) => {
  console.error(`florin: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
  return 1;
});

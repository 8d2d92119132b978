/** `npm run down`: ends the stack of a directory in order and waits; data stays. Safe to repeat, and after a killed supervisor. */
import { parseArgs } from "node:util";
import { isRunning, stopProcess } from "./processes.ts";
import { directoryOf } from "./up/options.ts";
import { clearState, readRunFile, readSupervisor } from "./up/state-files.ts";
import { stopInOrder } from "./up/stop.ts";

/** All parts may take their drain time one after the other. */
const supervisorPatienceMs = 240_000;

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { directory: { type: "string" } } });
  const directory = directoryOf(values.directory, process.env);
  const run = readRunFile(directory);
  const supervisor = run?.supervisor ?? readSupervisor(directory);
  const isSupervised = supervisor !== undefined && isRunning(supervisor);
  const left = run?.processes ?? [];
  if (!isSupervised && !left.some(isRunning)) {
    clearState(directory);
    console.log(`florin: nothing runs in ${directory}`);
    return 0;
  }
  const complaints: string[] = [];
  if (isSupervised) {
    const how = await stopProcess(supervisor, "SIGTERM", supervisorPatienceMs);
    if (how === "killed") complaints.push(`the supervisor (process ${supervisor.pid}) did not end and was killed`);
  }
  // What the supervisor has stopped is found ended; what it left is stopped here.
  complaints.push(...(await stopInOrder(left)));
  clearState(directory);
  for (const complaint of complaints) console.error(`florin: ${complaint}`);
  console.log("florin: stopped");
  return complaints.length === 0 ? 0 : 1;
}

process.exitCode = await main();

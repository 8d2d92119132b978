/** `npx florin settings`: the settings of the house in one document. Looks at them, checks and makes versions, and goes back. */
import { SettingsService } from "@florin/gen/settings/v1/settings";
import { connectUnary } from "@florin/runtime/rpc";
import { createLogger } from "@florin/runtime/telemetry";
import { loadTls } from "@florin/runtime/tls";
import { commands } from "./settings/commands.ts";
import { readOptions, usage } from "./settings/options.ts";

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args, process.env);
  if (options.command === "help") {
    console.log(usage);
    return 0;
  }
  const client = connectUnary(SettingsService, {
    address: options.address,
    tls: loadTls(options.tlsDirectory, "operator"),
    logger: createLogger({ service: "settings", level: "warn" }),
  });
  try {
    const { lines, isGood } = await commands[options.command](client, options);
    console.log(lines.join("\n"));
    return isGood ? 0 : 1;
  } finally {
    await client.close();
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (thrown) {
  console.error(`florin: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
  process.exitCode = 1;
}

/** The vault double as a process of its own. `node vault-process.ts <tls folder or off>` prints its port. */
import { createLogger } from "@florin/runtime/telemetry";
import { loadTls } from "@florin/runtime/tls";
import { startVaultDouble } from "../test/vault-double.ts";

const logger = createLogger({ service: "vault", level: "error" });
const server = await startVaultDouble({ tls: loadTls(process.argv[2] ?? "off", "vault"), logger });
process.stdout.write(`${server.port}\n`);

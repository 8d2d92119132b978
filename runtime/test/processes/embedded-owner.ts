/** Starts an embedded PostgreSQL in the folder and on the port given, prints its process id, and waits to be killed. */
import { startEmbeddedPostgres } from "../../src/postgres/index.ts";

const server = await startEmbeddedPostgres({ directory: process.argv[2] ?? "", port: Number(process.argv[3]), initWithoutSync: true });
process.stdout.write(`${server.pid}\n`);
setInterval(() => {}, 60_000);

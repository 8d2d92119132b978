/** Starts test servers, prints their process ids, and waits to be killed. */
import { testNats, testPostgres, testRedis } from "../../src/testing/index.ts";

const servers = await Promise.all([testPostgres(), testRedis(), testNats()]);
process.stdout.write(`${JSON.stringify(servers.map((server) => server?.pid ?? null))}\n`);
setInterval(() => {}, 60_000);

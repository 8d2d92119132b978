export { issueCertificate, writeRevocations } from "./certificates.ts";
export { freePort, freePortBlock, portOfNobody } from "./free-port.ts";
export { findProgram } from "./local-server.ts";
export { type TestNats, testNats } from "./nats.ts";
export { type TestPostgres, testPostgres } from "./postgres.ts";
export { type TestRedis, testRedis } from "./redis.ts";
export { temporaryFolder } from "./temporary-folder.ts";
export { untilTrue } from "./until-true.ts";
export { type Compared, compareTimes, type Timed } from "./welch.ts";

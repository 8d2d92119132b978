export { mayPostgresEnter } from "./account.ts";
export { arrayLiteral, byteaArrayLiteral } from "./array-literal.ts";
export { connectPostgres, endPostgres, type Sql } from "./connect.ts";
export { DatabaseFault, toDatabaseFault } from "./database-fault.ts";
export { type EmbeddedPostgres, startEmbeddedPostgres } from "./embedded.ts";
export { type Leadership, tryToLead } from "./leadership.ts";
export { runMigrations } from "./migrations.ts";
export { createServiceDatabase, dropServiceDatabase, type ServiceDatabase } from "./service-database.ts";

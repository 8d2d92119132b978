export { type AdminServer, type PartState, type ReadinessReport, startAdminServer } from "./admin-server.ts";
export { type Lifecycle, type Part, type Parts, runProcess } from "./run-process.ts";

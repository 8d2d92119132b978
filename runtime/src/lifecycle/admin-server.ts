/**
 * The admin port of a process: /health/live, /health/ready, /metrics. Plain HTTP, for the machine's own network only.
 *
 * live: the process makes progress; when it says no, restart it. ready: it may be given work; when it says no, leave it alone and give the
 * work to another. A part that is away and can be done without makes the process "degraded", which is still ready.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

export type PartState = "up" | "degraded" | "down";
export type ReadinessReport = { readonly ready: boolean; readonly parts: Readonly<Record<string, PartState>> };
export type AdminServer = { readonly port: number; close(): Promise<void> };

type Answer = { readonly status: number; readonly contentType: string; readonly body: string };
type Route = () => Promise<Answer> | Answer;

const readyTimeoutMs = 2_000;
const connectionsMax = 64;
const requestTimeoutMs = 5_000;

export async function startAdminServer(options: {
  host: string;
  /** 0 takes any free port. */
  port: number;
  telemetry: { scrape(): Promise<string> };
  live: () => boolean;
  ready: () => Promise<ReadinessReport> | ReadinessReport;
}): Promise<AdminServer> {
  const routes: Readonly<Record<string, Route>> = {
    "/health/live": () => (options.live() ? json(200, { live: true }) : json(503, { live: false })),
    "/health/ready": async () => {
      const report = await inTime(options.ready);
      return json(report.ready ? 200 : 503, report);
    },
    "/metrics": async () => ({
      status: 200,
      contentType: "text/plain; version=0.0.4; charset=utf-8",
      body: await options.telemetry.scrape(),
    }),
  };
  const server = createServer(
    { requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs, keepAliveTimeout: requestTimeoutMs },
    (request, response) => {
      void respond(routes, request, response);
    },
  );
  server.maxConnections = connectionsMax;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : options.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function respond(routes: Readonly<Record<string, Route>>, request: IncomingMessage, response: ServerResponse): Promise<void> {
  request.resume();
  const answer = await answerTo(routes, request);
  response.writeHead(answer.status, { "content-type": answer.contentType, "cache-control": "no-store" });
  response.end(request.method === "HEAD" ? undefined : answer.body);
}

async function answerTo(routes: Readonly<Record<string, Route>>, request: IncomingMessage): Promise<Answer> {
  const path = (request.url ?? "").split("?", 1)[0] ?? "";
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
  if (route === undefined) return json(404, { error: "no such path", paths: Object.keys(routes) });
  if (request.method !== "GET" && request.method !== "HEAD") return json(405, { error: "only GET and HEAD" });
  try {
    return await route();
  } catch {
    return json(500, { error: "the check failed" });
  }
}

/** A check that hangs or throws is an answer too: not ready. */
async function inTime(ready: () => Promise<ReadinessReport> | ReadinessReport): Promise<ReadinessReport> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<ReadinessReport>((resolve) => {
    timer = setTimeout(() => resolve({ ready: false, parts: { readiness_check: "down" } }), readyTimeoutMs);
  });
  try {
    return await Promise.race([Promise.resolve().then(ready), tooLate]);
  } catch {
    return { ready: false, parts: { readiness_check: "down" } };
  } finally {
    clearTimeout(timer);
  }
}

function json(status: number, body: unknown): Answer {
  return { status, contentType: "application/json", body: `${JSON.stringify(body)}\n` };
}

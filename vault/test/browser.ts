/** Chromium for tests, and the pages of a shop on an origin of its own. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import { findProgram } from "@florin/runtime/testing";
import { type Browser, chromium } from "playwright-core";

/** Undefined where there is none. With CI=true a missing browser is an error. */
export const chromiumProgram = findProgram("chromium");
/** For the title of a suite, which is all that a skipped one shows. */
export const whySkipped = chromiumProgram === undefined ? " (skipped: chromium is not installed, and only root can install it)" : "";

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: chromiumProgram ?? "",
    // Chromium builds none for root, nor in containers without user namespaces; the pages are our own.
    chromiumSandbox: false,
    args: ["--disable-background-networking", "--disable-component-update", "--no-first-run"],
  });
}

export type Page = { readonly html: string; readonly headers?: Readonly<Record<string, string>>; readonly type?: string };
export type Site = { readonly origin: string; readonly pages: Map<string, Page>; readonly requests: string[]; close(): Promise<void> };

/** `http://localhost:…`, which to a browser is another site than the vault's 127.0.0.1. */
export async function startSite(): Promise<Site> {
  const pages = new Map<string, Page>();
  const requests: string[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    requests.push(request.url ?? "");
    const page = pages.get(request.url?.split("?")[0] ?? "");
    response.writeHead(page === undefined ? 404 : 200, { "content-type": page?.type ?? "text/html; charset=utf-8", ...page?.headers });
    response.end(page?.html ?? "");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://localhost:${portOf(server)}`,
    pages,
    requests,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

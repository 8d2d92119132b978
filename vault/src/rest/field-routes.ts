/** The pages and scripts of the card fields, and the key that they encrypt for. Nothing here takes anything in. */
import type { FastifyInstance } from "fastify";
import type { EnvelopeKeys } from "../app/envelope-keys.ts";
import type { ServedFile } from "./field-files.ts";

const keyPath = "/fields/key";

/** `now`: milliseconds since 1970, told to pages whose clock may be wrong. */
export function addFieldRoutes(
  fastify: FastifyInstance,
  o: { readonly files: readonly ServedFile[]; readonly keys: Pick<EnvelopeKeys, "current">; readonly now: () => number },
): void {
  for (const { path, body, headers, integrity } of o.files) {
    const tag = `"${integrity}"`;
    fastify.get(path, (request, reply) => {
      const isCurrent = request.headers["if-none-match"] === tag;
      void reply
        .code(isCurrent ? 304 : 200)
        .headers({ ...headers, etag: tag })
        .send(isCurrent ? undefined : body);
    });
  }
  fastify.get(keyPath, (_request, reply) => {
    const body = JSON.stringify({ ...o.keys.current(), now: Math.floor(o.now() / 1_000) });
    void reply
      .headers({
        "content-type": "application/json; charset=utf-8",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "cross-origin-resource-policy": "same-origin",
      })
      .send(body);
  });
}

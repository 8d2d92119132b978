/**
 * The vault's own origin, built without listening: `POST /v1/tokens`, callable from any page (the publishable key is public), and the card fields that
 * call it with an encrypted card.
 *
 * Order: address, key, content type, body (bytes, wiped), envelope if it is one, card, token. Fastify routes and keeps connections; the body never passes through it. Nothing of a
 * request is logged but its id, and never anything that was sent. Each request for a token begins a trace: a page's own is not followed, because
 * anybody could then have every request recorded.
 *
 * Not here: TLS, which ends in front of this port, in the card data environment.
 */
import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { AppError, type ErrorCode, invalid, makeId } from "@florin/kernel";
import type { Logger, Tracer } from "@florin/runtime/telemetry";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Authenticator } from "../app/authenticate.ts";
import type { CreatedToken, TokenMaker } from "../app/create-token.ts";
import type { EnvelopeKeys } from "../app/envelope-keys.ts";
import type { EnvelopeOpener } from "../app/open-envelope.ts";
import type { TokenLimit } from "../app/token-limit.ts";
import { envelopeRefused } from "../domain/envelope.ts";
import { limits } from "../domain/limits.ts";
import { type PublishableKey, parseBearer } from "../domain/publishable-key.ts";
import { faultAnswer, toOriginFault } from "./error-answer.ts";
import type { ServedFile } from "./field-files.ts";
import { addFieldRoutes } from "./field-routes.ts";
import { readBody } from "./read-body.ts";
import { readTokenRequest, type TokenRequest } from "./token-request.ts";

export type OriginApp = {
  readonly fastify: FastifyInstance;
  /** Answers what is in flight and on open connections for `graceMs` (ms), then closes. Safe to repeat. */
  drain(graceMs: number): Promise<void>;
};

const tokensPath = "/v1/tokens";
const requestTimeoutMs = 10_000;
/** How often connections are looked at for slow senders. */
const slowCheckEveryMs = 5_000;
const keepAliveTimeoutMs = 75_000;
const paramLengthMax = 64;
const corsMaxAgeS = 86_400;
const newRequestId = () => makeId("request", Date.now(), randomBytes(10));

/** On every answer. Any page may read it; nothing may be cached, sniffed or framed. */
const constantHeaders = {
  "content-type": "application/json; charset=utf-8",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "cross-origin",
  "referrer-policy": "no-referrer",
} as const;
/** Only on the one path that pages call. */
const corsHeaders = { "access-control-allow-origin": "*", "access-control-expose-headers": "request-id, retry-after" } as const;

export function buildApp(o: {
  authenticator: Authenticator;
  tokenLimit: TokenLimit;
  tokens: TokenMaker;
  envelopes: Pick<EnvelopeOpener, "open">;
  envelopeKeys: Pick<EnvelopeKeys, "current">;
  /** Pages and scripts of the card fields. */
  fieldFiles: readonly ServedFile[];
  tracer: Pick<Tracer, "startSpan">;
  /** Whose X-Forwarded-For is believed; "": nobody's. */
  trustedProxies: string;
  logger: Logger;
}): OriginApp {
  let isDraining = false;
  const fastify = Fastify({
    logger: false,
    genReqId: newRequestId,
    bodyLimit: limits.bodyBytesMax,
    routerOptions: { maxParamLength: paramLengthMax },
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    http: { maxHeaderSize: limits.headerBytesMax, headersTimeout: requestTimeoutMs, connectionsCheckingInterval: slowCheckEveryMs },
    ...(o.trustedProxies === "" ? {} : { trustProxy: o.trustedProxies }),
    return503OnClosing: false,
    forceCloseConnections: "idle",
    exposeHeadRoutes: false,
    clientErrorHandler: answerBrokenRequest,
    frameworkErrors: (error, request, reply) => sendFault(request as FastifyRequest, reply as FastifyReply, toOriginFault(error)),
  });

  const send = (request: FastifyRequest, reply: FastifyReply, status: number, body: string, more: Record<string, string> = {}): void => {
    const headers = { ...constantHeaders, ...(pathOf(request) === tokensPath ? corsHeaders : {}), "request-id": request.id, ...more };
    // A body that was not read would be taken for the next request.
    const isClosing = isDraining || (status >= 400 && !request.raw.complete);
    void reply
      .code(status)
      .headers(isClosing ? { ...headers, connection: "close" } : headers)
      .send(body);
  };
  const sendFault = (request: FastifyRequest, reply: FastifyReply, fault: AppError, more: Record<string, string> = {}): void => {
    const { status, body, retryAfterS } = faultAnswer(fault, request.id);
    if (status === 500) o.logger.error({ request_id: request.id, err: fault }, "request failed");
    const retryAfter = retryAfterS === undefined ? {} : { "retry-after": String(retryAfterS) };
    const challenge = status === 401 ? { "www-authenticate": "Bearer" } : {};
    send(request, reply, status, body, { ...retryAfter, ...challenge, ...more });
  };

  fastify.setErrorHandler((error, request, reply) => sendFault(request, reply, toOriginFault(error)));
  fastify.setNotFoundHandler((request, reply) => {
    const isKnownPath = pathOf(request) === tokensPath;
    const code: ErrorCode = isKnownPath ? "method_not_allowed" : "route_unknown";
    sendFault(request, reply, invalid(code, "cards go to POST /v1/tokens"), isKnownPath ? { allow: "POST, OPTIONS" } : {});
  });
  // The handler reads the body itself.
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser("*", (_request, _payload, done) => done(null));
  fastify.options(tokensPath, (request, reply) => send(request, reply, 204, "", preflightHeaders));
  fastify.post(tokensPath, async (request, reply) => {
    const span = o.tracer.startSpan("vault.tokenize", { kind: "server" });
    const answer = await tokenize(o, request).catch((thrown: unknown) => toOriginFault(thrown));
    if (answer instanceof AppError) {
      sendFault(request, reply, answer);
      span.end(reply.statusCode < 500 ? "refused" : "fault", { "florin.request_id": request.id, "florin.error_code": answer.code });
    } else {
      send(request, reply, 201, tokenBody(answer));
      span.end("ok", { "florin.request_id": request.id, "florin.mode": answer.mode, "florin.brand": answer.facts.brand });
    }
    return reply;
  });

  addFieldRoutes(fastify, { files: o.fieldFiles, keys: o.envelopeKeys, now: Date.now });

  let drained: Promise<void> | undefined;
  return {
    fastify,
    drain(graceMs) {
      drained ??= (async () => {
        isDraining = true;
        await new Promise((resolve) => setTimeout(resolve, graceMs));
        await fastify.close();
      })();
      return drained;
    },
  };
}

const preflightHeaders = {
  "access-control-allow-methods": "POST",
  "access-control-allow-headers": "authorization, content-type",
  "access-control-max-age": String(corsMaxAgeS),
  vary: "access-control-request-method, access-control-request-headers",
};

type TokenizeParts = Pick<Parameters<typeof buildApp>[0], "authenticator" | "tokenLimit" | "tokens" | "envelopes">;

/** The token of the card in the request, or why there is none. Rejects with what went wrong on the way. */
async function tokenize(o: TokenizeParts, request: FastifyRequest): Promise<CreatedToken | AppError> {
  o.tokenLimit.takeAddress(request.ip);
  const key = await o.authenticator.authenticate(request.headers.authorization);
  o.tokenLimit.takeKey(key);
  const isEnvelope = isEnvelopeType(request.headers["content-type"]);
  const { card, terms } = isEnvelope ? await openCard(o.envelopes, request, key) : await readCard(request);
  const result = await o.tokens.create(key, card, terms);
  return result.kind === "refused" ? result.fault : result.created;
}

async function readCard(request: FastifyRequest): Promise<TokenRequest> {
  const bytes = await readBody(request.raw);
  try {
    return readTokenRequest(bytes);
  } finally {
    bytes.fill(0);
  }
}

/** A card that a browser encrypted. An envelope that is too large is as wrong as any other. */
async function openCard(
  envelopes: TokenizeParts["envelopes"],
  request: FastifyRequest,
  { origins }: PublishableKey,
): Promise<TokenRequest> {
  const { publishableKey = "" } = parseBearer(request.headers.authorization ?? "") ?? {};
  const envelope = await readBody(request.raw).catch((thrown: unknown) => {
    throw thrown instanceof AppError && thrown.code === "body_too_large" ? envelopeRefused() : thrown;
  });
  const bytes = await envelopes.open(envelope, { publishableKey, origins });
  try {
    return readTokenRequest(bytes);
  } finally {
    bytes.fill(0);
  }
}

/** True for an encrypted card, false for JSON. */
function isEnvelopeType(contentType: string | undefined): boolean {
  if (contentType === "application/jose") return true;
  if (contentType !== undefined && /^application\/json\s*(;\s*charset\s*=\s*"?utf-?8"?\s*)?$/i.test(contentType)) return false;
  throw invalid("invalid_content_type", "the body must be application/json in UTF-8, or application/jose");
}

function tokenBody({ token, facts, mode, usage, createdAtMs, expiresAtMs }: CreatedToken): string {
  const { brand, bin, last4, expMonth, expYear, funding } = facts;
  return JSON.stringify({
    id: token,
    type: "card",
    card: { brand, bin, last4, exp_month: expMonth, exp_year: expYear, funding },
    usage,
    created_at: new Date(createdAtMs).toISOString(),
    expires_at: new Date(expiresAtMs).toISOString(),
    livemode: mode === "live",
  });
}

function pathOf(request: FastifyRequest): string {
  return request.url.split("?", 1)[0] ?? "";
}

/** A request that Node could not read: there is no reply object, so the answer is written to the socket. */
function answerBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const requestId = newRequestId();
  const { status, body } = faultAnswer(toOriginFault(error.code === undefined ? { code: "HPE_INTERNAL" } : error), requestId);
  const reason = status === 431 ? "Request Header Fields Too Large" : status === 400 ? "Bad Request" : "Internal Server Error";
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
      `request-id: ${requestId}\r\nconnection: close\r\n\r\n${body}`,
  );
}

/**
 * The OpenAPI 3.1 document, made from the table of operations, their schemas and the catalogue of errors. Pure: the same code gives the same text.
 */
import { type ErrorCode, errorCatalogue } from "@florin/kernel";
import type { TSchema } from "typebox";
import { limits } from "../../domain/limits.ts";
import { api, codesOf, type Operation, operationIds } from "../api.ts";
import {
  deletedTokenAnswer,
  errorAnswer,
  inFlightAnswer,
  paymentAnswer,
  paymentPageAnswer,
  routingAnswer,
  timelineAnswer,
  tokenAnswer,
} from "../schemas.ts";

type Json = { readonly [name: string]: unknown };

const schemas: Readonly<Record<string, TSchema>> = {
  Payment: paymentAnswer,
  InFlight: inFlightAnswer,
  PaymentPage: paymentPageAnswer,
  Timeline: timelineAnswer,
  Routing: routingAnswer,
  Token: tokenAnswer,
  DeletedToken: deletedTokenAnswer,
  Error: errorAnswer,
};

/** Made by the edge itself, on any path. */
const everywhere: readonly ErrorCode[] = ["route_unknown", "method_not_allowed"];

/** The document as it is committed and served: indented, with a newline at its end. */
export function writeOpenApi(): string {
  return `${JSON.stringify(openApiDocument(), null, 2)}\n`;
}

export function openApiDocument(): Json {
  const paths: Record<string, Record<string, Json>> = {};
  const components: Record<string, Json> = Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, plain(schema)]));
  for (const operationId of operationIds) {
    const operation = api[operationId];
    const methods = paths[operation.path] ?? {};
    paths[operation.path] = methods;
    methods[operation.method.toLowerCase()] = describeOperation(operationId, operation);
    if (operation.body !== undefined) components[titleOf(operation.body)] = plain(operation.body);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Florin",
      version: "1",
      summary: "Take payments.",
      description: `Amounts are plain integers in minor units of the currency. Times are RFC 3339, UTC. Bodies are strict JSON of at most ${limits.bodyBytesMax} bytes: duplicate keys, unknown fields, amounts with a point or an exponent, control characters in text and any Content-Encoding are refused. Every POST takes an \`Idempotency-Key\` that names the intent: repeat it as often as you like, it happens once. Codes that any path may answer with: ${everywhere.map((code) => `\`${code}\``).join(", ")}.`,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    security: [{ secretKey: [] }],
    tags: [
      { name: "payments", description: "Authorize, capture, void, refund, read." },
      { name: "tokens", description: "Look at the cards that you keep, and delete them." },
    ],
    paths,
    components: {
      securitySchemes: { secretKey: { type: "http", scheme: "bearer", description: "Your secret key, sk_test_… or sk_live_…." } },
      headers: headerComponents,
      schemas: components,
    },
    "x-error-codes": Object.fromEntries(Object.entries(errorCatalogue).map(([code, { type, http, help }]) => [code, { type, http, help }])),
  };
}

const headerComponents = {
  "Request-Id": { description: "Names this request; quote it when you ask us.", required: true, schema: { type: "string" } },
  "X-Request-Id": { description: "What you called the request.", schema: { type: "string" } },
  "Retry-After": { description: "Seconds to wait before asking again.", schema: { type: "integer", minimum: 1 } },
  "Idempotent-Replayed": { description: "true: this is the stored answer of the first request with this key.", schema: { const: "true" } },
} as const;

const idempotencyKey = {
  name: "Idempotency-Key",
  in: "header",
  required: true,
  description: "Made by you, names the intent. 1 to 255 printable ASCII characters; kept for at least 30 days.",
  schema: {
    type: "string",
    minLength: 1,
    maxLength: limits.idempotencyKeyLengthMax,
    pattern: "^[\\x21-\\x7e]([\\x20-\\x7e]*[\\x21-\\x7e])?$",
  },
} as const;

const paymentId = {
  name: "id",
  in: "path",
  required: true,
  description: "The payment, pay_….",
  schema: { type: "string" },
} as const;

const tokenId = {
  name: "id",
  in: "path",
  required: true,
  description: "The token, tok_….",
  schema: { type: "string" },
} as const;

const isOfTokens = ({ path }: Operation): boolean => path.startsWith("/v1/tokens/");

const traceparent = {
  name: "traceparent",
  in: "header",
  description: "W3C trace context; carried through to the processor.",
  schema: { type: "string" },
} as const;

const callerRequestId = {
  name: "X-Request-Id",
  in: "header",
  description: "What you call this request; given back as it came. Anything longer, or not printable, is left out.",
  schema: { type: "string", minLength: 1, maxLength: limits.callerRequestIdLengthMax, pattern: "^[\\x21-\\x7e]+$" },
} as const;

function describeOperation(operationId: string, operation: Operation): Json {
  const parameters = [
    ...(operation.path.includes("{id}") ? [isOfTokens(operation) ? tokenId : paymentId] : []),
    ...(operation.method === "POST" ? [idempotencyKey] : []),
    ...queryParameters(operation.query),
    traceparent,
    callerRequestId,
  ];
  return {
    operationId,
    summary: operation.summary,
    description: operation.description,
    tags: [isOfTokens(operation) ? "tokens" : "payments"],
    parameters,
    ...(operation.body === undefined ? {} : { requestBody: describeBody(operation) }),
    responses: { ...describeAnswers(operation), ...describeErrors(operation) },
  };
}

function describeBody({ body, isBodyOptional }: Operation): Json {
  return { required: isBodyOptional !== true, content: json(reference(titleOf(body as TSchema))) };
}

function queryParameters(query: TSchema | undefined): Json[] {
  const { properties = {} } = (query ?? {}) as { properties?: Readonly<Record<string, Json>> };
  return Object.entries(properties).map(([name, schema]) => {
    const { description, "x-openapi-schema": shown, ...rest } = plain(schema) as Json;
    return { name, in: "query", required: false, description, schema: shown ?? rest };
  });
}

const always = {
  "Request-Id": { $ref: "#/components/headers/Request-Id" },
  "X-Request-Id": { $ref: "#/components/headers/X-Request-Id" },
} as const;
const replayed = { "Idempotent-Replayed": { $ref: "#/components/headers/Idempotent-Replayed" } } as const;
const later = { "Retry-After": { $ref: "#/components/headers/Retry-After" } } as const;

function describeAnswers({ method, answer, doneStatus }: Operation): Json {
  const content = json(reference(answer));
  if (method !== "POST") return { "200": { description: "The answer.", headers: always, content } };
  const inFlight = {
    description: "A request with this key is under way, or its outcome is not known yet. Ask again with the same key.",
    headers: { ...always, ...later },
    content: json({ anyOf: [reference(answer), reference("InFlight")] }),
  };
  const replay = { description: "The stored answer of the first request with this key.", headers: { ...always, ...replayed }, content };
  const done = { description: "Done.", headers: always, content };
  if (doneStatus === 201) return { "200": replay, "201": done, "202": inFlight };
  return {
    "200": { ...done, description: "Done, now or by the first request with this key.", headers: { ...always, ...replayed } },
    "202": inFlight,
  };
}

/** One response per status, with the codes it may have. */
function describeErrors(operation: Operation): Json {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codesOf(operation)) {
    const { http } = errorCatalogue[code];
    byStatus.set(http, [...(byStatus.get(http) ?? []), code]);
  }
  const entries = [...byStatus].sort(([left], [right]) => left - right);
  return Object.fromEntries(
    entries.map(([status, codes]) => [
      String(status),
      {
        description: codes.map((code) => `\`${code}\`: ${errorCatalogue[code].help}`).join("\n\n"),
        headers: status === 429 || status === 503 ? { ...always, ...later } : always,
        content: json(reference("Error")),
      },
    ]),
  );
}

function json(schema: Json): Json {
  return { "application/json": { schema } };
}

function reference(name: string): Json {
  return { $ref: `#/components/schemas/${name}` };
}

function titleOf(schema: TSchema): string {
  return (schema as { title?: string }).title ?? "";
}

/** Without what the library keeps beside the JSON Schema. */
function plain(schema: object): Json {
  return JSON.parse(JSON.stringify(schema)) as Json;
}

/**
 * Who comes in: key, rate and room of a REST call, in this order and once, before its body is looked at (R94, C14, C15).
 *
 * A crowd hears many more noes than yeses. A fifth of what a no costs is the framework's way to one: its route, its objects for request and reply, its
 * hooks and its way for errors (bench/edge.bench.ts). So where the first line and a key that is proven already say it all, the no is answered before the
 * framework sees the request. Whatever is not as plain goes the long way, and is judged there by the same rules.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { FastifyRequest } from "fastify";
import type { Authenticator } from "../app/authenticate.ts";
import type { FrontDoor } from "../app/front-door.ts";
import type { RateLimit } from "../app/rate-limit.ts";
import type { ApiKey } from "../domain/api-key.ts";
import { isWorkName, type WorkName } from "../domain/workload.ts";
import type { Answering } from "./answer.ts";
import { api, operationIds } from "./api.ts";
import { toEdgeFault } from "./framework-fault.ts";
import { nextRequestId } from "./request-id.ts";

export interface Doorman {
  /** True: the request was refused and answered. False: it goes on to the framework. */
  refuses(request: IncomingMessage, response: ServerResponse): boolean;
  /** A hook of the framework. Sets `apiKey`; an AppError when the request is refused here. */
  admit(request: FastifyRequest, next: (error?: Error) => void): void;
}

/** Operations by their first line, those with an id in it left out: their path has to be taken apart. */
const plainOperations: ReadonlyMap<string, WorkName> = new Map(
  operationIds.flatMap((operationId) => {
    const { method, path } = api[operationId];
    return path.includes("{id}") ? [] : [[`${method} ${path}`, operationId] as const];
  }),
);

export function createDoorman(o: {
  readonly authenticator: Authenticator;
  readonly rateLimit: RateLimit;
  readonly door: FrontDoor;
  readonly answering: Answering;
}): Doorman {
  const { authenticator, rateLimit, door, answering } = o;
  /** Keys of requests that came past the first look; their rate is counted. */
  const letIn = new WeakMap<IncomingMessage, ApiKey>();

  const judge = (key: ApiKey, operation: string): void => {
    rateLimit.take(key);
    if (isWorkName(operation)) door.look(operation, key.merchantId);
  };

  const judgeHere = (request: FastifyRequest, key: ApiKey): void => {
    request.apiKey = key;
    judge(key, request.routeOptions.config.operation ?? "");
  };

  return {
    refuses(request, response) {
      const { method, url, headers } = request;
      const operation = plainOperations.get(`${method} ${url}`);
      // HTTP/1.1 without a Host is a bad request before it is anything else.
      if (operation === undefined || headers.host === undefined) return false;
      const startedAtMs = performance.now();
      const key = authenticator.provenKey(headers.authorization);
      if (key === undefined) return false;
      try {
        judge(key, operation);
      } catch (thrown) {
        answering.writeFault(response, { id: nextRequestId(), headers, startedAtMs }, toEdgeFault(thrown), operation);
        return true;
      }
      letIn.set(request, key);
      return false;
    },

    admit(request, next) {
      const known = letIn.get(request.raw);
      if (known !== undefined) {
        request.apiKey = known;
        next();
        return;
      }
      let pending: Promise<void> | undefined;
      try {
        const key = authenticator.authenticate(request.headers.authorization, request);
        if (key instanceof Promise) pending = key.then((proven) => judgeHere(request, proven));
        else judgeHere(request, key);
      } catch (thrown) {
        next(thrown as Error);
        return;
      }
      if (pending === undefined) next();
      else pending.then(() => next(), next);
    },
  };
}

/** One Connect call on its way through the edge: what the plugin knows of it, for the gate and for the service. */
import { type ContextKey, createContextKey } from "@connectrpc/connect";
import type { AppError } from "@florin/kernel";
import type { FastifyRequest } from "fastify";
import type { ApiKey } from "../domain/api-key.ts";

export type Visit = {
  readonly requestId: string;
  /** Absent when the call was refused before or while the key was proven. */
  readonly key: ApiKey | undefined;
  readonly request: FastifyRequest;
  /** Why it was refused, wherever that was. */
  fault: AppError | undefined;
};

export const visitKey: ContextKey<Visit | undefined> = createContextKey<Visit | undefined>(undefined);

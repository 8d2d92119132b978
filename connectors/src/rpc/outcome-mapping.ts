/** Outcomes on the wire. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type ConnectorInfoSchema, OutcomeKind, type OutcomeSchema, type QueryResponseSchema } from "@florin/gen/connectors/v1/connectors";
import type { Connector } from "../contract/connector.ts";
import type { Outcome, QueryAnswer } from "../contract/outcome.ts";

const kinds: Record<Outcome["kind"], OutcomeKind> = {
  approved: OutcomeKind.APPROVED,
  declined: OutcomeKind.DECLINED,
  not_sent: OutcomeKind.NOT_SENT,
  unknown: OutcomeKind.UNKNOWN,
};

export function outcomeToWire(outcome: Outcome): MessageInitShape<typeof OutcomeSchema> {
  const kind = kinds[outcome.kind];
  switch (outcome.kind) {
    case "approved":
      return { kind, ...outcome.words, isFinal: outcome.isFinal };
    case "declined":
      return { kind, ...outcome.words, declineReason: outcome.reason };
    case "not_sent":
      return { kind, cause: outcome.cause };
    case "unknown":
      return { kind, ...outcome.words, cause: outcome.cause };
  }
}

/** `found` false means: the processor surely has no such operation. One that could not be asked is found, with an unknown outcome. */
export function queryAnswerToWire(answer: QueryAnswer): MessageInitShape<typeof QueryResponseSchema> {
  return answer.kind === "found" ? { found: true, outcome: outcomeToWire(answer.outcome) } : { found: false };
}

export function connectorToWire({ name, capabilities }: Connector): MessageInitShape<typeof ConnectorInfoSchema> {
  return { name, capabilities: { ...capabilities, currencies: [...capabilities.currencies], brands: [...capabilities.brands] } };
}

/** Outcomes on the wire. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { holdsCardNumber } from "@florin/detector";
import {
  type ConnectorInfoSchema,
  type GrantLinksResponseSchema,
  GrantResult,
  OutcomeKind,
  type OutcomeSchema,
  type QueryResponseSchema,
} from "@florin/gen/connectors/v1/connectors";
import type { GrantAnswer } from "../app/link-grants.ts";
import type { Connector } from "../contract/connector.ts";
import { isUsableReference, type Outcome, type ProcessorWords, type QueryAnswer } from "../contract/outcome.ts";

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
      return { kind, ...wordsToWire(outcome.words), isFinal: outcome.isFinal };
    case "declined":
      return { kind, ...wordsToWire(outcome.words), declineReason: outcome.reason };
    case "not_sent":
      return { kind, cause: outcome.cause };
    case "unknown":
      return { kind, ...(outcome.words && wordsToWire(outcome.words)), cause: outcome.cause };
  }
}

/**
 * An id that no command could bring back is left out: captures and refunds then name the authorization by our own reference. So is a word with a card
 * number in it, as of a host that repeats what it was sent: words are stored, shown and logged.
 */
function wordsToWire(words: ProcessorWords): ProcessorWords {
  const { processorReference, responseCode, authCode } = words;
  return {
    ...words,
    processorReference: isUsableReference(processorReference) ? withoutCard(processorReference) : "",
    responseCode: withoutCard(responseCode),
    authCode: withoutCard(authCode),
  };
}

function withoutCard(word: string): string {
  return holdsCardNumber(word) ? "" : word;
}

/** `found` false means: the processor surely has no such operation. One that could not be asked is found, with an unknown outcome. */
export function queryAnswerToWire(answer: QueryAnswer): MessageInitShape<typeof QueryResponseSchema> {
  return answer.kind === "found" ? { found: true, outcome: outcomeToWire(answer.outcome) } : { found: false };
}

const grantResults: Record<GrantAnswer["result"], GrantResult> = {
  asked: GrantResult.UNSPECIFIED,
  held: GrantResult.HELD,
  expired: GrantResult.EXPIRED,
  lower_term: GrantResult.LOWER_TERM,
  other_process: GrantResult.OTHER_PROCESS,
};

export function grantToWire({ result, processId, clockMs, term }: GrantAnswer): MessageInitShape<typeof GrantLinksResponseSchema> {
  return { result: grantResults[result], processId, clockMs: BigInt(clockMs), term };
}

export function connectorToWire({ name, capabilities }: Connector): MessageInitShape<typeof ConnectorInfoSchema> {
  return { name, capabilities: { ...capabilities, currencies: [...capabilities.currencies], brands: [...capabilities.brands] } };
}

/** The connectors process and a processor with books behind it, as a real RPC server: the only thing besides the vault that is not real here. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { ConnectorService, OutcomeKind, type OutcomeSchema } from "@florin/gen/connectors/v1/connectors";
import { type CallContext, implement, type RpcServer, startRpcServer } from "@florin/runtime/rpc";
import type { Logger } from "@florin/runtime/telemetry";
import type { TlsSetting } from "@florin/runtime/tls";

export type WireOutcome = MessageInitShape<typeof OutcomeSchema>;
export type Kind = "authorize" | "capture" | "void" | "refund";
export type Strategy = "query" | "repeat" | "reverse" | "file";
export type Booked = {
  readonly kind: Kind;
  readonly connector: string;
  readonly amount: bigint;
  readonly currency: string;
  readonly outcome: WireOutcome;
};

export const outcomes = {
  approved: {
    kind: OutcomeKind.APPROVED,
    processorReference: "sp_1",
    responseCode: "00",
    authCode: "A1B2C3",
    avs: "match",
    cvv: "match",
    isFinal: true,
  },
  accepted: { kind: OutcomeKind.APPROVED, processorReference: "sp_1", responseCode: "00", isFinal: false },
  declined: { kind: OutcomeKind.DECLINED, responseCode: "51", declineReason: "insufficient_funds" },
  /** Another way to the same issuer may be approved. */
  softDeclined: { kind: OutcomeKind.DECLINED, responseCode: "05", declineReason: "do_not_honor" },
  notSent: { kind: OutcomeKind.NOT_SENT, cause: "connection_refused" },
  unknown: { kind: OutcomeKind.UNKNOWN, cause: "timeout" },
  /** The processor speaks of another amount. */
  mismatch: { kind: OutcomeKind.UNKNOWN, cause: "answer_mismatch" },
} as const satisfies Record<string, WireOutcome>;

/** Connectors of the process. Behind them is one set of books, so that nothing can be charged at one and overlooked at the other. */
export const connectorNames = ["simpay", "other", "third", "fourth"] as const;

export type Processor = {
  readonly server: RpcServer;
  /** What was booked, by our reference. A reference is booked once. */
  readonly books: Map<string, Booked>;
  /** Calls, repeated ones included. */
  readonly calls: Record<Kind | "query" | "reverse", number>;
  /** How long the caller of each operation waits, ms. */
  readonly waits: number[];
  /** Changes what the connectors declare; a switch that has asked before asks again after a minute. */
  abilities: { unknownStrategy: Strategy; reversal: boolean };
  /** What the switch said of secrets, the last of each version. */
  readonly secrets: Map<number, readonly string[]>;
  /** References that were undone: what is in the books has no effect, what comes later is refused. */
  readonly reversed: Set<string>;
  /** What a reversal meets; by default it is carried out. */
  answerReversal: ((reference: string) => WireOutcome) | undefined;
  /** What a new operation meets; change at will. `book` false: the processor never hears of it. */
  behave: (kind: Kind, reference: string, connector: string) => Promise<Meeting> | Meeting;
  /** What a query says of a reference; the books by default. */
  answerQuery: ((reference: string) => { found: boolean; outcome?: WireOutcome }) | undefined;
  reset(): void;
};

/** `told`: what the caller hears. `booked`: what the processor did, and with which amount; the same unless given. */
export type Meeting = { readonly told: WireOutcome; readonly booked?: WireOutcome | "nothing"; readonly bookedAmount?: bigint };

export async function startProcessor(o: { tls: TlsSetting; logger: Logger }): Promise<Processor> {
  const books = new Map<string, Booked>();
  const calls = { authorize: 0, capture: 0, void: 0, refund: 0, query: 0, reverse: 0 };
  const waits: number[] = [];
  const reversed = new Set<string>();
  const secrets = new Map<number, readonly string[]>();
  const approve = (): Meeting => ({ told: outcomes.approved });
  type Request = { readonly reference: string; readonly connector: string; readonly amount?: bigint; readonly currency?: string };
  const perform = async (kind: Kind, { reference, connector, amount = 0n, currency = "" }: Request, { deadlineAtMs }: CallContext) => {
    calls[kind] += 1;
    waits.push(deadlineAtMs - Date.now());
    if (reversed.has(reference)) return { outcome: outcomes.declined };
    const before = books.get(reference);
    if (before !== undefined) return { outcome: before.outcome };
    const { told, booked = told, bookedAmount = amount } = await processor.behave(kind, reference, connector);
    if (booked !== "nothing" && booked.kind !== OutcomeKind.NOT_SENT)
      books.set(reference, { kind, connector, amount: bookedAmount, currency, outcome: booked });
    return { outcome: told };
  };
  const service = implement(ConnectorService, {
    authorize: (request, context) => perform("authorize", request, context),
    capture: (request, context) => perform("capture", request, context),
    void: ({ reference, connector }, context) => perform("void", { reference, connector }, context),
    refund: (request, context) => perform("refund", request, context),
    async reverse({ originalReference }) {
      calls.reverse += 1;
      const outcome = processor.answerReversal?.(originalReference) ?? outcomes.approved;
      if (outcome.kind === OutcomeKind.APPROVED) reversed.add(originalReference);
      return { outcome };
    },
    async query({ reference, amount, currency }) {
      calls.query += 1;
      if (processor.answerQuery !== undefined) return processor.answerQuery(reference);
      if (reversed.has(reference)) return { found: true, outcome: outcomes.declined };
      const booked = books.get(reference);
      if (booked === undefined) return { found: false };
      // As every connector does: what is about something else than the question says nothing. Of a void both have no amount.
      const isMeant = booked.amount === amount && booked.currency === currency;
      return { found: true, outcome: isMeant ? booked.outcome : outcomes.mismatch };
    },
    async applySecrets({ version, references }) {
      secrets.set(
        version,
        references.map(({ processor, name, reference }) => `${processor}.${name}=${reference}`),
      );
      return { version, unresolved: 0 };
    },
    ping: async () => ({ isUp: true, roundTripUs: 1 }),
    grantLinks: async () => ({}),
    // It never calls back.
    async *watchNews() {},
    listConnectors: async () => ({
      connectors: connectorNames.map((name) => ({ name, capabilities: { ...processor.abilities, multipleCaptures: name === "other" } })),
    }),
  });
  const server = await startRpcServer({
    host: "127.0.0.1",
    port: 0,
    tls: o.tls,
    services: [service],
    policy: { switch: ["florin.connectors.v1.ConnectorService/*"] },
    allowInsecure: true,
    logger: o.logger,
  });
  const processor: Processor = {
    server,
    books,
    calls,
    waits,
    abilities: { unknownStrategy: "query", reversal: true },
    secrets,
    reversed,
    answerReversal: undefined,
    behave: approve,
    answerQuery: undefined,
    reset() {
      waits.length = 0;
      books.clear();
      reversed.clear();
      Object.assign(calls, { authorize: 0, capture: 0, void: 0, refund: 0, query: 0, reverse: 0 });
      processor.abilities = { unknownStrategy: "query", reversal: true };
      processor.answerReversal = undefined;
      processor.behave = approve;
      processor.answerQuery = undefined;
    },
  };
  return processor;
}

/**
 * Every metric of every process: name, kind, unit, meaning, labels. The one place; types and documentation are derived from it.
 *
 * Names end in the unit. Labels are closed unions, so that no request can make a new time series; where code elsewhere names the values
 * (connectors, batches, routes) the label is `named`, and values beyond its bound are counted as "other".
 */

/** At most `valuesMax` different values; given by code, never by a request. */
export type NamedLabel = { readonly valuesMax: number };
export type LabelValues = readonly string[] | NamedLabel;

export type MetricEntry = {
  readonly kind: "counter" | "histogram" | "gauge";
  /** UCUM, as in OpenTelemetry: s, By, {event}; empty for a plain count. */
  readonly unit: string;
  readonly help: string;
  readonly labels: Readonly<Record<string, LabelValues>>;
  /** Upper bounds of a histogram's buckets, in the unit. */
  readonly buckets?: readonly number[];
};

const secondsBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;
const sizeBuckets = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024] as const;

const operations = ["authorize", "capture", "void", "refund"] as const;
const statusClasses = ["2xx", "3xx", "4xx", "5xx"] as const;

export const metricTable = {
  // Edge.
  edge_request_duration_seconds: {
    kind: "histogram",
    unit: "s",
    help: "Time from the parsed request head to the answer handed to the socket.",
    labels: { route: { valuesMax: 40 }, status_class: statusClasses },
    buckets: secondsBuckets,
  },
  edge_requests_total: {
    kind: "counter",
    unit: "{request}",
    help: "Requests answered.",
    labels: { route: { valuesMax: 40 }, status_class: statusClasses },
  },
  edge_rate_limited_total: { kind: "counter", unit: "{request}", help: "Requests refused because a key asked too often.", labels: {} },
  edge_settings_version: { kind: "gauge", unit: "{version}", help: "Version of the settings whose limits this edge keeps.", labels: {} },
  edge_shed_total: {
    kind: "counter",
    unit: "{request}",
    help: "Requests sent away with 503 before anything was done: the house was full for such work, too many of the kind, too many of one merchant.",
    labels: { workload: ["read", "capture", "refund", "authorize"], reason: ["order", "bulkhead", "fairness"] },
  },
  edge_in_flight_limit: {
    kind: "gauge",
    unit: "{request}",
    help: "Calls of merchants that may be in flight now, found by how long our own part of them takes.",
    labels: {},
  },
  edge_in_flight_requests: { kind: "gauge", unit: "{request}", help: "Calls of merchants that wait for the switch now.", labels: {} },
  edge_api_key_lookups_total: {
    kind: "counter",
    unit: "{lookup}",
    help: "API keys looked up, by where they were found.",
    labels: { result: ["cache", "database", "unknown"] },
  },

  // Switch.
  switch_operation_duration_seconds: {
    kind: "histogram",
    unit: "s",
    help: "Time of one operation inside the switch, the processor's answer included.",
    labels: {
      operation: [...operations, "create", "get", "list"],
      outcome: ["done", "replayed", "in_flight", "declined", "refused", "unknown", "fault"],
    },
    buckets: secondsBuckets,
  },
  switch_append_batch_size: {
    kind: "histogram",
    unit: "{event}",
    help: "Events appended to the payment log by one statement.",
    labels: {},
    buckets: sizeBuckets,
  },
  switch_append_duration_seconds: {
    kind: "histogram",
    unit: "s",
    help: "Time of one append statement, commit included.",
    labels: {},
    buckets: secondsBuckets,
  },
  switch_append_conflicts_total: {
    kind: "counter",
    unit: "{event}",
    help: "Events not appended because another writer was first.",
    labels: { kind: ["sequence", "key", "reference", "batch_aborted"] },
  },
  switch_claims_total: {
    kind: "counter",
    unit: "{claim}",
    help: "Idempotency claims by what Redis answered.",
    labels: { result: ["new", "done", "in_flight", "reuse", "degraded"] },
  },
  switch_redis_unavailable_total: {
    kind: "counter",
    unit: "{call}",
    help: "Redis calls that failed; the database decided instead.",
    labels: {},
  },
  switch_open_operations: {
    kind: "gauge",
    unit: "{operation}",
    help: "Operations with an intent and no outcome, by the time since their intent, as the replica that leads recovery sees them.",
    labels: { age: ["30s", "5m", "1h", "1d", "more"] },
  },
  switch_money_at_risk_minor: {
    kind: "gauge",
    unit: "{minor unit}",
    help: "Sum of the amounts of open operations, by currency.",
    labels: { currency: { valuesMax: 200 } },
  },
  switch_operation_resolution_seconds: {
    kind: "histogram",
    unit: "s",
    help: "From the intent of an operation that recovery followed to its outcome.",
    labels: { outcome: ["succeeded", "failed", "reversed"] },
    buckets: [1, 2, 4, 8, 16, 32, 60, 300, 1_800, 3_600, 21_600, 86_400, 259_200],
  },
  switch_reversals_total: {
    kind: "counter",
    unit: "{reversal}",
    help: "Reversals of what was called failed and approved later. Failed ones need people: docs/operations.",
    labels: { outcome: ["requested", "succeeded", "failed"] },
  },
  switch_recovered_operations_total: {
    kind: "counter",
    unit: "{operation}",
    help: "Open operations that recovery brought to an end.",
    labels: { outcome: ["succeeded", "failed", "reversed", "ambiguous"] },
  },
  switch_follow_up_faults_total: {
    kind: "counter",
    unit: "{look}",
    help: "Open operations that recovery could not look at for their own sake: a row that a newer release wrote, or a bug. The log names them; the others go on.",
    labels: {},
  },
  switch_fraud_decisions_total: {
    kind: "counter",
    unit: "{decision}",
    help: "Fraud decisions by risk level.",
    labels: { level: ["low", "elevated", "high", "blocked"] },
  },
  switch_settings_version: { kind: "gauge", unit: "{version}", help: "Version of the settings that this replica works by.", labels: {} },
  switch_settings_unread_version: {
    kind: "gauge",
    unit: "{version}",
    help: "Newer version of the settings that this replica's release cannot read; 0: none.",
    labels: {},
  },
  switch_relay_lag_events: {
    kind: "gauge",
    unit: "{position}",
    help: "Log positions not published yet. Warn at 1,000, page at 10,000.",
    labels: {},
  },
  switch_relay_published_total: { kind: "counter", unit: "{event}", help: "Events published and acknowledged by the broker.", labels: {} },
  switch_cascade_steps_total: {
    kind: "counter",
    unit: "{step}",
    help: "What followed an attempt that another processor might have approved: the next one, or why none.",
    labels: {
      step: [
        "next",
        "no_candidate",
        "attempts_used",
        "network_category_1",
        "network_declines_per_day",
        "network_declines_per_30_days",
        "history_unavailable",
      ],
    },
  },
  switch_network_guard_total: {
    kind: "counter",
    unit: "{payment}",
    help: "Payments that were not sent because the card networks forbid another try of the card.",
    labels: { reason: ["network_category_1", "network_declines_per_day", "network_declines_per_30_days"] },
  },
  switch_declines_uncounted_total: {
    kind: "counter",
    unit: "{decline}",
    help: "Declines that were found out later and could not be counted for the card networks' rules: vault or database were away.",
    labels: {},
  },
  switch_shed_total: {
    kind: "counter",
    unit: "{request}",
    help: "Calls answered overloaded before anything was done: the switch was full for such work, too many of the kind, too many of one merchant.",
    labels: { workload: ["read", "capture", "refund", "authorize"], reason: ["order", "bulkhead", "fairness"] },
  },
  switch_in_flight_calls: { kind: "gauge", unit: "{call}", help: "Calls of merchants that the switch works on now.", labels: {} },
  switch_retries_refused_total: {
    kind: "counter",
    unit: "{call}",
    help: "Questions and repetitions not sent to a processor because too many of them had no answer.",
    labels: { connector: { valuesMax: 40 } },
  },
  switch_circuit_changes_total: {
    kind: "counter",
    unit: "{change}",
    help: "Circuits of processors that opened, were tried or closed again.",
    labels: { connector: { valuesMax: 40 }, operation: operations, state: ["open", "half_open", "closed"] },
  },
  switch_circuit_refusals_total: {
    kind: "counter",
    unit: "{operation}",
    help: "Operations not sent because the processor's circuit was open.",
    labels: { connector: { valuesMax: 40 }, operation: operations },
  },
  switch_circuits_not_closed: {
    kind: "gauge",
    unit: "{circuit}",
    help: "Circuits of processors that are open or being tried.",
    labels: {},
  },
  switch_link_terms_total: {
    kind: "counter",
    unit: "{term}",
    help: "Terms under which live links were granted: begun by a replica that took the lock, or because the links went to another process.",
    labels: { connector: { valuesMax: 40 }, reason: ["lead", "hand_over"] },
  },
  switch_expired_total: { kind: "counter", unit: "{payment}", help: "Authorizations that expired.", labels: {} },

  // Connectors.
  connectors_requests_total: {
    kind: "counter",
    unit: "{request}",
    help: "Requests to processors by outcome.",
    labels: {
      connector: { valuesMax: 40 },
      operation: [...operations, "reverse", "query", "ping"],
      outcome: ["approved", "declined", "not_sent", "unknown"],
    },
  },
  connectors_link_notices_total: {
    kind: "counter",
    unit: "{message}",
    help: "Messages on live links to processors that were nobody's answer. unmade: one of ours that was not sent, for want of a code or because it did not fit; unheard: an answer to a processor that asks and does not read.",
    labels: {
      connector: { valuesMax: 40 },
      notice: ["late", "duplicate", "stray", "garbled", "mac_wrong", "unasked", "unmade", "unheard"],
    },
  },
  connectors_totals_total: {
    kind: "counter",
    unit: "{window}",
    help: "Windows of a terminal and a currency whose totals were compared with the processor's. explained: it has more, within what nobody has answered for. Page at different.",
    labels: { connector: { valuesMax: 40 }, result: ["balanced", "explained", "different", "unanswered", "given_up"] },
  },
  connectors_link_grants_total: {
    kind: "counter",
    unit: "{grant}",
    help: "Grants of live links by what became of them. Links without a grant that is held are signed off.",
    labels: { connector: { valuesMax: 40 }, result: ["held", "expired", "lower_term", "other_process"] },
  },
  connectors_callbacks_total: {
    kind: "counter",
    unit: "{callback}",
    help: "Callbacks of processors: taken by whoever waited, unawaited (passed on as news), repeated, and those that were refused.",
    labels: {
      connector: { valuesMax: 40 },
      result: ["taken", "unawaited", "repeated", "malformed", "signature_wrong", "time_wrong", "too_large", "too_many"],
    },
  },
  connectors_secrets_version: {
    kind: "gauge",
    unit: "{version}",
    help: "Version of the settings whose secrets are in use; 0: none was told.",
    labels: {},
  },
  connectors_secrets_unresolved: {
    kind: "gauge",
    unit: "{reference}",
    help: "References to secrets that could not be resolved; the connectors keep the keys that they have.",
    labels: {},
  },
  connectors_request_duration_seconds: {
    kind: "histogram",
    unit: "s",
    help: "Time of one request to a processor.",
    labels: { connector: { valuesMax: 40 }, operation: [...operations, "reverse", "query", "ping"] },
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 30],
  },

  // Vault.
  vault_tokens_created_total: { kind: "counter", unit: "{token}", help: "Tokens made from cards.", labels: {} },
  vault_tokens_deleted_total: {
    kind: "counter",
    unit: "{token}",
    help: "Tokens deleted with their cards, because somebody asked for it or because they had expired.",
    labels: { reason: ["deleted", "expired"] },
  },
  vault_describe_total: { kind: "counter", unit: "{token}", help: "Tokens described.", labels: { result: ["ok", "not_found", "fault"] } },
  vault_detokenize_total: {
    kind: "counter",
    unit: "{token}",
    help: "Cards opened for a connector.",
    labels: { result: ["ok", "not_found", "refused", "fault"] },
  },
  vault_rate_limited_total: {
    kind: "counter",
    unit: "{request}",
    help: "Cards refused because an address or a publishable key handed in too many.",
    labels: { by: ["address", "key"] },
  },
  vault_hsm_calls_total: {
    kind: "counter",
    unit: "{call}",
    help: "Calls of the module that guards the keys. Rises at the start, with each epoch and when keys are read again; never with payments.",
    labels: { call: ["wrap_key", "unwrap_key", "random_bytes", "read_generation", "raise_generation"] },
  },
  vault_seals_total: { kind: "counter", unit: "{card}", help: "Cards sealed under a data key.", labels: {} },

  // Ledger.
  ledger_posted_events_total: {
    kind: "counter",
    unit: "{event}",
    help: "Events turned into transfers, those without a posting included.",
    labels: {},
  },
  ledger_position_lag_events: { kind: "gauge", unit: "{position}", help: "Log positions known of and not posted yet.", labels: {} },
  ledger_batch_size: { kind: "histogram", unit: "{event}", help: "Events posted by one transaction.", labels: {}, buckets: sizeBuckets },

  // Simulator.
  simulator_requests_total: {
    kind: "counter",
    unit: "{request}",
    help: "Requests of the acquirer's API, by what its books did; not_reached: a fault came before them.",
    labels: {
      operation: ["authorization", "capture", "void", "refund", "reversal", "query"],
      result: ["booked", "repeated", "found", "refused", "not_reached"],
    },
  },
  simulator_faults_total: {
    kind: "counter",
    unit: "{fault}",
    help: "Faults that a rule made happen.",
    labels: {
      fault: [
        "timeout_before_charge",
        "timeout_after_charge",
        "reset_after_approval",
        "duplicate_answer",
        "garbage",
        "outage",
        "slow_drip",
        "unmapped_code",
        "denied_query",
        "wrong_mac",
        "malfunction",
        "malfunction_after_charge",
        "turned_away",
        "no_original",
        "delay",
        "callback_first",
        "callback_only",
        "callback_late",
        "callback_twice",
        "callback_never",
        "callback_forged",
        "callback_shuffled",
      ],
    },
  },

  // Every process.
  rpc_commands_in_flight: {
    kind: "gauge",
    unit: "{command}",
    help: "Framed commands without an answer yet.",
    labels: { side: ["client", "server"] },
  },
  rpc_frames_commands: {
    kind: "histogram",
    unit: "{command}",
    help: "Commands per frame.",
    labels: { side: ["client", "server"] },
    buckets: sizeBuckets,
  },
  batch_queue_depth: { kind: "gauge", unit: "{member}", help: "Members waiting for the next batch.", labels: { batch: { valuesMax: 40 } } },
  bus_redelivered_total: { kind: "counter", unit: "{batch}", help: "Event batches delivered again after a handler failed.", labels: {} },
  bus_gaps_total: { kind: "counter", unit: "{gap}", help: "Gaps in the broker's stream that were filled from the log.", labels: {} },
  process_card_numbers_masked_total: {
    kind: "counter",
    unit: "{number}",
    help: "Card numbers that the last guard masked. Page at any in log or span (docs/operations/card-number-found.md); in an answer it is what a caller sent.",
    labels: { place: ["log", "span", "answer"] },
  },
  process_event_loop_lag_seconds: {
    kind: "gauge",
    unit: "s",
    help: "99th percentile of the event loop's delay since the last scrape.",
    labels: {},
  },
  process_resident_memory_bytes: { kind: "gauge", unit: "By", help: "Resident memory.", labels: {} },
  process_cpu_seconds_total: { kind: "counter", unit: "s", help: "CPU time, user and system.", labels: {} },
} as const satisfies Readonly<Record<string, MetricEntry>>;

type Table = typeof metricTable;
export type MetricName = keyof Table;
type NameOf<Kind extends MetricEntry["kind"]> = { [Name in MetricName]: Table[Name]["kind"] extends Kind ? Name : never }[MetricName];
export type CounterName = NameOf<"counter">;
export type HistogramName = NameOf<"histogram">;
export type GaugeName = NameOf<"gauge">;

type ValueOf<Values> = Values extends readonly (infer Value)[] ? Value : string;
/** The labels of one metric, each with its closed set of values. */
export type LabelsOf<Name extends MetricName> = { readonly [Label in keyof Table[Name]["labels"]]: ValueOf<Table[Name]["labels"][Label]> };

/** The table for the documentation, in its order. */
export function metricTableMarkdown(): string {
  const rows = Object.entries(metricTable as Readonly<Record<string, MetricEntry>>).map(([name, entry]) => {
    const labels = Object.entries(entry.labels).map(
      ([label, values]) => `\`${label}\` (${"valuesMax" in values ? `at most ${values.valuesMax} values` : values.join(", ")})`,
    );
    return `| \`${name}\` | ${entry.kind} | ${entry.unit === "" ? "–" : `\`${entry.unit}\``} | ${labels.join("; ") || "–"} | ${entry.help} |`;
  });
  return ["| Metric | Kind | Unit | Labels | Meaning |", "| --- | --- | --- | --- | --- |", ...rows, ""].join("\n");
}

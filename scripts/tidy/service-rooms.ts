/** Rooms that only one service has, or has in another form, each with what it may import. A new one is a decision: say here what it is for. */
import { type Room, rooms } from "./import-rules.ts";

/** A room of every service that sees more of this one's own rooms. */
const also = (name: string, ...own: readonly string[]): Room => {
  const room = rooms[name] as Room;
  return { ...room, own: [...room.own, ...own] };
};

/** One folder per processor. */
const connector: Room = {
  own: ["contract", "http1"],
  kernel: true,
  runtime: true,
  gen: false,
  packages: true,
  instead: "a connector turns one operation into the processor's words and back; it knows the contract and its transport only",
};

export const serviceRooms: Readonly<Record<string, Readonly<Record<string, Room>>>> = {
  connectors: {
    // The words between connectors and the rest of this service: pure, like a domain.
    contract: {
      own: [],
      kernel: true,
      runtime: false,
      gen: false,
      packages: false,
      instead: "the contract is values and types that every connector shares",
    },
    http1: {
      own: [],
      kernel: true,
      runtime: false,
      gen: false,
      packages: true,
      instead: "a transport knows bytes and connections, no payments",
    },
    // Processors that answer later: who waits, who may speak, what nobody waited for.
    callbacks: {
      own: ["contract"],
      kernel: true,
      runtime: true,
      gen: false,
      packages: true,
      instead: "callbacks knows references and outcomes; what a processor's words mean is its connector's affair",
    },
    simlater: { ...connector, own: [...connector.own, "callbacks"] },
    simpay: connector,
    simiso: { ...connector, own: [...connector.own, "iso8583"] },
    // Codec, framing, link and multiplexer have one room: they speak of the same messages.
    iso8583: connector,
    "registry.ts": {
      own: ["contract", "type:config.ts", "type:iso8583", "simiso", "simlater", "simpay"],
      kernel: true,
      runtime: true,
      gen: false,
      packages: false,
      instead: "the registry lists connectors, one line each",
    },
    app: also("app", "contract", "registry.ts"),
    clients: also("clients", "contract"),
    rpc: also("rpc", "contract", "type:callbacks"),
    workers: also("workers", "registry.ts"),
  },
  switch: {
    // The one place where names of the wire and of the domain meet; both tables are total, so a new status does not compile until mapped.
    "wire.ts": { own: ["domain"], kernel: true, runtime: false, gen: true, packages: true, instead: "wire.ts maps words, nothing else" },
    // Crash points are named where they are, and chosen by a setting.
    "config.ts": also("config.ts", "app"),
    // Lists and the log's tail are questions with nothing to decide.
    rpc: also("rpc", "store", "wire.ts"),
    store: also("store", "wire.ts"),
    // The relay hands over what the log holds, as it is on the wire.
    workers: { ...also("workers"), gen: true },
  },
  // Questions with nothing to decide: the answer is what the store holds, and a use case between the two would only pass it on.
  ledger: { rpc: also("rpc", "store") },
  vault: {
    // The port behind which keys are kept, and its adapters.
    hsm: {
      own: [],
      kernel: true,
      runtime: true,
      gen: false,
      packages: true,
      instead: "an HSM adapter wraps and unwraps keys, nothing else",
    },
    // What runs in the payer's browser: read and served as files, imported by nobody here but tests.
    browser: {
      own: [],
      kernel: true,
      runtime: false,
      gen: false,
      packages: false,
      instead: "a browser has no packages: what a field needs stands in vault/src/browser, or in @florin/kernel/card",
    },
    app: also("app", "hsm"),
    // What custodians type: looks at keys and changes them.
    "keys.ts": { own: ["*"], kernel: true, runtime: true, gen: true, packages: true, instead: "keys.ts is an entry point" },
  },
  // Two surfaces over the same books; the HTTP one starts the other, which listens when it does.
  simulator: { rest: also("rest", "store", "iso8583"), iso8583: also("rest", "store") },
};

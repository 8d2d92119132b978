/**
 * Which part listens where: fixed distances from the edge's port, so that a running stack is easy to read.
 *
 * Only the edge's port is a promise. A port of another part that is taken, or that nobody could ask, is replaced by a free one further up.
 */
import { createServer } from "node:net";

export const portDistances = {
  edge: 0,
  vault: 1,
  simulator: 2,
  shop: 3,
  callbacks: 4,
  simulatorIso8583: 5,
  switchGrpc: 10,
  connectorsGrpc: 11,
  vaultGrpc: 12,
  ledgerGrpc: 13,
  edgeAdmin: 20,
  switchAdmin: 21,
  connectorsAdmin: 22,
  vaultAdmin: 23,
  ledgerAdmin: 24,
  simulatorAdmin: 25,
  postgres: 30,
  redis: 31,
  nats: 32,
} as const;

export type PortName = keyof typeof portDistances;
export type Ports = Readonly<Record<PortName, number>>;

const replacementsMax = 200;

/**
 * Ports of other protocols, to which browsers and `fetch` open no connection: a part that listened there would be up and could not be asked
 * (fetch standard, "Port blocking"; those above 1,023).
 */
export const portsRefusedByFetch: ReadonlySet<number> = new Set([
  1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10_080,
]);

/** Throws when the edge's port itself is taken, or one that `fetch` refuses. */
export async function planPorts(base: number): Promise<Ports> {
  if (portsRefusedByFetch.has(base))
    throw new Error(`port ${base} is one that browsers refuse to connect to: choose another one with --port`);
  if (!(await isFree(base))) throw new Error(`port ${base} is taken: choose another one with --port, or stop what listens there`);
  const names = Object.keys(portDistances) as PortName[];
  const planned = new Set(names.map((name) => base + portDistances[name]));
  const ports: Partial<Record<PortName, number>> = {};
  let next = base + 40;
  for (const name of names) {
    let port = base + portDistances[name];
    for (let tries = 0; portsRefusedByFetch.has(port) || !(await isFree(port)); tries++) {
      if (tries >= replacementsMax || next > 65_535) throw new Error(`no free port for ${name} near ${base}: choose another --port`);
      while (planned.has(next)) next++;
      port = next++;
    }
    ports[name] = port;
  }
  return ports as Ports;
}

/** True when a listener on the loopback address can be opened right now. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/**
 * The command of custodians: `npm run vault -- keys`. Looks at keys and changes them, beside a vault that serves; what each step is for and when it is
 * taken stands in docs/operations/key-rotation.md and key-ceremony.md.
 *
 * Reads the key store's settings of the vault (docs/configuration.md) and FLORIN_DATABASE_OWNER_URL. Prints no key and no share.
 */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type ConfigValues, defineConfig, loadConfig, url } from "@florin/runtime/config";
import { connectPostgres } from "@florin/runtime/postgres";
import { loadDataKeys } from "./app/data-keys.ts";
import {
  acceptRestore,
  destroyDataKey,
  mustBeTwo,
  mustBeUnused,
  type People,
  resealCards,
  retireDataKey,
  rewrapDataKeys,
  rewrapEnvelopeKeys,
  rotateDataKey,
} from "./app/key-custody.ts";
import { readRing } from "./app/key-ring.ts";
import { combineShares, makeShare, readShare } from "./app/key-shares.ts";
import { keyStoreSettings } from "./config.ts";
import { openCustody, openHsm } from "./hsm/open-hsm.ts";
import type { KekCustody, KekFacts } from "./hsm/port.ts";
import { createDataKeyStore } from "./store/data-keys.ts";
import { createEnvelopeStore } from "./store/envelopes.ts";
import { createKeyInventoryStore, type KeyInventory } from "./store/key-inventory.ts";
import { createResealStore } from "./store/reseal-cards.ts";

const usage = `npm run vault -- keys [command] [options]

  list                                the inventory: data keys, envelope keys, their use, what was done with them (--events <n>, --json)
  verify                              opens every data key, proves the ring
  rotate      --by <name>             begins the next epoch of data keys
  retire      --by --epoch <n>        an epoch seals no more
  reseal      --by                    seals the cards of retired epochs anew (--per-second <rows>, 5000)
  destroy     --by --witness --epoch <n>   a retired epoch without cards, for ever
  rewrap      --by                    wraps every data key and envelope key under the current key-encryption key
  accept-restore --by --witness       lets in a database that was set back
  kek-list                            key-encryption keys of the module
  kek-create  --by --label <label>    made in the module
  share       --file <path>           writes one custodian's random share of a key
  kek-import  --by --witness --label --share <path> --share <path> …   a key in shares
  kek-retire  --by --label            unwraps only from now on
  kek-destroy --by --witness --label  a retired one that wraps no key, for ever`;

const keysConfig = defineConfig("vault keys", {
  ...keyStoreSettings,
  databaseOwnerUrl: url({
    env: "FLORIN_DATABASE_OWNER_URL",
    help: "the vault's own database, owner role",
    protocols: ["postgres", "postgresql"],
  }),
});

const hourMs = 3_600_000;
/** What this command seals it seals under the newest epoch, however old that is. */
const epochLifeMs = 8_760 * 100 * hourMs;
const sealsMax = 2 ** 31;

type Words = {
  readonly by?: string | undefined;
  readonly witness?: string | undefined;
  readonly epoch?: string | undefined;
  readonly label?: string | undefined;
  readonly share?: readonly string[] | undefined;
  readonly file?: string | undefined;
  readonly events: string;
  readonly "per-second": string;
  readonly json: boolean;
};

/** Statement time-outs are off: a table of cards may take longer than a statement of the vault may. */
async function withStores<T>(
  config: ConfigValues<typeof keysConfig.settings>,
  work: (o: ReturnType<typeof storesOf>) => Promise<T>,
): Promise<T> {
  const sql = connectPostgres({ url: config.databaseOwnerUrl, name: "florin-vault-keys", connectionsMax: 2, statementTimeoutMs: 0 });
  try {
    return await work(storesOf(config, sql));
  } finally {
    await sql.end({ timeout: 5 });
  }
}

function storesOf(config: ConfigValues<typeof keysConfig.settings>, sql: ReturnType<typeof connectPostgres>) {
  return {
    store: createDataKeyStore(sql),
    inventory: createKeyInventoryStore(sql),
    cards: createResealStore(sql),
    envelopes: createEnvelopeStore(sql),
    async withHsm<T>(work: (hsm: Awaited<ReturnType<typeof openHsm>>) => Promise<T>): Promise<T> {
      const hsm = await openHsm(config);
      try {
        return await work(hsm);
      } finally {
        await hsm.close();
      }
    },
    async withCustody<T>(work: (custody: KekCustody) => Promise<T>): Promise<T> {
      const custody = openCustody(config);
      try {
        return await work(custody);
      } finally {
        await custody.close();
      }
    },
  };
}

type Stores = ReturnType<typeof storesOf>;
type Command = (o: Stores, words: Words) => Promise<unknown>;

const commands: Readonly<Record<string, Command>> = {
  list: async ({ inventory }, words) => {
    const found = await inventory.read(numberOf(words.events, "--events", 1_000));
    return words.json ? JSON.stringify(found, null, 2) : inventoryLines(found).join("\n");
  },
  verify: ({ store, withHsm }) =>
    withHsm(async (hsm) => {
      const ring = await readRing({ hsm, store });
      return `${ring.roots.size} epochs of data keys and the fingerprint key unwrap; generation ${ring.generation}, wrapping key ${hsm.kekId}`;
    }),
  rotate: ({ store, withHsm }, words) =>
    withHsm(async (hsm) => `epoch ${(await rotateDataKey({ hsm, store }, peopleOf(words))).epoch} seals from now on`),
  retire: ({ store, withHsm }, words) =>
    withHsm(async (hsm) => {
      const epoch = epochOf(words);
      await retireDataKey({ hsm, store }, epoch, peopleOf(words));
      return `epoch ${epoch} is retired: it opens, and seals no more`;
    }),
  reseal: ({ store, cards, inventory, withHsm }, words) =>
    withHsm(async (hsm) => {
      const people = peopleOf(words);
      const dataKeys = await loadDataKeys({ hsm, store, epochLifeMs, now: () => performance.now() });
      const rowsPerSecondMax = numberOf(words["per-second"], "--per-second", 1_000_000);
      const { resealed, read } = await resealCards({ hsm, store, dataKeys, cards, rowsPerSecondMax, record: inventory.record }, people);
      return `${resealed} of ${read} cards sealed anew`;
    }),
  destroy: ({ store, cards, withHsm }, words) =>
    withHsm(async (hsm) => {
      const epoch = epochOf(words);
      await destroyDataKey({ hsm, store, cards }, epoch, peopleOf(words));
      return `epoch ${epoch} is destroyed`;
    }),
  rewrap: ({ store, envelopes, inventory, withHsm }, words) =>
    withHsm(async (hsm) => {
      const people = peopleOf(words);
      const dataKeys = await rewrapDataKeys({ hsm, store }, people);
      const envelopeKeys = await rewrapEnvelopeKeys({ hsm, envelopes, record: inventory.record }, people);
      return `${dataKeys.rewrapped} data keys rewrapped by ${hsm.kekId}, and ${envelopeKeys.rewrapped} envelope keys`;
    }),
  "accept-restore": ({ store, withHsm }, words) =>
    withHsm(async (hsm) => `accepted; epoch ${(await acceptRestore({ hsm, store }, peopleOf(words))).epoch} seals from now on`),
  "kek-list": ({ withCustody }) => withCustody(async (custody) => (await custody.list()).map(kekLine).join("\n")),
  "kek-create": (o, words) => {
    const label = labelOf(words);
    return manageKek(o, peopleOf(words), "kek_created", (custody) => custody.create(label));
  },
  "kek-import": (o, words) => {
    const people = mustBeTwo(peopleOf(words));
    const label = labelOf(words);
    const key = combineShares((words.share ?? []).map((path) => readShare(readPrivate(path), path)));
    return manageKek(o, people, "kek_imported", (custody) => custody.importKey(label, key)).finally(() => key.fill(0));
  },
  "kek-retire": (o, words) => {
    const label = labelOf(words);
    return manageKek(o, peopleOf(words), "kek_retired", (custody) => custody.retire(label));
  },
  "kek-destroy": (o, words) => {
    const people = mustBeTwo(peopleOf(words));
    return manageKek(o, people, "kek_destroyed", async (custody) => {
      const kek = (await custody.list()).find(({ label }) => label === labelOf(words));
      if (kek === undefined) throw new Error(`the token has no key-encryption key labelled ${labelOf(words)}`);
      mustBeUnused(await o.inventory.read(0), kek.kekId);
      await custody.destroy(kek.label);
      return kek;
    });
  },
};

async function manageKek(
  { withCustody, inventory }: Stores,
  { by, witness }: People,
  action: "kek_created" | "kek_imported" | "kek_retired" | "kek_destroyed",
  work: (custody: KekCustody) => Promise<KekFacts>,
): Promise<string> {
  const kek = await withCustody(work);
  await inventory.record({ action, actor: by, witness, kekId: kek.kekId });
  return action === "kek_destroyed" ? `${kek.label} (${kek.kekId}) is destroyed` : kekLine(kek);
}

function inventoryLines({ keys, envelopeKeys, generation, events }: KeyInventory): string[] {
  return [
    `generation ${generation}`,
    "",
    "purpose      epoch  state         used of 2^31  created               wrapped by",
    ...keys.map((key) =>
      [
        key.purpose.padEnd(11),
        String(key.epoch).padStart(6),
        ` ${key.state.padEnd(12)}`,
        `${((key.sealsReserved / sealsMax) * 100).toFixed(4)} %`.padStart(13),
        ` ${timeOf(key.createdAt)}`,
        ` ${key.kekId}`,
      ].join(" "),
    ),
    "",
    "envelope key                                 pair   created               wrapped by",
    ...envelopeKeys.map(
      ({ kid, generation: pair, createdAt, kekId }) => `${kid.padEnd(43)} ${String(pair).padStart(5)}  ${timeOf(createdAt)}  ${kekId}`,
    ),
    "",
    ...events.map((event) => {
      const what = [event.purpose, event.epoch, event.kekId, event.cards === undefined ? undefined : `${event.cards} cards`];
      const who = event.witness === undefined ? event.actor : `${event.actor} and ${event.witness}`;
      return `${timeOf(event.happenedAt)}  ${event.action.padEnd(16)} ${what.filter((word) => word !== undefined).join(" ")}  by ${who}`;
    }),
  ];
}

const timeOf = (at: Date): string => `${at.toISOString().slice(0, 19)}Z`;

function kekLine({ label, kekId, canWrap, isMadeInModule }: KekFacts): string {
  return `${label}  ${kekId}  ${canWrap ? "wraps" : "retired"}  ${isMadeInModule ? "made in the module" : "imported"}`;
}

function peopleOf({ by = "", witness }: Words): People {
  if (!/^[\p{L}\p{N}][\p{L}\p{N} ._@-]{0,79}$/u.test(by)) throw new Error("--by names the person who does this");
  return { by, witness };
}

const epochOf = ({ epoch = "" }: Words): number => numberOf(epoch, "--epoch", 2 ** 31 - 1);

function labelOf({ label = "" }: Words): string {
  if (!/^[\w.-]{1,32}$/.test(label)) throw new Error("--label is 1 to 32 letters, digits, dots and dashes");
  return label;
}

function numberOf(text: string, name: string, max: number): number {
  const number = Number(text);
  if (!/^[0-9]+$/.test(text) || number < 1 || number > max) throw new Error(`${name} is 1 to ${max}`);
  return number;
}

/** A share that others can read is no share. */
function readPrivate(path: string): string {
  if ((statSync(path).mode & 0o077) !== 0) throw new Error(`${path} can be read by others: give it mode 600`);
  return readFileSync(path, "utf8");
}

async function main(args: string[]): Promise<string> {
  const text = { type: "string" } as const;
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      by: text,
      witness: text,
      epoch: text,
      label: text,
      file: text,
      share: { type: "string", multiple: true },
      events: { type: "string", default: "20" },
      "per-second": { type: "string", default: "5000" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const [what, name = "list"] = positionals;
  if (values.help || what !== "keys") return usage;
  if (name === "share") {
    if (values.file === undefined) throw new Error("--file names the file to write");
    writeFileSync(values.file, makeShare(), { mode: 0o600, flag: "wx" });
    return `${values.file} holds one share; its custodian keeps it apart from the others`;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) throw new Error(`there is no command ${name}; see npm run vault -- --help`);
  const config = loadConfig(keysConfig, process.env);
  return withStores(config, async (stores) => String(await command(stores, values)));
}

if (import.meta.main) {
  try {
    process.stdout.write(`${await main(process.argv.slice(2))}\n`);
  } catch (thrown) {
    process.stderr.write(`florin: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
    process.exitCode = 1;
  }
}

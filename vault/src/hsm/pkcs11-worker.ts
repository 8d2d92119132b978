/**
 * The thread in which PKCS#11 calls are made: they are synchronous and may take as long as a network module does.
 *
 * A fault of the module ends the session; the next question opens another one. Keys that were sent here are wiped when they were used.
 */
import { parentPort, workerData } from "node:worker_threads";
import { AppError, required, unreachable } from "@florin/kernel";
import { ck, loadPkcs11Library, returnValueOf } from "./pkcs11-module.ts";
import type { Pkcs11Answers, Pkcs11Place, Pkcs11Question, Pkcs11Reply } from "./pkcs11-protocol.ts";
import { Pkcs11Token } from "./pkcs11-token.ts";

const place = workerData as Pkcs11Place;
const port = required(parentPort, "a parent thread");
let token: Pkcs11Token | undefined;

let isPinRefused = false;
/** Loading the module is asynchronous; answers stay in the order of the questions all the same. */
let previous = Promise.resolve();

port.on("message", (question: Pkcs11Question) => {
  previous = previous.then(async () => {
    const answer = await reply(question);
    // Moved, not copied: a key stays in one place.
    const moved = answer.ok && answer.value instanceof Uint8Array ? [answer.value.buffer as ArrayBuffer] : [];
    port.postMessage(answer, moved);
    if (question.kind === "close") port.close();
  });
});

async function reply(question: Pkcs11Question): Promise<Pkcs11Reply> {
  try {
    if (question.kind === "close") {
      token?.close();
      return { ok: true, value: undefined };
    }
    // Modules lock themselves after some wrong PINs: one try is enough to know.
    if (isPinRefused) throw new Error("the module refused the PIN");
    token ??= new Pkcs11Token(await loadPkcs11Library(place.modulePath), place.tokenLabel, Buffer.from(place.pin).toString("utf8"));
    return { ok: true, value: answerTo(token, question) };
  } catch (thrown) {
    const isUnusable = thrown instanceof AppError;
    isPinRefused ||= returnValueOf(thrown) === ck.CKR_PIN_INCORRECT;
    if (!isUnusable) forgetToken();
    return { ok: false, isUnusable, message: thrown instanceof Error ? thrown.message : "the module failed" };
  } finally {
    if ("key" in question) question.key.fill(0);
  }
}

function answerTo(open: Pkcs11Token, question: Exclude<Pkcs11Question, { kind: "close" }>): Pkcs11Answers[keyof Pkcs11Answers] {
  switch (question.kind) {
    case "wrap":
      return open.wrap(question.label, question.key);
    case "unwrap":
      return outsideOfPool(open.unwrap(question));
    case "random":
      return outsideOfPool(open.randomBytes(question.length));
    case "read_generation":
      return open.readGeneration();
    case "raise_generation":
      open.raiseGeneration(question.generation);
      return undefined;
    case "kek":
      return factsOf(open.kekOf(question.label));
    case "list_keks":
      return open.listKeks().map(factsOf);
    case "create_kek":
      return factsOf(open.createKek(question.label));
    case "import_kek":
      return factsOf(open.importKek(question.label, question.key));
    case "retire_kek":
      return factsOf(open.retireKek(question.label));
    case "destroy_kek":
      open.destroyKek(question.label);
      return undefined;
    default:
      return unreachable(question);
  }
}

/** Without the module's handle, which means nothing elsewhere. */
function factsOf({ label, kekId, canWrap, isMadeInModule }: Pkcs11Answers["kek"]): Pkcs11Answers["kek"] {
  return { label, kekId, canWrap, isMadeInModule };
}

/** Bytes of their own memory, which can be moved to the other thread; what they were read into is wiped. */
function outsideOfPool(bytes: Buffer): Uint8Array {
  const own = new Uint8Array(new ArrayBuffer(bytes.length));
  own.set(bytes);
  bytes.fill(0);
  return own;
}

function forgetToken(): void {
  try {
    token?.close();
  } catch {
    // The session is what failed; there is nothing left to close.
  }
  token = undefined;
}

/** One key, thousands of requests at once; the same key with another body; the same key of another merchant. */
import { type Answer, type Call, meaningOf, readAnswer } from "../load/call.ts";
import { MerchantClient } from "../load/merchant-client.ts";
import type { Fault, Strike } from "./fault.ts";

const copies = { short: 500, full: 2_000 } as const;
const timeoutMs = 30_000;
const triesMax = 40;
const retryMs = 500;

async function sameKey({ stack, load, isShort, pause, lifted }: Strike): Promise<void> {
  const key = `${load.name}-storm-${load.calls.length}`;
  const call: Call = {
    key,
    operation: "authorize",
    path: "/v1/payments/authorize",
    body: bodyOf(key, 4_200),
    amount: 4_200,
    paymentId: undefined,
    answers: [],
  };
  load.calls.push(call);
  const client = new MerchantClient({ edgeUrl: stack.up.edgeUrl, secretKey: stack.up.secretKey, timeoutMs });
  const stranger = new MerchantClient({ edgeUrl: stack.up.edgeUrl, secretKey: await stack.addMerchant("Another merchant"), timeoutMs });
  const ask = async (who: MerchantClient, body: string): Promise<Answer> =>
    readAnswer(await who.send({ method: "POST", path: call.path, key, body }));
  try {
    const count = isShort ? copies.short : copies.full;
    const [answers, others, strangers] = await Promise.all([
      Promise.all(Array.from({ length: count }, () => ask(client, call.body))),
      Promise.all(Array.from({ length: 10 }, () => ask(client, bodyOf(key, 4_201)))),
      ask(stranger, bodyOf(`stranger-${key}`, 4_200)),
    ]);
    call.answers.push(...answers);
    lifted();
    for (let tries = 0; tries < triesMax && !call.answers.some((answer) => meaningOf(answer) === "yes"); tries++) {
      await pause(retryMs);
      call.answers.push(await ask(client, call.body));
    }
    call.paymentId = call.answers.find((answer) => meaningOf(answer) === "yes")?.paymentId;
    // Whichever body came first has the key: the others, all of one kind, are refused. Ours were the first to be sent.
    expectAll("another body with the key", others, ({ status }) => status === 422 || status === 202);
    expectAll("another merchant with the key", [strangers], ({ status, paymentId }) => status === 201 && paymentId !== call.paymentId);
  } finally {
    client.close();
    stranger.close();
  }
}

function bodyOf(reference: string, amount: number): string {
  return `{"amount":${amount},"currency":"EUR","payment_method":{"type":"card","token":"tok_visa_4242"},"capture_mode":"manual","merchant_reference":"${reference}"}`;
}

function expectAll(what: string, answers: readonly Answer[], isRight: (answer: Answer) => boolean): void {
  const wrong = answers.find((answer) => !isRight(answer));
  if (wrong !== undefined) throw new Error(`${what} was answered ${wrong.status} ${wrong.code}`);
}

export const stormFaults: readonly Fault[] = [
  {
    name: "same_key_storm",
    anchor: "C8",
    what: "one key in hundreds of requests at once, with another body, and of another merchant",
    load: "mixed",
    rounds: { short: 1, full: 5 },
    recoveryMsMax: undefined,
    refuses: false,
    strike: sameKey,
  },
];

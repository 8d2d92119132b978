/** Tokens that pay once, have expired or are deleted: refused early where the vault says so, and at the opening where it has to; and what a merchant is told of them. */
import { Mode } from "@florin/gen/payments/v1/payments";
import { TokenService } from "@florin/gen/payments/v1/tokens";
import { TokenState } from "@florin/gen/vault/v1/vault";
import { connectFramed } from "@florin/runtime/rpc";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { authorizeExisting, createOrAuthorize } from "../src/app/authorize-payment.ts";
import { outcomes } from "./processor-double.ts";
import { newWireCaller, openRpcStage, type RpcStage, within } from "./rpc-stage.ts";
import { codeOf, createCommand, keyed, logger, newCaller, paymentOf, type Stage } from "./stage.ts";

const token = "tok_once";
let rpc: RpcStage;
let stage: Stage;

beforeAll(async () => {
  rpc = await openRpcStage();
  stage = rpc.stage;
});
afterAll(() => rpc.stop());
afterEach(() => {
  stage.processor.reset();
  stage.vault.lives.clear();
  stage.vault.fingerprints.delete(token);
});

const isKnown = (life: Parameters<Stage["vault"]["lives"]["set"]>[1]) => {
  stage.vault.fingerprints.set(token, "d".repeat(32));
  stage.vault.lives.set(token, life);
};

describe("a payment", () => {
  test.each([
    ["token_already_used", { state: TokenState.USED, usage: "single_use", usedByPaymentId: `pay_${"0".repeat(26)}` }],
    ["token_expired", { found: false, state: TokenState.EXPIRED }],
    ["token_deleted", { found: false, state: TokenState.DELETED }],
  ] as const)("is refused with %s, without a trace", async (code, life) => {
    isKnown(life);
    const before = await rpc.recorded();
    const command = createCommand({ token });
    const refused = await createOrAuthorize(stage.parts, command);
    expect(refused).toMatchObject({ kind: "done", refusal: { code, param: "payment_method.token" } });
    expect(refused.kind === "done" && refused.payment).toBeFalsy();
    expect(stage.processor.calls.authorize).toBe(0);
    expect(await rpc.recorded()).toEqual(before);
    // The key is free: with a token that pays, the same intent goes through.
    stage.vault.lives.clear();
    expect(codeOf(await createOrAuthorize(stage.parts, command))).toBeUndefined();
  });

  test("whose card the vault keeps closed is declined, says why for ever, and may be paid with another token", async () => {
    for (const code of ["token_already_used", "token_expired", "token_deleted", "token_not_found"] as const) {
      isKnown({ usage: "single_use" });
      stage.processor.behave = () => ({ told: { ...outcomes.notSent, cause: code }, booked: "nothing" });
      const caller = newCaller();
      const command = createCommand({ caller, token });
      const refused = await createOrAuthorize(stage.parts, command);
      expect(refused).toMatchObject({ kind: "done", refusal: { code, param: "payment_method.token" } });
      expect(paymentOf(refused)).toMatchObject({ status: "declined", authorized: 0n, decline: { reason: "token_not_usable" } });
      expect(await createOrAuthorize(stage.parts, command)).toEqual({ ...refused, kind: "replayed" });
      stage.processor.reset();
      const attempt = { token: "tok_visa_4242", customerIp: "" };
      const again = await authorizeExisting(stage.parts, { caller, ...keyed(), paymentId: paymentOf(refused).id, attempt });
      expect(paymentOf(again).status).toBe("authorized");
    }
  });

  test("that has the token may try it again", async () => {
    isKnown({ usage: "single_use" });
    const caller = newCaller();
    stage.processor.behave = () => ({ told: outcomes.declined });
    const { id } = paymentOf(await createOrAuthorize(stage.parts, createCommand({ caller, token })));
    stage.vault.lives.set(token, { state: TokenState.USED, usage: "single_use", usedByPaymentId: id });
    stage.processor.reset();
    const again = await authorizeExisting(stage.parts, { caller, ...keyed(), paymentId: id, attempt: { token, customerIp: "" } });
    expect(paymentOf(again).status).toBe("authorized");
    expect(codeOf(await createOrAuthorize(stage.parts, createCommand({ caller, token })))).toBe("token_already_used");
  });
});

describe("TokenService", () => {
  const connect = async (identity: Parameters<RpcStage["tlsOf"]>[0]) => {
    const client = connectFramed(TokenService, { address: `127.0.0.1:${rpc.server.port}`, tls: rpc.tlsOf(identity), logger });
    rpc.closing(() => client.close());
    await client.untilConnected(5_000);
    return client;
  };

  test("tells the edge what a token is, and has it deleted; the next payment knows", async () => {
    const edge = await connect("edge");
    const caller = newWireCaller();
    isKnown({ createdAtMs: 1_000n, expiresAtMs: 4_102_444_800_000n });
    const owner = { ...newCaller(), merchantId: caller.merchantId };
    expect(codeOf(await createOrAuthorize(stage.parts, createCommand({ caller: owner, token })))).toBeUndefined();
    const { token: told } = await edge.getToken({ caller, token }, within);
    expect(told).toMatchObject({ id: token, usage: "reusable", usedByPaymentId: "", createdAtMs: 1_000n, card: { last4: "4242" } });
    expect((await edge.deleteToken({ caller, token }, within)).found).toBe(true);
    expect((await edge.getToken({ caller, token }, within)).refusal).toBe("token_not_found");
    // What the switch remembered of it is gone, too.
    expect(codeOf(await createOrAuthorize(stage.parts, createCommand({ caller: owner, token })))).toBe("token_not_found");
    expect((await edge.deleteToken({ caller, token }, within)).found).toBe(false);
  });

  test("says what has become of a token", async () => {
    const edge = await connect("edge");
    for (const [state, refusal] of [
      [TokenState.EXPIRED, "token_expired"],
      [TokenState.DELETED, "token_deleted"],
    ] as const) {
      isKnown({ found: false, state });
      expect(await edge.getToken({ caller: newWireCaller(), token }, within)).toMatchObject({ refusal });
    }
  });

  test("is for the edge and our own services only, and wants to know whose call it is", async () => {
    for (const identity of ["connectors", "vault", "ledger", "somebody"] as const) {
      const client = await connect(identity);
      await expect(client.getToken({ caller: newWireCaller(), token }, within)).rejects.toMatchObject({ code: "caller_not_allowed" });
      await expect(client.deleteToken({ caller: newWireCaller(), token }, within)).rejects.toMatchObject({ code: "caller_not_allowed" });
    }
    const edge = await connect("edge");
    await expect(edge.getToken({ token }, within)).rejects.toMatchObject({ param: "caller" });
    const nowhere = { ...newWireCaller(), mode: Mode.UNSPECIFIED };
    await expect(edge.deleteToken({ caller: nowhere, token }, within)).rejects.toMatchObject({ param: "caller.mode" });
    await expect(edge.getToken({ caller: newWireCaller(), token: "" }, within)).rejects.toMatchObject({ param: "token" });
  });
});

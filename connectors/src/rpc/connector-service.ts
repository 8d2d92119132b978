/** The connectors over RPC: check, translate, call, translate back. */
import { ConnectorService } from "@florin/gen/connectors/v1/connectors";
import { implement, type ServiceImplementation } from "@florin/runtime/rpc";
import type { LinkGrants } from "../app/link-grants.ts";
import type { Operations } from "../app/operations.ts";
import type { SecretDesk } from "../app/secret-desk.ts";
import type { News } from "../callbacks/news.ts";
import { connectorToWire, grantToWire, outcomeToWire, queryAnswerToWire } from "./outcome-mapping.ts";
import {
  checkSecretReferences,
  toAuthorizeCommand,
  toCaptureCommand,
  toGrantRequest,
  toQuestion,
  toRefundCommand,
  toReverseCommand,
  toVoidCommand,
} from "./requests.ts";

export type ConnectorServiceParts = {
  readonly operations: Operations;
  readonly grants: LinkGrants;
  readonly news: Pick<News, "follow">;
  readonly secrets: SecretDesk;
};

export function createConnectorService({ operations, grants, news, secrets }: ConnectorServiceParts): ServiceImplementation {
  return implement(ConnectorService, {
    async authorize(request, context) {
      const outcome = await operations.authorize(request.connector, toAuthorizeCommand(request), request.token, context);
      return { outcome: outcomeToWire(outcome) };
    },
    async capture(request, context) {
      return { outcome: outcomeToWire(await operations.capture(request.connector, toCaptureCommand(request), context)) };
    },
    async void(request, context) {
      return { outcome: outcomeToWire(await operations.void(request.connector, toVoidCommand(request), context)) };
    },
    async refund(request, context) {
      return { outcome: outcomeToWire(await operations.refund(request.connector, toRefundCommand(request), context)) };
    },
    async reverse(request, context) {
      return { outcome: outcomeToWire(await operations.reverse(request.connector, toReverseCommand(request), context)) };
    },
    async query(request, context) {
      return queryAnswerToWire(await operations.query(request.connector, toQuestion(request), context));
    },
    async ping(request, context) {
      const answer = await operations.ping(request.connector, context);
      return answer.kind === "up" ? { isUp: true, roundTripUs: answer.roundTripUs } : { isUp: false };
    },
    async *watchNews(_request, { signal }) {
      for await (const items of news.follow(signal)) yield { items: items.map(({ connector, reference }) => ({ connector, reference })) };
    },
    async listConnectors() {
      return { connectors: operations.list().map(connectorToWire) };
    },
    async grantLinks(request) {
      return grantToWire(grants.grant(toGrantRequest(request)));
    },
    async applySecrets({ version, references }) {
      checkSecretReferences(references);
      await secrets.apply(version, references);
      return { version: secrets.version, unresolved: secrets.unresolved };
    },
  });
}

/** docs/error-codes.md, from the catalogue in kernel. */
import { declineReasons, errorCatalogue, errorCodes } from "@florin/kernel";
import { renderTable } from "./table.ts";

export function renderErrorCodes(): string {
  const codes = errorCodes.map((code) => {
    const { type, http, grpc, help } = errorCatalogue[code];
    return [`\`${code}\``, type, String(http), grpc, help];
  });
  const reasons = Object.entries(declineReasons).map(([reason, entry]) => [`\`${reason}\``, entry.declineCode, entry.message]);
  return `# Error codes

Generated from \`kernel/src/error-code.ts\` and \`kernel/src/decline-reason.ts\` by \`npm run docs\`. One catalogue serves REST and gRPC. A code keeps its meaning for ever.

Every REST error has this body; \`param\`, \`decline_code\` and \`payment\` (as \`GET /v1/payments/{id}\` shows it) are there where they apply:

\`\`\`json
{ "error": { "type": "card_error", "code": "card_declined", "decline_code": "retry_allowed", "message": "…", "param": "…", "request_id": "req_…", "payment": { "id": "pay_…" } } }
\`\`\`

What to do, by HTTP status: **4xx** mend the request; nothing was done, except for 402, where the payment exists and is declined. **202** and **503**: ask again with the same
\`Idempotency-Key\`; the answer is then the true one, and nothing happens twice. **500**: as 503, and tell us the request id.

${renderTable(["code", "type", "HTTP", "gRPC", "what happened, and what to do"], codes)}

## Decline reasons

A declined payment carries one of these in \`decline.reason\`. \`do_not_retry\` means that another try with the same card will not help; networks charge for it.

${renderTable(["reason", "decline_code", "message"], reasons)}
`;
}

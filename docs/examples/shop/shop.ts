/**
 * A merchant's shop, the whole of it: one page with Florin's card fields, and a server that charges the token with the secret key.
 *
 * The card never comes here: it is typed into frames of the vault, and what the page gets is a token. The page's policy names the two places that may
 * run scripts and the one that may be framed; the integrity value pins florin.js to the bytes that were reviewed.
 */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

export type ShopOptions = {
  readonly port: number;
  readonly edgeUrl: string;
  readonly vaultUrl: string;
  readonly secretKey: string;
  readonly publishableKey: string;
};

/** What the shop sells: the price is the server's affair, never the page's. */
const article = { name: "A pound of coffee", amount: 1_450, currency: "EUR", price: "14.50 EUR" } as const;
const florinPath = "/v1/florin.js";
const bodyBytesMax = 2_048;
const payTimeoutMs = 30_000;

const staticFiles = new Map(
  [
    ["/shop.js", "text/javascript; charset=utf-8"],
    ["/shop.css", "text/css; charset=utf-8"],
  ].map(([path = "", type = ""]) => [path, { type, body: readFileSync(new URL(`./page${path}`, import.meta.url), "utf8") }]),
);

/** Listens on 127.0.0.1. The shop's address is its server's; `close` ends it at once. */
export async function startShop(o: ShopOptions): Promise<Server> {
  const integrity = integrityOfFlorin();
  const server = createServer((request, response) => {
    answer(request, response, { ...o, integrity }).catch(() => {
      if (!response.headersSent)
        sendJson(response, 502, { paid: false, text: "The payment could not be made. Press again: you are charged once." });
    });
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(o.port, "127.0.0.1", resolve));
  return server;
}

/** As published in the vault's inventory. A shop elsewhere has the value in its page. */
function integrityOfFlorin(): string {
  const inventory = JSON.parse(readFileSync(new URL("../../../vault/src/browser/inventory.json", import.meta.url), "utf8")) as {
    path: string;
    integrity: string;
  }[];
  return inventory.find(({ path }) => path === florinPath)?.integrity ?? "";
}

type Shop = ShopOptions & { readonly integrity: string };

async function answer(request: IncomingMessage, response: ServerResponse, shop: Shop): Promise<void> {
  const path = request.url?.split("?")[0] ?? "/";
  const file = staticFiles.get(path);
  if (request.method === "GET" && path === "/")
    send(response, 200, "text/html; charset=utf-8", renderPage(shop), { "content-security-policy": policyOf(shop) });
  else if (request.method === "GET" && file !== undefined) send(response, 200, file.type, file.body);
  else if (request.method === "POST" && path === "/pay") await pay(request, response, shop);
  else send(response, 404, "text/plain; charset=utf-8", "not found\n");
}

function policyOf({ vaultUrl }: Shop): string {
  return [
    "default-src 'none'",
    `script-src 'self' ${vaultUrl}`,
    `frame-src ${vaultUrl}`,
    "style-src 'self'",
    "connect-src 'self'",
    "form-action 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

/** Charges the order once, however often the page asks: its number is the idempotency key. */
async function pay(request: IncomingMessage, response: ServerResponse, shop: Shop): Promise<void> {
  const { order, token } = readOrder(await readText(request));
  if (order === undefined || token === undefined) return sendJson(response, 400, { paid: false, text: "That is no order of this shop." });
  const answered = await fetch(`${shop.edgeUrl}/v1/payments/authorize`, {
    method: "POST",
    headers: { authorization: `Bearer ${shop.secretKey}`, "content-type": "application/json", "idempotency-key": `shop-${order}-${token}` },
    body: JSON.stringify({
      amount: article.amount,
      currency: article.currency,
      payment_method: { type: "card", token },
      merchant_reference: order,
    }),
    signal: AbortSignal.timeout(payTimeoutMs),
  });
  const payment = (await answered.json()) as { id?: string; status?: string; error?: { message?: string } };
  const isPaid = answered.ok && (payment.status === "authorized" || payment.status === "captured");
  const text = isPaid ? `Thank you! Payment ${payment.id} is ${payment.status}.` : "Your bank said no. Try another card.";
  sendJson(response, isPaid ? 200 : 402, { paid: isPaid, text });
}

function readOrder(text: string): { readonly order?: string; readonly token?: string } {
  try {
    const { order, token } = JSON.parse(text) as Record<string, unknown>;
    const isGood = typeof order === "string" && /^[0-9a-f-]{36}$/.test(order) && typeof token === "string" && /^tok_\w{8,40}$/.test(token);
    return isGood ? { order, token } : {};
  } catch {
    return {};
  }
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > bodyBytesMax) return "";
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function renderPage({ vaultUrl, publishableKey, integrity }: Shop): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${article.name}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/shop.css">
<script src="${vaultUrl}${florinPath}" integrity="${integrity}" crossorigin="anonymous" defer></script>
<script src="/shop.js" defer></script>
</head>
<body>
<main>
<h1>${article.name}</h1>
<p class="price">${article.price}</p>
<form data-publishable-key="${publishableKey}" data-order="${randomUUID()}">
<label for="card-number">Card number</label>
<div id="card-number" class="field"></div>
<div class="row">
<div><label for="card-expiry">Expiry</label><div id="card-expiry" class="field"></div></div>
<div><label for="card-code">Security code</label><div id="card-code" class="field"></div></div>
</div>
<button disabled>Pay ${article.price}</button>
<p id="outcome" role="status"></p>
</form>
<p class="hint">A sandbox: pay with 4242 4242 4242 4242, any date to come and any code. 4000 0000 0000 0002 is declined.</p>
</main>
</body>
</html>
`;
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  send(response, status, "application/json; charset=utf-8", JSON.stringify(body));
}

function send(response: ServerResponse, status: number, type: string, body: string, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    ...headers,
  });
  response.end(body);
}

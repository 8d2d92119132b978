/**
 * What the vault serves to browsers: florin.js, the three fields, their modules and their style, made from the sources at start by leaving out the types.
 *
 * No bundler: a field is a page of ES modules, and its import map holds the integrity value of each of them, so one changed byte anywhere stops
 * it. Headers and bodies are the same in every process of a release; inventory.json lists them with the reason why each is there.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { fileURLToPath } from "node:url";

export type ServedFile = {
  readonly path: string;
  readonly body: string;
  /** Subresource Integrity value of `body`: "sha384-…". */
  readonly integrity: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Why it is on a payment page (PCI DSS 6.4.3). */
  readonly why: string;
};

type Source = { readonly path: string; readonly url: URL; readonly why: string };

const source = (path: string, why: string, url = new URL(`../browser/${path.replace(/\.js$/, ".ts")}`, import.meta.url)): Source => ({
  path: `/fields/${path}`,
  url,
  why,
});
const kernelCard = "@florin/kernel/card";
const modules: readonly Source[] = [
  source("card.js", "brands, lengths and the check digit of card numbers", new URL(import.meta.resolve(kernelCard))),
  source("card-number.js", "shape and check of numbers and security codes while they are typed"),
  source("caret.js", "keeps the caret where it was when a number is put into groups"),
  source("expiry.js", "shape and check of expiry dates while they are typed"),
  source("jwe.js", "encrypts the card before it leaves the browser"),
  source("messages.js", "reads what the page says to a field"),
  source("style.js", "admits the closed list of styles that a page may set"),
  source("words.js", "accessible names and complaints in the payer's language"),
  source("page/field.js", "the field itself: input, state, and the request for a token"),
];
const fieldScript = "/fields/page/field.js";
const styleSheet = "/fields/field.css";
export const merchantScript = "/v1/florin.js";

/** `autocomplete` as HTML names it, so that browsers and password managers offer the payer's cards. */
const fields = {
  number: { title: "Card number", autocomplete: "cc-number", lengthMax: 40 },
  expiry: { title: "Expiry date", autocomplete: "cc-exp", lengthMax: 12 },
  code: { title: "Security code", autocomplete: "cc-csc", lengthMax: 8 },
} as const;

const everywhere = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  // Asked for again each time, answered with 304: a field and its parts are of one release.
  "cache-control": "no-cache",
  "cross-origin-resource-policy": "cross-origin",
} as const;
const scriptHeaders = { ...everywhere, "content-type": "text/javascript; charset=utf-8" };

/** Reads and prepares everything; throws when a source is missing. */
export function loadFieldFiles(): readonly ServedFile[] {
  const scripts = modules.map((one) => served(one.path, scriptOf(one.url), scriptHeaders, one.why));
  const style = served(
    styleSheet,
    readFileSync(new URL("../browser/page/field.css", import.meta.url), "utf8"),
    { ...everywhere, "content-type": "text/css; charset=utf-8" },
    "how a field looks",
  );
  const florin = served(
    merchantScript,
    scriptOf(new URL("../browser/page/florin.ts", import.meta.url)),
    { ...scriptHeaders, "access-control-allow-origin": "*" },
    "the script of the merchant's page: puts the fields into it and asks for tokens; never sees a card",
  );
  const pages = Object.keys(fields).map((name) => pageOf(name as keyof typeof fields, scripts, style));
  return [florin, ...pages, style, ...scripts];
}

function pageOf(name: keyof typeof fields, scripts: readonly ServedFile[], style: ServedFile): ServedFile {
  const { title, autocomplete, lengthMax } = fields[name];
  const importMap = JSON.stringify({
    imports: { [kernelCard]: "/fields/card.js" },
    integrity: Object.fromEntries(scripts.map(({ path, integrity }) => [path, integrity])),
  });
  const integrityOfField = scripts.find(({ path }) => path === fieldScript)?.integrity ?? "";
  const body = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="${style.path}" integrity="${style.integrity}">
<script type="importmap">${importMap}</script>
<script type="module" src="${fieldScript}" integrity="${integrityOfField}"></script>
</head>
<body data-field="${name}">
<form novalidate>
<input type="text" name="${autocomplete}" autocomplete="${autocomplete}" inputmode="numeric" maxlength="${lengthMax}" aria-label="${title}" aria-describedby="complaint" aria-invalid="false" autocapitalize="off" autocorrect="off" spellcheck="false" enterkeyhint="done">
<p id="complaint" role="status"></p>
</form>
</body>
</html>
`;
  const policy = [
    "default-src 'none'",
    `script-src 'self' 'sha256-${createHash("sha256").update(importMap).digest("base64")}'`,
    "style-src 'self'",
    "connect-src 'self'",
    "form-action 'none'",
    "base-uri 'none'",
    // Any shop may hold the fields; for whom they encrypt is bound by key and origin.
    "frame-ancestors *",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; ");
  return served(
    `/fields/${name}`,
    body,
    {
      ...everywhere,
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": policy,
      // A script or style without an integrity value is not loaded, whoever put it there.
      "integrity-policy": "blocked-destinations=(script style)",
      "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=(), serial=(), bluetooth=(), display-capture=()",
      "cross-origin-embedder-policy": "require-corp",
    },
    `the frame that the ${title.toLowerCase()} is typed into`,
  );
}

function served(path: string, body: string, headers: Readonly<Record<string, string>>, why: string): ServedFile {
  return { path, body, headers, why, integrity: `sha384-${createHash("sha384").update(body).digest("base64")}` };
}

/** Types become white space, so line numbers in a browser's console are those of the source. */
function scriptOf(url: URL): string {
  const text = readFileSync(fileURLToPath(url), "utf8");
  const script = withoutTypes(text).replaceAll(/(\bfrom "\.[^"]+)\.ts"/g, '$1.js"');
  return script.replaceAll(/[ \t]+$/gm, "");
}

/** The same stripping by which Node runs this very file; only its function still warns that it is new, into every log. */
function withoutTypes(text: string): string {
  const { emitWarning } = process;
  process.emitWarning = () => undefined;
  try {
    return stripTypeScriptTypes(text, { mode: "strip" });
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** What a connector may be called. The name is stored with every payment, so it stays for ever. */

export const connectorNameHelp = "3 to 30 lower-case letters, digits and single underscores, beginning with a letter";
const pattern = /^(?=.{3,30}$)[a-z][a-z0-9]*(_[a-z0-9]+)*$/;
/** Rooms of `connectors/src` that are no connectors (docs/ARCHITECTURE.md), and the template itself. */
const rooms: ReadonlySet<string> = new Set(["app", "callbacks", "clients", "contract", "http1", "iso8583", "rpc", "workers", "acme"]);

/** The three spellings of a name: `north_bank`, `NorthBank`, `NORTH_BANK`. */
export type ConnectorName = { readonly plain: string; readonly pascal: string; readonly upper: string };

/** Why not, or the name. `taken`: folders that there are. */
export function readConnectorName(text: string, taken: readonly string[]): ConnectorName | { readonly problem: string } {
  if (!pattern.test(text)) return { problem: `a connector's name is ${connectorNameHelp}` };
  if (rooms.has(text)) return { problem: `"${text}" is the name of a room of connectors/src: choose another` };
  if (taken.includes(text)) return { problem: `there is a connector "${text}": a name is stored with payments and is not used again` };
  const pascal = text
    .split("_")
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");
  return { plain: text, pascal, upper: text.toUpperCase() };
}

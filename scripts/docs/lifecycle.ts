/** The generated part of docs/payment-lifecycle.md: the state machine's table and its picture, and what holds whatever crashes. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { rootFolder } from "../root-folder.ts";
import { renderPromises } from "./promises.ts";
import { renderTable } from "./table.ts";

type Table = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

export async function renderLifecycle(): Promise<string> {
  const file = join(rootFolder, "switch", "src", "domain", "payment", "table.ts");
  const { table } = (await import(pathToFileURL(file).href)) as { readonly table: Table };
  const cells = Object.entries(table).flatMap(([before, row]) => Object.entries(row).map(([event, after]) => ({ before, event, after })));
  const possible = cells.filter(({ event, after }) => after.length > 0 && !event.startsWith("reversal_"));
  const rows = possible.map(({ before, event, after }) => [
    before,
    `\`${event}\``,
    after.map((status) => (status === before ? `*${status}*` : `**${status}**`)).join(" or "),
  ]);
  const final = Object.keys(table).filter((status) => !possible.some(({ before }) => before === status));
  return `The table has ${Object.keys(table).length} rows and ${Object.keys(Object.values(table)[0] ?? {}).length} columns; the ${possible.length} cells that are not empty are listed here. *Italic*: the status stays as it is.
Where two statuses are named, the payment's totals decide. Left out are \`reversal_requested\`, \`reversal_succeeded\` and \`reversal_failed\`: they may happen in every status and
change none, because they undo what never counted. Nothing else leads out of ${final.map((status) => `**${status}**`).join(" and ")}.

${renderDiagram(possible)}

${renderTable(["from", "event", "to"], rows)}

## What holds whatever crashes

${renderPromises()}`;
}

/** One arrow per pair of statuses, with the events that lead along it. */
function renderDiagram(cells: readonly { readonly before: string; readonly event: string; readonly after: readonly string[] }[]): string {
  const arrows = new Map<string, string[]>();
  for (const { before, event, after } of cells) {
    for (const status of after) {
      if (status === before) continue;
      const arrow = `${before === "new" ? "[*]" : before} --> ${status}`;
      arrows.set(arrow, [...(arrows.get(arrow) ?? []), event]);
    }
  }
  const lines = [...arrows].map(([arrow, events]) => `  ${arrow}: ${events.join(", ")}`);
  return ["```mermaid", "stateDiagram-v2", ...lines, "```"].join("\n");
}

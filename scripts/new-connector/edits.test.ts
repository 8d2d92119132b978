import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { rootFolder } from "../root-folder.ts";
import { readConnectorName } from "./connector-name.ts";
import { edits } from "./edits.ts";

const registry = "connectors/src/registry.ts";

test.each([
  ["sim_pix", "makeSimPix, simiso, simlater, simpay"],
  ["north_bank", "makeNorthBank, simiso, simlater, simpay"],
  ["zebra", "simiso, simlater, simpay, makeZebra"],
])("%s stands among the makers where its folder does", (plain, makers) => {
  const name = readConnectorName(plain, []);
  if ("problem" in name) throw new Error(name.problem);
  const edited = edits[registry]?.(readFileSync(join(rootFolder, registry), "utf8"), name);
  expect(edited).toContain(`= [${makers}];`);
});

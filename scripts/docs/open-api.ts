/** gateway-edge/openapi.json, from the schemas that validate at the edge. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { rootFolder } from "../root-folder.ts";

export async function renderOpenApi(): Promise<string> {
  const file = join(rootFolder, "gateway-edge", "src", "rest", "openapi", "document.ts");
  const { writeOpenApi } = (await import(pathToFileURL(file).href)) as { writeOpenApi: () => string };
  return writeOpenApi();
}

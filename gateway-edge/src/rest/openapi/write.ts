/** Writes gateway-edge/openapi.json. `node gateway-edge/src/rest/openapi/write.ts`; a test fails while the file is not current. */
import { writeFileSync } from "node:fs";
import { writeOpenApi } from "./document.ts";

writeFileSync(new URL("../../../openapi.json", import.meta.url), writeOpenApi());

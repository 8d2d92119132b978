/** `npm run docs`: writes the generated documents and the generated parts of others. `npm run check` compares them. */
import { writeDocs } from "./docs/documents.ts";

await writeDocs();

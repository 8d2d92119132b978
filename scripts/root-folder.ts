/** The root of the repository, with a slash at its end, whatever folder the caller stands in. */
import { fileURLToPath } from "node:url";

export const rootFolder: string = fileURLToPath(new URL("..", import.meta.url));

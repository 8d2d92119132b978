export { derivedId } from "./derived-id.ts";

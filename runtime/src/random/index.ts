export { createRandomPool } from "./random-pool.ts";

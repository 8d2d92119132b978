export { systemTiming, type Timing } from "./timing.ts";

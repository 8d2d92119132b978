/** Reads the limits of a settings document. One that is not named is as the process was started with. */
import { type VelocityCounts, type VelocityLimits, velocityWindows } from "../fraud/index.ts";
import { circuitFields, type EdgeCallLimits, edgeCallFields, retryFields, switchCallFields } from "../limits/index.ts";
import { type AttemptNumber, attemptsMax } from "../routing/cascade.ts";
import type { HouseLimits, RequestRate } from "../routing/house-settings.ts";
import { attemptsCountMax, cascadeWithinMs, requestsMax } from "./bounds.ts";
import { merchantNames } from "./parse-merchants.ts";
import { type Field, readEntries, readInteger, readNumbers, readObject } from "./read-fields.ts";

/** Each name says what is counted, and over how long. */
export const velocityNames: Readonly<Record<keyof VelocityCounts, string>> = {
  cardPerHour: "cardAttemptsPerHour",
  cardPerDay: "cardAttemptsPerDay",
  ipPerHour: "ipAttemptsPerHour",
  merchantPerMinute: "merchantAttemptsPerMinute",
};

const limitNames = [
  "velocity",
  "cascadeAttemptsMax",
  "cascadeWithinMs",
  "requestsPerKey",
  "circuits",
  "retries",
  "switchCalls",
  "edgeCalls",
] as const satisfies readonly (keyof HouseLimits)[];

export function parseLimits(field: Field, otherwise: HouseLimits): HouseLimits {
  if (field.value === undefined) return otherwise;
  const value = readObject(field, limitNames);
  if (value === undefined) return otherwise;
  const at = (name: string): Field => ({ ...field, value: value[name], path: `${field.path}.${name}` });
  const number = (name: "cascadeAttemptsMax" | "cascadeWithinMs", o: { unit: string; min: number; max: number }): number =>
    value[name] === undefined ? otherwise[name] : (readInteger(at(name), o) ?? otherwise[name]);
  const rates = readEntries(at("requestsPerKey"), { ...merchantNames, read: parseRate });
  return {
    velocity: parseVelocity(at("velocity"), otherwise.velocity),
    cascadeAttemptsMax: number("cascadeAttemptsMax", { unit: "attempts", min: 1, max: attemptsMax }) as AttemptNumber,
    cascadeWithinMs: number("cascadeWithinMs", { unit: "ms", ...cascadeWithinMs }),
    ...(rates.size === 0 ? {} : { requestsPerKey: rates }),
    circuits: { ...otherwise.circuits, ...readNumbers(at("circuits"), circuitFields) },
    retries: { ...otherwise.retries, ...readNumbers(at("retries"), retryFields) },
    switchCalls: { ...otherwise.switchCalls, ...readNumbers(at("switchCalls"), switchCallFields) },
    edgeCalls: parseEdgeCalls(at("edgeCalls")),
  };
}

function parseEdgeCalls(field: Field): EdgeCallLimits {
  const read = readNumbers(field, edgeCallFields);
  const sayOrder = (less: keyof EdgeCallLimits, more: keyof EdgeCallLimits): void => {
    const [least, most] = [read[less], read[more]];
    if (least !== undefined && most !== undefined && least > most) field.findings.say(`${field.path}.${less}`, `must not be above ${more}`);
  };
  sayOrder("inFlightMin", "inFlightMax");
  sayOrder("retryAfterMs", "retryAfterMsMax");
  return read;
}

function parseRate(field: Field): RequestRate | undefined {
  const value = readObject(field, ["perSecond", "burst"]);
  if (value === undefined) return undefined;
  const count = (name: "perSecond" | "burst"): number | undefined =>
    readInteger({ ...field, value: value[name], path: `${field.path}.${name}` }, { unit: "requests", min: 1, max: requestsMax });
  const [perSecond, burst] = [count("perSecond"), count("burst")];
  return perSecond === undefined || burst === undefined ? undefined : { perSecond, burst };
}

function parseVelocity(field: Field, otherwise: VelocityLimits): VelocityLimits {
  if (field.value === undefined) return otherwise;
  const value = readObject(field, Object.values(velocityNames));
  if (value === undefined) return otherwise;
  const entries = velocityWindows.map(({ name }) => {
    const one = { ...field, value: value[velocityNames[name]], path: `${field.path}.${velocityNames[name]}` };
    return [name, (one.value === undefined ? undefined : parseThresholds(one)) ?? otherwise[name]] as const;
  });
  return Object.fromEntries(entries) as VelocityLimits;
}

function parseThresholds(field: Field): VelocityLimits[keyof VelocityLimits] | undefined {
  const value = readObject(field, ["raisedFrom", "blockedFrom"]);
  if (value === undefined) return undefined;
  const count = (name: "raisedFrom" | "blockedFrom"): number | undefined =>
    readInteger({ ...field, value: value[name], path: `${field.path}.${name}` }, { unit: "attempts", min: 1, max: attemptsCountMax });
  const [raisedFrom, blockedFrom] = [count("raisedFrom"), count("blockedFrom")];
  if (raisedFrom === undefined || blockedFrom === undefined) return undefined;
  return raisedFrom <= blockedFrom
    ? { raisedFrom, blockedFrom }
    : void field.findings.say(field.path, "raisedFrom must not be above blockedFrom: what is blocked is never only raised");
}

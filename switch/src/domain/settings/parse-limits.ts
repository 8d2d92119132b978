/** Reads the limits of a settings document. One that is not named is as the process was started with. */
import { type VelocityCounts, type VelocityLimits, velocityWindows } from "../fraud/index.ts";
import { type AttemptNumber, attemptsMax } from "../routing/cascade.ts";
import type { HouseLimits } from "../routing/house-settings.ts";
import { attemptsCountMax, cascadeWithinMs } from "./bounds.ts";
import { type Field, readInteger, readObject } from "./read-fields.ts";

/** Each name says what is counted, and over how long. */
export const velocityNames: Readonly<Record<keyof VelocityCounts, string>> = {
  cardPerHour: "cardAttemptsPerHour",
  cardPerDay: "cardAttemptsPerDay",
  ipPerHour: "ipAttemptsPerHour",
  merchantPerMinute: "merchantAttemptsPerMinute",
};

export function parseLimits(field: Field, otherwise: HouseLimits): HouseLimits {
  if (field.value === undefined) return otherwise;
  const value = readObject(field, ["velocity", "cascadeAttemptsMax", "cascadeWithinMs"]);
  if (value === undefined) return otherwise;
  const at = (name: string): Field => ({ ...field, value: value[name], path: `${field.path}.${name}` });
  const number = (name: "cascadeAttemptsMax" | "cascadeWithinMs", o: { unit: string; min: number; max: number }): number =>
    value[name] === undefined ? otherwise[name] : (readInteger(at(name), o) ?? otherwise[name]);
  return {
    velocity: parseVelocity(at("velocity"), otherwise.velocity),
    cascadeAttemptsMax: number("cascadeAttemptsMax", { unit: "attempts", min: 1, max: attemptsMax }) as AttemptNumber,
    cascadeWithinMs: number("cascadeWithinMs", { unit: "ms", ...cascadeWithinMs }),
  };
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

export { documentLengthMax, noteLengthMax, personLengthMax } from "./bounds.ts";
export { type BuiltIn, builtInDocument, builtInLimits, defaultSettings, readBuiltIn } from "./built-in.ts";
export { changesBetween, type SettingsChange, type SettingsChanges } from "./changes.ts";
export { type ConnectorRegistry, makeHouse, registryProblems } from "./make-house.ts";
export {
  documentFields,
  type ParsedSettings,
  parseSettings,
  type ReadSettings,
  type SecretReference,
  type SettingsProblem,
  secretReferences,
} from "./parse-settings.ts";
export { looksSecret } from "./secret-reference.ts";
export { readSettingsJson } from "./settings-json.ts";

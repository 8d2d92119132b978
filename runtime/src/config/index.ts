export { type ConfigDefinition, type ConfigRow, type ConfigValues, defineConfig, loadConfig } from "./config.ts";
export { choice, flag, integer, ratio, type Setting, secretHex, secretText, text, url } from "./setting.ts";

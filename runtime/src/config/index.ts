export {
  type ConfigDefinition,
  type ConfigRow,
  type ConfigValues,
  defineConfig,
  forgetSecrets,
  loadConfig,
  readSecretVariable,
} from "./config.ts";
export { choice, flag, integer, ratio, type Setting, secretHex, secretText, text, tlsFolder, url } from "./setting.ts";
export { sandboxMark, sandboxWord } from "./weak-secret.ts";

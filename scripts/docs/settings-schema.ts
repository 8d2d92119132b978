/** docs/settings.schema.json, from the schema that the parser's tests hold to it. */
import { settingsSchema } from "../../switch/src/domain/settings/schema.ts";

export function renderSettingsSchema(): string {
  return `${JSON.stringify(settingsSchema, null, 2)}\n`;
}

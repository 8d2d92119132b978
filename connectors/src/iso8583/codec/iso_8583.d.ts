/** What is used of the npm package iso_8583, which has no declarations of its own. */
declare module "iso_8583" {
  // biome-ignore lint/style/noDefaultExport: that is what the package exports
  export default class Message {
    constructor(message?: Readonly<Record<string, string>>);
    getRawMessage(): Buffer | { readonly error: string };
    getIsoJSON(bytes: Buffer, settings: { readonly lenHeader: boolean }): Record<string, string>;
  }
}

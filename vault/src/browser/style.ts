/**
 * How a page may dress a field: a closed list of properties, and values that cannot load, hide or overlay anything.
 *
 * A field is the payer's, not the page's: no url(), no positions, no sizes that grow out of the frame. Pure; what is not admitted is named.
 */

export const fieldStates = ["base", "invalid", "placeholder"] as const;
export type StyleState = (typeof fieldStates)[number];

/** As the page writes them → as CSS writes them. The guide for merchants lists the same (a test reads it). */
export const styleProperties = {
  color: "color",
  backgroundColor: "background-color",
  fontFamily: "font-family",
  fontSize: "font-size",
  fontStyle: "font-style",
  fontWeight: "font-weight",
  letterSpacing: "letter-spacing",
  lineHeight: "line-height",
  padding: "padding",
  textAlign: "text-align",
} as const;

export type StyleProperty = keyof typeof styleProperties;
export type FieldStyle = { readonly [State in StyleState]?: { readonly [Property in StyleProperty]?: string } };
export type AdmittedStyle = {
  readonly declarations: readonly { readonly state: StyleState; readonly property: string; readonly value: string }[];
  /** "base.position", "hover": words of the page, for its developer's console. */
  readonly refused: readonly string[];
};

const valueLengthMax = 100;
const refusedMax = 20;
const nameLengthMax = 40;
/** Colours, lengths, words and font names; rgb() and hsl() are the only functions. */
const value = /^(?:[\w\s#%.,'"+-]|(?:rgb|hsl)a?\([\d\s%.,/]+\))+$/i;

/** `asked` comes from the page and can be anything. */
export function admitStyle(asked: unknown): AdmittedStyle {
  const declarations: AdmittedStyle["declarations"][number][] = [];
  const refused: string[] = [];
  const refuse = (...path: readonly string[]): void => {
    if (refused.length < refusedMax) refused.push(path.map((name) => name.slice(0, nameLengthMax)).join("."));
  };
  for (const [state, properties] of entriesOf(asked)) {
    const known = fieldStates.find((one) => one === state);
    if (known === undefined) refuse(state);
    else
      for (const [name, text] of entriesOf(properties)) {
        const property = Object.hasOwn(styleProperties, name) ? styleProperties[name as StyleProperty] : undefined;
        if (property === undefined || typeof text !== "string" || text.length > valueLengthMax || !value.test(text)) refuse(state, name);
        else declarations.push({ state: known, property, value: text });
      }
  }
  return { declarations, refused };
}

function entriesOf(thing: unknown): readonly [string, unknown][] {
  return typeof thing === "object" && thing !== null ? Object.entries(thing) : [];
}

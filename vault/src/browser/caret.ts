/** Where the caret belongs after a field's text was put into shape: behind as many digits as it stood behind before. Pure. */

/** Index in `formatted` right behind its first `digits` digits. */
export function caretBehind(formatted: string, digits: number): number {
  let seen = 0;
  let at = 0;
  while (at < formatted.length && seen < digits) {
    if (isDigit(formatted[at])) seen += 1;
    at += 1;
  }
  return at;
}

export function digitsBefore(text: string, caret: number): number {
  return Array.from(text.slice(0, caret)).filter(isDigit).length;
}

function isDigit(character: string | undefined): boolean {
  return character !== undefined && character >= "0" && character <= "9";
}

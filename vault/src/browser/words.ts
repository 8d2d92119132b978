/** What a field says, in the languages that it speaks: accessible names and the sentences for what is wrong. Pure. */

export type FieldName = "number" | "expiry" | "code";
export type Complaint = "number_invalid" | "expiry_invalid" | "code_invalid";
type Words = Readonly<Record<FieldName | Complaint, string>>;

const english: Words = {
  number: "Card number",
  expiry: "Expiry date, month and year",
  code: "Security code",
  number_invalid: "The card number is not valid.",
  expiry_invalid: "The expiry date is not valid or has passed.",
  code_invalid: "The security code is not complete.",
};

const languages: Readonly<Record<string, Words>> = {
  en: english,
  de: {
    number: "Kartennummer",
    expiry: "Gültig bis, Monat und Jahr",
    code: "Prüfnummer",
    number_invalid: "Die Kartennummer ist ungültig.",
    expiry_invalid: "Das Ablaufdatum ist ungültig oder vorbei.",
    code_invalid: "Die Prüfnummer ist unvollständig.",
  },
  fr: {
    number: "Numéro de carte",
    expiry: "Date d’expiration, mois et année",
    code: "Code de sécurité",
    number_invalid: "Le numéro de carte n’est pas valide.",
    expiry_invalid: "La date d’expiration n’est pas valide ou est dépassée.",
    code_invalid: "Le code de sécurité est incomplet.",
  },
  es: {
    number: "Número de tarjeta",
    expiry: "Fecha de caducidad, mes y año",
    code: "Código de seguridad",
    number_invalid: "El número de tarjeta no es válido.",
    expiry_invalid: "La fecha de caducidad no es válida o ha pasado.",
    code_invalid: "El código de seguridad está incompleto.",
  },
  ar: {
    number: "رقم البطاقة",
    expiry: "تاريخ الانتهاء، الشهر والسنة",
    code: "رمز الأمان",
    number_invalid: "رقم البطاقة غير صحيح.",
    expiry_invalid: "تاريخ الانتهاء غير صحيح أو انقضى.",
    code_invalid: "رمز الأمان غير مكتمل.",
  },
};

const rightToLeft: ReadonlySet<string> = new Set(["ar", "fa", "he", "ur"]);

/** `language` is a BCP 47 tag; English for one that is not spoken here. */
export function wordsOf(language: string): Words {
  const primary = primaryOf(language);
  return (Object.hasOwn(languages, primary) ? languages[primary] : undefined) ?? english;
}

export function directionOf(language: string): "ltr" | "rtl" {
  return rightToLeft.has(primaryOf(language)) ? "rtl" : "ltr";
}

function primaryOf(language: string): string {
  return language.toLowerCase().split("-")[0] ?? "";
}

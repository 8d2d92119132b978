/** k6 has a console; its type package leaves it to others. */
declare const console: { log(message: string): void };

/**
 * The use that a command makes of a key, as bits: one operation and its details. Specs use the notation of the command
 * reference, "RW ACCESS UPDATE"; the type of the notation refuses unknown words.
 */

export const KeyFlag = {
  // The operation: the value is read, read and written, overwritten, or removed.
  RO: 1,
  RW: 2,
  OW: 4,
  RM: 8,
  // The details: user data is returned or used; changed depending on the old data; added; deleted.
  ACCESS: 16,
  UPDATE: 32,
  INSERT: 64,
  DELETE: 128,
  /** The argument is routed like a key but is not a key. */
  NOT_KEY: 256,
  /** The specification does not find all keys. */
  INCOMPLETE: 512,
  /** The flags depend on other arguments. */
  VARIABLE_FLAGS: 1024,
} as const;

type Operation = "RO" | "RW" | "OW" | "RM" | "NOT_KEY";
type Maybe<Word extends keyof typeof KeyFlag> = "" | ` ${Word}`;
type Details = `${Maybe<"ACCESS">}${Maybe<"UPDATE">}${Maybe<"INSERT">}${Maybe<"DELETE">}`;

/** Flags as words, in the order of KeyFlag. */
export type KeyWords = `${Operation}${Details}${Maybe<"INCOMPLETE">}${Maybe<"VARIABLE_FLAGS">}`;

/** The bits of flags in word notation. */
export function keyFlags(words: KeyWords): number {
  let bits = 0;
  for (const word of words.split(" ")) bits |= KeyFlag[word as keyof typeof KeyFlag];
  return bits;
}

const OPERATIONS = KeyFlag.RO | KeyFlag.RW | KeyFlag.OW | KeyFlag.RM;

/** The names of flags as replies show them: the operation in upper case, the details in lower case. */
export function keyFlagNames(bits: number): string[] {
  return Object.entries(KeyFlag).filter(([, bit]) => (bits & bit) !== 0)
    .map(([name, bit]) => (bit & OPERATIONS) !== 0 ? name : name.toLowerCase());
}

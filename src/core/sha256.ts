/** SHA-256 by the runtime, and the comparison of digests. */
import { crypto } from "./builtin.ts";
import { utf8 } from "./bytes.ts";

/** The SHA-256 of bytes as 64 hex digits in lower case. */
export function sha256Hex(bytes: Uint8Array): string {
  return crypto().createHash("sha256").update(bytes).digest("hex");
}

/** Compares two texts of ASCII in a time that depends on their lengths alone. */
export function equalInConstantTime(a: string, b: string): boolean {
  return a.length === b.length && crypto().timingSafeEqual(utf8(a), utf8(b));
}

/** Random hex digits for a secret. */
export function secretHex(digits: number): string {
  return crypto().randomBytes(Math.ceil(digits / 2)).toString("hex").slice(0, digits);
}

/** SHA-256 by the runtime, which is loaded at its first use, and the comparison of digests. */
import { utf8 } from "./bytes.ts";

type Crypto = typeof import("node:crypto");

let loaded: Crypto | undefined;

function crypto(): Crypto {
  return loaded ??= globalThis.process.getBuiltinModule("node:crypto") as Crypto;
}

/** The SHA-256 of bytes as 64 hex digits in lower case. */
export function sha256Hex(bytes: Uint8Array): string {
  return crypto().createHash("sha256").update(bytes).digest("hex");
}

/** Compares two texts of ASCII in a time that depends on their lengths alone. */
export function equalInConstantTime(a: string, b: string): boolean {
  return a.length === b.length && crypto().timingSafeEqual(utf8(a), utf8(b));
}

/** Random bytes for secrets. */
export function secretBytes(count: number): Uint8Array {
  return crypto().randomBytes(count);
}

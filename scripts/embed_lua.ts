/**
 * Writes a WebAssembly module as text into a source file, compressed, so that every way to install or compile the
 * program takes it along. With --check it compares instead: embed_lua.ts <module> <source file> [--check]
 */
import { gunzipSync, gzipSync } from "node:zlib";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";

const [from, to, check] = Deno.args;
const module = Deno.readFileSync(from);
const sha256 = createHash("sha256").update(module).digest("hex");

if (check === "--check") {
  const present: { BINARY: string } = await import(new URL(to, "file:///").href);
  const same = Buffer.from(gunzipSync(Buffer.from(present.BINARY, "base64"))).equals(Buffer.from(module));
  console.log(same ? `${to} holds the module ${sha256}` : `${to} does not hold the module ${sha256}`);
  Deno.exit(same ? 0 : 1);
}

const text = gzipSync(module, { level: 9 }).toString("base64");
Deno.writeTextFileSync(
  to,
  `/**
 * The WebAssembly module with Lua and its libraries, compressed with gzip, in base64. scripts/build_lua.sh makes this
 * file.
 */
// deno-fmt-ignore-file

/** The SHA-256 of the uncompressed module. */
export const SHA256 = "${sha256}";

export const BINARY = "${text}";
`,
);
console.log(`${module.length} bytes, ${text.length} characters, sha256 ${sha256}`);

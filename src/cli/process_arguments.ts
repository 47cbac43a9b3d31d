/**
 * The bytes of the process's arguments. Deno gives them as text and puts U+FFFD where they are not UTF-8, so a key of
 * any bytes would be stored as another key. Linux keeps the bytes in /proc; this file reads them there and knows no
 * flag.
 *
 * - `deno run`: the arguments end the command line of this very process.
 * - The compiled executable: Deno's runtime ends the process before this program runs.
 * - `deno task`: the task's shell passes text on, so the bytes are in the command line of the parent process only.
 * - other systems, and processes without the permission: the bytes are lost; such arguments are refused.
 *
 * Deno lets a process read /proc with all permissions only; with the permission for FFI the C library reads it.
 */
import { fromBytes, fromText, toBytes, toText } from "./binary.ts";

/** An argument whose bytes are lost; `message` is a line for the user. */
export class LostBytesError extends Error {
  override name = "LostBytesError";
}

/** U+FFFD: bytes that were not UTF-8, unless the user gave this very character. */
const REPLACEMENT = "\ufffd";

/**
 * The arguments `args`, the last words of this process's command line, as byte strings. Throws LostBytesError where
 * bytes are lost.
 */
export function processArguments(args: readonly string[]): string[] {
  const position = args.findIndex((arg) => arg.includes(REPLACEMENT));
  if (position < 0) return args.map(fromText);
  const own = lastWords("self", args);
  if (own === undefined) {
    throw new LostBytesError(
      `argument ${position + 1} is not UTF-8, and its bytes cannot be read ${reasonHere()}; ` +
        `write it with --quoted-input '"\\xff"', or send it through the standard input with -x`,
    );
  }
  const isText = own.every((arg, index) => arg === fromText(args[index]!));
  return isText ? lastWords(String(Deno.ppid), args) ?? own : own;
}

function reasonHere(): string {
  return Deno.build.os === "linux" ? "without the permission for FFI" : "on this system";
}

/** The last words of a process's command line, when they differ from `args` only in bytes that are not UTF-8. */
function lastWords(process: string, args: readonly string[]): string[] | undefined {
  const line = Deno.build.os === "linux" ? readSpecialFile(`/proc/${process}/cmdline`) : undefined;
  // A zero byte ends each word.
  const words = line?.split("\0").slice(0, -1).slice(-args.length) ?? [];
  return words.length === args.length && words.every((word, index) => toText(word) === args[index]) ? words : undefined;
}

/** The content of a file in /proc, or undefined where it cannot be read. Never asks for a permission. */
function readSpecialFile(path: string): string | undefined {
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return undefined;
  try {
    const libc = Deno.dlopen("libc.so.6", {
      open: { parameters: ["buffer", "i32"], result: "i32" },
      read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
      close: { parameters: ["i32"], result: "i32" },
    });
    const { open, read, close } = libc.symbols;
    const file = open(toBytes(`${path}\0`), 0);
    if (file < 0) return undefined;
    const chunk = new Uint8Array(64 * 1024);
    let [content, size] = ["", 0];
    do {
      size = Number(read(file, chunk, BigInt(chunk.length)));
      content += fromBytes(chunk.subarray(0, Math.max(0, size)));
    } while (size > 0);
    close(file);
    return size < 0 ? undefined : content;
  } catch {
    return undefined;
  }
}

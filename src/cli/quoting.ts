/**
 * How a command line becomes arguments and how an argument is shown with quotes, on byte strings. The rules of
 * splitting are those of inline commands and live with the protocol.
 */
import { splitArguments as splitInline } from "../resp/inline.ts";
import { fromBytes, toBytes } from "./binary.ts";

const escapes: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\b": "\\b",
  "\x07": "\\a",
};

/** The arguments of a command line, split as an inline command is; undefined when the quotes do not balance. */
export function splitArguments(line: string): string[] | undefined {
  const bytes = toBytes(line);
  return splitInline(bytes, 0, bytes.length)?.map(fromBytes);
}

/** In double quotes, everything outside printable ASCII escaped. */
export function quote(byteString: string): string {
  // deno-lint-ignore no-control-regex
  const inner = byteString.replace(/["\\\x00-\x1f\x7f-\xff]/g, (char) => {
    return escapes[char] ?? "\\x" + char.charCodeAt(0).toString(16).padStart(2, "0");
  });
  return `"${inner}"`;
}

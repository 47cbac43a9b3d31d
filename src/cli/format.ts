/**
 * Replies as text, byte for byte as redis-cli prints them: for people, raw, CSV and JSON. Takes decoded replies and
 * gives byte strings without a final newline; it writes nothing.
 */
import type { Reply } from "../resp/decoder.ts";
import { fromBytes } from "./binary.ts";
import { quote } from "./quoting.ts";

export type OutputMode = "standard" | "raw" | "csv" | "json" | "quoted-json";

/** The texts between elements (`-d`) and after each reply (`-D`) in raw output. */
export interface Delimiters {
  readonly element: string;
  readonly reply: string;
}

/** The reply as it is printed, its final delimiter included. */
export function formatReply(reply: Reply, mode: OutputMode, delimiters: Delimiters): string {
  switch (mode) {
    case "standard":
      return formatStandard(reply, "") + "\n";
    case "raw":
      return formatRaw(reply, delimiters.element) + delimiters.reply;
    case "csv":
      return formatCsv(reply) + "\n";
    case "json":
      return formatJson(reply, jsonString) + "\n";
    case "quoted-json":
      return formatJson(reply, quotedJsonString) + "\n";
  }
}

/** Numbered, quoted, typed. `prefix` indents every line but the first. */
export function formatStandard(reply: Reply, prefix: string): string {
  switch (reply.type) {
    case "status":
    case "verbatim":
      return fromBytes(reply.bytes);
    case "string":
      return quote(fromBytes(reply.bytes));
    case "error":
      return `(error) ${fromBytes(reply.bytes)}`;
    case "integer":
      return `(integer) ${reply.value}`;
    case "bignum":
      return `(bignum) ${reply.value}`;
    case "double":
      return `(double) ${reply.text}`;
    case "boolean":
      return `(${reply.value})`;
    case "nil":
      return "(nil)";
    case "map": {
      const { entries } = reply;
      if (entries.length === 0) return "(empty hash)";
      const width = String(entries.length).length;
      const inner = prefix + " ".repeat(width + 2);
      return entries.map(([key, value], index) => {
        const label = `${String(index + 1).padStart(width)}# `;
        const breaks = spansLines(value) ? "\n" + inner : "";
        return label + formatStandard(key, inner) + " => " + breaks + formatStandard(value, inner);
      }).join("\n" + prefix);
    }
    default: {
      const { items } = reply;
      if (items.length === 0) return `(empty ${reply.type})`;
      const width = String(items.length).length;
      const inner = prefix + " ".repeat(width + 2);
      const mark = reply.type === "set" ? "~" : ")";
      return items.map((item, index) => `${String(index + 1).padStart(width)}${mark} ${formatStandard(item, inner)}`)
        .join("\n" + prefix);
    }
  }
}

/** Whether an aggregate takes several lines. As a map's value it then begins on a line of its own. */
function spansLines(reply: Reply): boolean {
  if (reply.type === "map") return reply.entries.length > 1 || reply.entries.some(([, value]) => spansLines(value));
  if ("items" in reply) return reply.items.length > 1 || reply.items.some(spansLines);
  return false;
}

/** Contents only, elements separated by `delimiter`. */
export function formatRaw(reply: Reply, delimiter: string): string {
  switch (reply.type) {
    case "status":
    case "verbatim":
    case "string":
      return fromBytes(reply.bytes);
    case "error":
      return fromBytes(reply.bytes) + "\n";
    case "integer":
    case "bignum":
      return String(reply.value);
    case "double":
      return reply.text;
    case "boolean":
      return `(${reply.value})`;
    case "nil":
      return "";
    case "map":
      return reply.entries.map(([key, value]) => `${formatRaw(key, delimiter)} ${formatRaw(value, delimiter)}`)
        .join(delimiter);
    default:
      return reply.items.map((item) => formatRaw(item, delimiter)).join(delimiter);
  }
}

/** One flat line of comma-separated values. */
export function formatCsv(reply: Reply): string {
  switch (reply.type) {
    case "status":
    case "verbatim":
    case "string":
      return quote(fromBytes(reply.bytes));
    case "error":
      return `ERROR,${quote(fromBytes(reply.bytes))}`;
    case "integer":
    case "bignum":
    case "boolean":
      return String(reply.value);
    case "double":
      return reply.text;
    case "nil":
      return "NULL";
    case "map":
      return reply.entries.map(([key, value]) => `${formatCsv(key)},${formatCsv(value)}`).join(",");
    default:
      return reply.items.map(formatCsv).join(",");
  }
}

/** JSON, its strings written by `string`. */
function formatJson(reply: Reply, string: (byteString: string) => string): string {
  switch (reply.type) {
    case "status":
    case "verbatim":
    case "string":
      return string(fromBytes(reply.bytes));
    case "error":
      return `error:${string(fromBytes(reply.bytes))}`;
    case "integer":
    case "bignum":
    case "boolean":
      return String(reply.value);
    case "double":
      return reply.text;
    case "nil":
      return "null";
    case "map":
      return `{${
        reply.entries.map(([key, value]) => `${jsonKey(key, string)}:${formatJson(value, string)}`).join(",")
      }}`;
    default:
      return `[${reply.items.map((item) => formatJson(item, string)).join(",")}]`;
  }
}

/** Keys that are not strings are written as JSON inside a string, errors bare. */
function jsonKey(key: Reply, string: (byteString: string) => string): string {
  const text = formatJson(key, string);
  return "bytes" in key ? text : `"${text}"`;
}

const jsonEscapes: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\b": "\\b",
  "\f": "\\f",
};

/** The bytes of strings stay as they are: UTF-8 where the data are. */
function jsonString(byteString: string): string {
  // deno-lint-ignore no-control-regex
  const inner = byteString.replace(/["\\\x00-\x1f]/g, (char) => {
    return jsonEscapes[char] ?? "\\u" + char.charCodeAt(0).toString(16).padStart(4, "0");
  });
  return `"${inner}"`;
}

/** ASCII: the string as standard output shows it, its backslashes doubled. */
function quotedJsonString(byteString: string): string {
  return quote(byteString).replaceAll("\\", "\\\\");
}

/**
 * The client's half of RESP: a streaming decoder that turns RESP2 and RESP3 replies into values with their wire type,
 * and an encoder of requests. It owns no socket and formats nothing. It shares no code with the server's request parser
 * and reply writer.
 */

/** Values that preceded a reply as RESP3 attributes. Redis sends none today, but the protocol allows them anywhere. */
interface Attributed {
  readonly attributes?: readonly (readonly [Reply, Reply])[];
}

/** One reply. Bulk errors are errors, and the three forms of null are all "nil". */
export type Reply =
  & Attributed
  & (
    | { readonly type: "string" | "status" | "error"; readonly bytes: Uint8Array }
    | { readonly type: "verbatim"; readonly format: string; readonly bytes: Uint8Array }
    | { readonly type: "integer" | "bignum"; readonly value: bigint }
    /** `text` is the number as the server wrote it. */
    | { readonly type: "double"; readonly value: number; readonly text: string }
    | { readonly type: "boolean"; readonly value: boolean }
    | { readonly type: "nil" }
    | { readonly type: "array" | "set" | "push"; readonly items: readonly Reply[] }
    | { readonly type: "map"; readonly entries: readonly (readonly [Reply, Reply])[] }
  );

/** The peer sent bytes that are not RESP. The connection is no longer usable. */
export class ReplyProtocolError extends Error {
  override name = "ReplyProtocolError";
}

type Aggregate = "array" | "set" | "push" | "map" | "attribute";

/** An aggregate whose elements are still arriving. */
interface Frame {
  readonly type: Aggregate;
  readonly items: Reply[];
  missing: number;
  /** Attributes of the aggregate itself. */
  readonly own: Attributed | undefined;
}

const CR = 13;
const LF = 10;
const maxDepth = 512;
const initialCapacity = 16 * 1024;
const latin1 = new TextDecoder("latin1");
const nil: Reply = { type: "nil" };

const aggregates: Readonly<Record<string, Aggregate>> = {
  "*": "array",
  "~": "set",
  ">": "push",
  "%": "map",
  "|": "attribute",
};

/**
 * Takes bytes as they arrive and returns complete replies. Nothing is parsed twice: a line resumes its search for CRLF
 * where it stopped, and an aggregate keeps its finished elements. Memory grows with the bytes that have arrived, not
 * with announced lengths.
 */
export class ReplyDecoder {
  #buffer = new Uint8Array(initialCapacity);
  #start = 0;
  #end = 0;
  /** The position up to which the current line was searched for its end. */
  #scanned = 0;
  /** Length of the bulk string whose header was read, or -1. */
  #bulkSize = -1;
  #bulkType = "";
  #frames: Frame[] = [];
  /** Attributes that wait for the value that they describe. */
  #pending: Attributed | undefined;

  /** Adds bytes from the wire. They are copied, so the caller may reuse `chunk`. */
  push(chunk: Uint8Array): void {
    const size = this.#end - this.#start;
    if (this.#end + chunk.length > this.#buffer.length) {
      let capacity = this.#buffer.length;
      while (capacity < size + chunk.length) capacity *= 2;
      const target = capacity === this.#buffer.length ? this.#buffer : new Uint8Array(capacity);
      target.set(this.#buffer.subarray(this.#start, this.#end));
      this.#buffer = target;
      this.#scanned -= this.#start;
      this.#start = 0;
      this.#end = size;
    }
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** The next complete reply, or undefined until more bytes arrive. Throws ReplyProtocolError. */
  next(): Reply | undefined {
    for (;;) {
      const value = this.#bulkSize >= 0 ? this.#readBulk() : this.#readLine();
      if (value === undefined) break;
      if (value === null) continue;
      const whole = this.#complete(value);
      if (whole !== undefined) return whole;
    }
    if (this.#start === this.#end) {
      this.#start = this.#end = this.#scanned = 0;
      if (this.#buffer.length > 1 << 20) this.#buffer = new Uint8Array(initialCapacity);
    }
    return undefined;
  }

  /**
   * Reads one line: a simple value; null if it opened a bulk string or an aggregate; undefined while it is incomplete.
   */
  #readLine(): Reply | null | undefined {
    const buffer = this.#buffer;
    if (this.#start === this.#end) return undefined;
    const type = String.fromCharCode(buffer[this.#start]!);
    if (!"+-:$*_#,(!=%~>|".includes(type)) {
      const shown = buffer[this.#start]! >= 32 && buffer[this.#start]! < 127
        ? type
        : "\\x" + buffer[this.#start]!.toString(16).padStart(2, "0");
      throw new ReplyProtocolError(`Protocol error, got "${shown}" as reply type byte`);
    }
    let at = Math.max(this.#scanned, this.#start + 1);
    while (true) {
      at = buffer.indexOf(LF, at);
      if (at < 0 || at >= this.#end) {
        this.#scanned = this.#end;
        return undefined;
      }
      if (buffer[at - 1] === CR) break;
      at++;
    }
    const line = buffer.slice(this.#start + 1, at - 1);
    this.#start = this.#scanned = at + 1;
    if (type === "+") return { type: "status", bytes: line };
    if (type === "-") return { type: "error", bytes: line };
    const text = latin1.decode(line);
    switch (type) {
      case ":":
        if (!/^[+-]?\d{1,19}$/.test(text)) throw new ReplyProtocolError("Bad integer value");
        return { type: "integer", value: BigInt(text.replace("+", "")) };
      case "(":
        if (!/^[+-]?\d+$/.test(text)) throw new ReplyProtocolError("Bad bignum value");
        return { type: "bignum", value: BigInt(text.replace("+", "")) };
      case ",":
        return { type: "double", value: parseDouble(text), text };
      case "#":
        if (text !== "t" && text !== "f") throw new ReplyProtocolError("Bad bool value");
        return { type: "boolean", value: text === "t" };
      case "_":
        if (text !== "") throw new ReplyProtocolError("Bad nil value");
        return nil;
    }
    if (text === "-1" && (type === "$" || type === "*")) return nil;
    if (!/^\d{1,15}$/.test(text)) {
      throw new ReplyProtocolError(
        type in aggregates ? "Bad multi-bulk length" : "Bad bulk string length",
      );
    }
    const size = Number(text);
    const aggregate = aggregates[type];
    if (aggregate === undefined) {
      this.#bulkSize = size;
      this.#bulkType = type;
      return null;
    }
    if (this.#frames.length === maxDepth) throw new ReplyProtocolError("No support for replies nested this deep");
    const paired = aggregate === "map" || aggregate === "attribute";
    const frame: Frame = { type: aggregate, items: [], missing: paired ? size * 2 : size, own: this.#pending };
    this.#pending = undefined;
    if (size > 0) {
      this.#frames.push(frame);
      return null;
    }
    return this.#close(frame);
  }

  /** The bulk string whose header was read; undefined until it has arrived completely. */
  #readBulk(): Reply | undefined {
    const size = this.#bulkSize;
    if (this.#end - this.#start < size + 2) return undefined;
    const end = this.#start + size;
    if (this.#buffer[end] !== CR || this.#buffer[end + 1] !== LF) {
      throw new ReplyProtocolError("Bad bulk string terminator");
    }
    const bytes = this.#buffer.slice(this.#start, end);
    this.#start = this.#scanned = end + 2;
    this.#bulkSize = -1;
    if (this.#bulkType === "$") return { type: "string", bytes };
    if (this.#bulkType === "!") return { type: "error", bytes };
    if (size < 4 || bytes[3] !== 58) {
      throw new ReplyProtocolError("Verbatim string 4 bytes of content type are missing");
    }
    return { type: "verbatim", format: latin1.decode(bytes.subarray(0, 3)), bytes: bytes.subarray(4) };
  }

  /** Adds a finished value to the aggregate that waits for it. Without a waiting aggregate the value is the reply. */
  #complete(first: Reply): Reply | undefined {
    let value: Reply | null = first;
    while (value !== null) {
      if (this.#pending !== undefined) {
        value = { ...value, ...this.#pending };
        this.#pending = undefined;
      }
      const frame = this.#frames.at(-1);
      if (frame === undefined) return value;
      frame.items.push(value);
      if (--frame.missing > 0) return undefined;
      this.#frames.pop();
      value = this.#close(frame);
    }
    return undefined;
  }

  /** The value of an aggregate that has all its elements; null if it was a set of attributes. */
  #close(frame: Frame): Reply | null {
    const { type, items, own } = frame;
    if (type !== "map" && type !== "attribute") return { type, items, ...own };
    const entries: [Reply, Reply][] = [];
    for (let i = 0; i < items.length; i += 2) entries.push([items[i]!, items[i + 1]!]);
    if (type === "map") return { type, entries, ...own };
    this.#pending = { attributes: entries };
    return null;
  }
}

/** RESP3's forms of a double: decimal, `inf`, `-inf`, `nan`. */
function parseDouble(text: string): number {
  const lower = text.toLowerCase();
  if (lower === "inf" || lower === "+inf") return Infinity;
  if (lower === "-inf") return -Infinity;
  if (lower === "nan" || lower === "-nan") return NaN;
  const value = Number(text);
  if (text.trim() === "" || Number.isNaN(value)) throw new ReplyProtocolError("Bad double value");
  return value;
}

/** A request as an array of bulk strings; text is sent as UTF-8. */
export function encodeRequest(args: readonly (string | Uint8Array)[]): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const parts: Uint8Array[] = [encoder.encode(`*${args.length}\r\n`)];
  for (const arg of args) {
    const bytes = typeof arg === "string" ? encoder.encode(arg) : arg;
    parts.push(encoder.encode(`$${bytes.length}\r\n`), bytes, encoder.encode("\r\n"));
  }
  const request = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    request.set(part, at);
    at += part.length;
  }
  return request;
}

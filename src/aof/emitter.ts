/**
 * Writes values as commands into a file that is being rewritten. It encodes commands on one key as RESP, and limits the
 * bytes that are written before the event loop gets its turn. The types divide a value into commands.
 */
import { fromLatin1 } from "../core/bytes.ts";
import { writeDecimal } from "../core/numbers.ts";
import type { CommandWriter } from "../store/store.ts";
import type { EffectWriter } from "./effect_writer.ts";
import type { Deadline } from "../store/deadline.ts";

const SET = fromLatin1("*3\r\n$3\r\nSET\r\n"), SET_UNTIL = fromLatin1("*5\r\n$3\r\nSET\r\n");
const PXAT = fromLatin1("$4\r\nPXAT\r\n");
const BODY_BYTES = 16 * 1024;
const ARGUMENTS_AT_ONCE = 2048;
const BYTES_AT_ONCE = 256 * 1024;

export class Emitter implements CommandWriter {
  readonly #effects: EffectWriter;
  #db = 0;
  #key: Uint8Array = new Uint8Array(0);
  /** The arguments of the command that is being written. */
  #body = new Uint8Array(BODY_BYTES);
  #length = 0;
  #argc = 0;
  readonly #header = new Uint8Array(16);
  readonly #names = new Map<string, { readonly bytes: Uint8Array; readonly argc: number }>();
  /** Arguments and bytes written since `begin`, and the factor of their limits. */
  #arguments = 0;
  #bytes = 0;
  #factor = 1;
  place?: unknown;

  constructor(effects: EffectWriter) {
    this.#effects = effects;
  }

  /** Begins a key, which is copied. `factor` multiplies the limit of arguments and bytes. */
  begin(db: number, bytes: Uint8Array, start: number, end: number, factor = 1): void {
    this.#db = db;
    const length = end - start;
    const head = fromLatin1(`$${length}\r\n`);
    this.#key = new Uint8Array(head.length + length + 2);
    this.#key.set(head);
    this.#key.set(bytes.subarray(start, end), head.length);
    this.#key[head.length + length] = 13;
    this.#key[head.length + length + 1] = 10;
    this.#arguments = this.#bytes = 0;
    this.#factor = factor;
  }

  /** Writes a whole string. `deadline` in ms, negative for none. Hot. */
  set(
    db: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
    start: number,
    end: number,
    deadline: Deadline,
  ): void {
    const head = deadline < 0 ? SET : SET_UNTIL;
    this.#raw(head, 0, head.length);
    this.bytes(key, keyStart, keyEnd);
    this.bytes(value, start, end);
    if (deadline >= 0) {
      this.#raw(PXAT, 0, PXAT.length);
      this.text(String(deadline));
    }
    this.#effects.append(db, this.#body, 0, this.#length);
    this.#argc = this.#length = 0;
  }

  get full(): boolean {
    return this.#arguments >= ARGUMENTS_AT_ONCE * this.#factor ||
      this.#bytes + this.#length >= BYTES_AT_ONCE * this.#factor;
  }

  command(name: string): void {
    this.end();
    let head = this.#names.get(name);
    if (head === undefined) {
      const words = name.split(" ");
      const bytes = fromLatin1(words.map((word) => `$${word.length}\r\n${word}\r\n`).join(""));
      this.#names.set(name, head = { bytes, argc: words.length + 1 });
    }
    this.#raw(head.bytes, 0, head.bytes.length);
    this.#raw(this.#key, 0, this.#key.length);
    this.#argc = head.argc;
  }

  bytes(bytes: Uint8Array, start: number, end: number): void {
    this.#room(end - start + 16);
    const body = this.#body;
    body[this.#length++] = 36;
    this.#length = writeDecimal(body, this.#length, end - start);
    body[this.#length++] = 13;
    body[this.#length++] = 10;
    this.#raw(bytes, start, end);
    body[this.#length++] = 13;
    body[this.#length++] = 10;
    this.#argc++;
  }

  text(text: string): void {
    const bytes = fromLatin1(text);
    this.bytes(bytes, 0, bytes.length);
  }

  /** Ends the last command. */
  end(): void {
    if (this.#argc === 0) return;
    const header = this.#header;
    header[0] = 42;
    const at = writeDecimal(header, 1, this.#argc);
    header[at] = 13;
    header[at + 1] = 10;
    this.#effects.append(this.#db, header, 0, at + 2);
    this.#effects.append(this.#db, this.#body, 0, this.#length);
    this.#arguments += this.#argc;
    this.#bytes += this.#length;
    this.#argc = this.#length = 0;
    if (this.#body.length > 1 << 20) this.#body = new Uint8Array(BODY_BYTES);
  }

  #raw(bytes: Uint8Array, start: number, end: number): void {
    const size = end - start;
    this.#room(size + 2);
    const body = this.#body;
    let at = this.#length;
    if (size > 48) body.set(bytes.subarray(start, end), at);
    else for (let i = start; i < end; i++) body[at++] = bytes[i];
    this.#length += size;
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#body.length) return;
    let room = this.#body.length;
    while (room < this.#length + bytes) room *= 2;
    const grown = new Uint8Array(room);
    grown.set(this.#body.subarray(0, this.#length));
    this.#body = grown;
  }
}

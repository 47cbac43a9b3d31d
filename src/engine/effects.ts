/**
 * The stream of effects: the changes of commands, as commands, in order. The append-only file is the first listener; a
 * rewrite and replicas are others. The effects between `begin` and `end` are one unit: after a crash all of them are
 * present, or none.
 *
 * An effect is RESP in a buffer that its sender may reuse. A listener copies the bytes that it keeps before it returns.
 */
import { fromLatin1 } from "../core/bytes.ts";

export interface EffectListener {
  /** One command in RESP, `bytes[start, end)`, for database `db`. */
  effect(db: number, bytes: Uint8Array, start: number, end: number): void;
}

export type EffectArgument = string | number | Uint8Array;

const MULTI = fromLatin1("*1\r\n$5\r\nMULTI\r\n");
const EXEC = fromLatin1("*1\r\n$4\r\nEXEC\r\n");
const encoder = new TextEncoder();

export class Effects {
  /** Whether the stream has a listener. Hot code checks this before it builds an effect. */
  open = false;
  readonly #listeners: EffectListener[] = [];
  #depth = 0;
  #started = false;
  #lastDb = 0;
  #scratch = new Uint8Array(1024);

  listen(listener: EffectListener): void {
    this.#listeners.push(listener);
    this.open = true;
  }

  /** Whether the stream has a listener, even while `open` is false because a script has asked for it. */
  get heard(): boolean {
    return this.#listeners.length > 0;
  }

  unlisten(listener: EffectListener): void {
    const i = this.#listeners.indexOf(listener);
    if (i >= 0) this.#listeners.splice(i, 1);
    this.open = this.#listeners.length > 0;
  }

  /** Passes on one command that is already RESP. */
  pass(db: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.#depth > 0 && !this.#started) {
      this.#started = true;
      this.#send(db, MULTI, 0, MULTI.length);
    }
    this.#lastDb = db;
    this.#send(db, bytes, start, end);
  }

  /** Passes on one command, given by its arguments; text is sent as UTF-8. */
  command(db: number, args: readonly EffectArgument[]): void {
    if (!this.open) return;
    const parts = args.map((arg) => arg instanceof Uint8Array ? arg : encoder.encode(String(arg)));
    let size = 16;
    for (const part of parts) size += part.length + 16;
    if (this.#scratch.length < size) this.#scratch = new Uint8Array(size);
    const out = this.#scratch;
    let at = 0;
    const header = (mark: string, n: number) => {
      at += encoder.encodeInto(`${mark}${n}\r\n`, out.subarray(at)).written;
    };
    header("*", parts.length);
    for (const part of parts) {
      header("$", part.length);
      out.set(part, at);
      at += part.length;
      out[at++] = 13;
      out[at++] = 10;
    }
    this.pass(db, out, 0, at);
    if (this.#scratch.length > 1 << 20) this.#scratch = new Uint8Array(1024);
  }

  /** Begins a unit. Units nest. An empty unit has no effect. */
  begin(): void {
    this.#depth++;
  }

  end(): void {
    if (--this.#depth > 0 || !this.#started) return;
    this.#started = false;
    this.#send(this.#lastDb, EXEC, 0, EXEC.length);
  }

  #send(db: number, bytes: Uint8Array, start: number, end: number): void {
    for (const listener of this.#listeners) listener.effect(db, bytes, start, end);
  }
}

/**
 * Writes a stream of effects into an append-only file. It keeps track of the database that a reader of the file has
 * selected, and adds a SELECT before a command for another database. A new writer begins with a SELECT.
 */
import { fromLatin1 } from "../core/bytes.ts";
import type { AofFile } from "./file.ts";

export class EffectWriter {
  readonly #file: AofFile;
  /** The selected database, -1 before the first SELECT. */
  #db = -1;

  constructor(file: AofFile) {
    this.#file = file;
  }

  /** Adds `bytes[start, end)`, a command or a part of one, for database `db`. Hot. */
  append(db: number, bytes: Uint8Array, start: number, end: number): void {
    if (db !== this.#db) this.#select(db);
    this.#file.append(bytes, start, end);
  }

  #select(db: number): void {
    this.#db = db;
    const digits = String(db);
    const select = fromLatin1(`*2\r\n$6\r\nSELECT\r\n$${digits.length}\r\n${digits}\r\n`);
    this.#file.append(select, 0, select.length);
  }
}

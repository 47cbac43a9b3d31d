/**
 * Writes a whole RDB file: header, auxiliary fields, keys with their attributes, checksum. The caller decides which
 * keys are written, and when.
 */
import type { Identity } from "../core/personality.ts";
import { type Keyspace, NEVER } from "../store/keyspace.ts";
import { keyLength, keyStart } from "../store/blocks/record.ts";
import { CHUNK_SHIFT, type RecordRef } from "../store/memory/arena.ts";
import type { Store } from "../store/store.ts";
import { HEAD_BYTES, type KeptClock, Opcode, VALKEY_VERSION_MIN } from "./format.ts";
import type { RdbOutput } from "./output.ts";
import { ValueWriter } from "./value_writer.ts";

export interface RdbFileOptions {
  /** For the field redis-ver or valkey-ver. */
  identity: Identity;
  /** The file is the beginning of an append-only file. */
  preamble: boolean;
  clocks: KeptClock;
  /** Leaves out keys that are past their deadline. */
  dropExpired?: boolean;
  /** The version of the format. */
  version: number;
}

export class RdbFileWriter {
  /** Number of written keys, and of expired keys that were left out. */
  keys = 0;
  expired = 0;
  readonly output: RdbOutput;
  readonly #store: Store;
  readonly #values: ValueWriter;
  readonly #clocks: KeptClock;
  readonly #dropExpired: boolean;
  #db: Keyspace | undefined;
  readonly #sized = new Set<Keyspace>();

  /** Writes the header and the auxiliary fields. */
  constructor(store: Store, output: RdbOutput, options: RdbFileOptions) {
    this.#store = store;
    this.output = output;
    this.#clocks = options.clocks;
    this.#dropExpired = options.dropExpired ?? false;
    const { identity, version } = options;
    this.#values = new ValueWriter(store, output, version);
    const ofValkey = version >= VALKEY_VERSION_MIN;
    const name = ofValkey ? "VALKEY" : "REDIS";
    const head = Uint8Array.from(
      name + String(version).padStart(HEAD_BYTES - name.length, "0"),
      (c) => c.charCodeAt(0),
    );
    output.raw(head, 0, head.length);
    this.#field(`${identity.personality}-ver`, identity.version);
    this.#field("redis-bits", "64");
    this.#field("ctime", String(Math.floor(store.nowMs / 1000)));
    this.#field("used-mem", String(store.arena.usedBytes));
    this.#field("aof-base", options.preamble ? "1" : "0");
  }

  /** Writes one key. */
  key(db: Keyspace, ref: RecordRef): void {
    const { output } = this;
    const deadline = db.deadlineOf(ref);
    if (this.#dropExpired && deadline !== NEVER && deadline <= this.#store.nowMs) {
      this.expired++;
      return;
    }
    if (db !== this.#db) this.#select(db);
    if (deadline !== NEVER) {
      output.byte(Opcode.EXPIRETIME_MS);
      output.int64(deadline);
    }
    if (this.#clocks === "idle") {
      output.byte(Opcode.IDLE);
      output.count(this.#store.idleSeconds(ref));
    } else if (this.#clocks === "frequency") {
      output.byte(Opcode.FREQ);
      output.byte(this.#store.frequency(ref));
    }
    output.byte(this.#values.typeOf(db, ref));
    const { arena } = this.#store;
    const start = keyStart(arena, ref);
    output.string(arena.u8[ref >>> CHUNK_SHIFT], start, start + keyLength(arena, ref));
    this.#values.write(db, ref);
    this.keys++;
  }

  /** Writes the end mark and the checksum. */
  end(): void {
    this.output.byte(Opcode.EOF);
    this.output.checksum();
  }

  #select(db: Keyspace): void {
    const { output } = this;
    this.#db = db;
    output.byte(Opcode.SELECTDB);
    output.count(db.index);
    if (this.#sized.has(db)) return;
    this.#sized.add(db);
    output.byte(Opcode.RESIZEDB);
    output.count(db.size);
    output.count(db.expiresSize);
  }

  #field(name: string, text: string): void {
    this.output.byte(Opcode.AUX);
    this.output.text(name);
    this.output.text(text);
  }
}

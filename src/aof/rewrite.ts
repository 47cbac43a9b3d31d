/**
 * Produces the content of a rewritten file, without a fork and without a copy of the data. A walk along hash space
 * writes keys in slices between turns of the event loop. Meanwhile it receives the stream of effects. At every moment
 * each key is in one of two states:
 *
 * - written: the new file has the key with the value that the store has. Effects on it are appended.
 * - awaited: the new file does not have the key, and the walk will write it later. Effects on it are left out, because
 *   the value that is written later includes them.
 *
 * The new file cannot repeat a command that changes written keys and involves awaited ones (MSET, RENAME, SUNIONSTORE).
 * The written keys of such a command are deleted in the new file and awaited again. No memory grows with the number of
 * keys, and the result does not depend on how a command produced its outcome.
 *
 * Large values are written in pieces. While a value is partly written, effects that name its elements are appended; the
 * walk over its elements later writes those that the effects did not find. Pushes and pops adjust the position of the
 * walk. Any other effect starts the value again with pieces of twice the size, so that it ends. This file uses no disk.
 */
import { fromLatin1 } from "../core/bytes.ts";
import { equalsWord, latin1 } from "../core/bytes.ts";
import { KeyFlag } from "../dispatch/key_flags.ts";
import { keysOf } from "../dispatch/key_positions.ts";
import type { Command, CommandTable } from "../dispatch/registry.ts";
import type { EffectListener } from "../engine/effects.ts";
import type { Engine } from "../engine/engine.ts";
import type { KeyUse } from "../dispatch/spec.ts";
import { Request } from "../resp/request.ts";
import { hashBytes } from "../core/hash_function.ts";
import { type Keyspace, NEVER, Type } from "../store/keyspace.ts";
import { KeyWalk } from "../store/walk.ts";
import { Emitter } from "./emitter.ts";
import { EffectWriter } from "./effect_writer.ts";
import { streamEffects } from "./stream_effects.ts";
import type { StreamWalk } from "../store/values/streams/emit.ts";
import type { StreamValue } from "../store/values/streams/stream_value.ts";
import type { AofFile } from "./file.ts";
import type { RecordRef } from "../store/memory/arena.ts";

/** Longer strings are written in pieces of this size. */
const PIECE_BYTES = 256 * 1024;
/** Number of homes that are visited between two readings of the clock; they have a few keys. */
const HOMES_AT_ONCE = 8;
/** Factor of the time limit for keys that are awaited after the walk has passed them. */
const LATE_FACTOR = 4;
const FACTOR_MAX = 2 ** 20;

/** An awaited key that the walk has already passed. */
interface Late {
  db: number;
  readonly key: Uint8Array;
  /** Cursor of the next piece of the value; 0 is the beginning. */
  cursor: number;
  /** What the type of the value says about the place, if a number does not. */
  place: unknown;
  /** A part of the value is in the file. */
  begun: boolean;
  /** The last known number of elements. With it a pop from a list tells how many elements it took. */
  count: number;
  /** Factor of the size of a piece. */
  factor: number;
}

const FUNCTION = fromLatin1("FUNCTION"), LOAD = fromLatin1("LOAD");

export class Rewrite implements EffectListener {
  /** All keys are written. From now on all effects are appended. */
  done = false;
  /** All keys were deleted, or an effect is not understood. The rewrite must start again with an empty file. */
  stale = false;
  keysWritten = 0;
  readonly #engine: Engine;
  readonly #table: CommandTable;
  readonly #effects: EffectWriter;
  readonly #emitter: Emitter;
  readonly #walk: KeyWalk;
  readonly #late = new Map<string, Late>();
  readonly #request = new Request(16);
  readonly #singleKey = new Map<Command, boolean>();

  constructor(engine: Engine, table: CommandTable, file: AofFile) {
    this.#engine = engine;
    this.#table = table;
    this.#effects = new EffectWriter(file);
    this.#emitter = new Emitter(this.#effects);
    this.#walk = new KeyWalk(engine.store, (db, ref) => this.#writeRecord(db, ref));
    for (const source of engine.libraries?.sources() ?? []) {
      const { bytes } = Request.of([FUNCTION, LOAD, source]);
      this.#effects.append(0, bytes, 0, bytes.length);
    }
  }

  /**
   * Writes keys for about `us` microseconds, or a multiple of it if many passed keys are awaited. Call it between
   * turns.
   *
   * It ends even if commands keep returning keys to the awaited state. Each step continues the walk. After the walk
   * only commands on awaited keys can return others to that state, so their number falls to zero.
   */
  step(us: number): void {
    const { clock } = this.#engine;
    const startUs = clock.monotonicUs();
    for (const late of this.#late.values()) {
      this.#writeLate(late);
      if (clock.monotonicUs() - startUs >= us * LATE_FACTOR) break;
    }
    do {
      if (this.#walk.step(HOMES_AT_ONCE)) continue;
      if (this.#late.size > 0) return;
      this.done = true;
    } while (!this.done && clock.monotonicUs() - startUs < us);
  }

  /** Writes a key that the walk has reached, or the first piece of a large one. */
  #writeRecord(db: Keyspace, ref: RecordRef): void {
    this.keysWritten++;
    db.readKey(ref);
    const { bytes, start, length } = db;
    if (db.typeOf(ref) === Type.STRING) {
      db.readString(ref);
      if (db.length <= PIECE_BYTES) {
        const deadline = db.deadlineOf(ref);
        this.#emitter.set(db.index, bytes, start, start + length, db.bytes, db.start, db.start + db.length, deadline);
        return;
      }
    }
    this.#emitter.begin(db.index, bytes, start, start + length);
    const cursor = this.#writeValue(db, ref, 0);
    if (cursor === 0) return;
    db.readKey(ref);
    const late = this.#await(db.index, db.bytes, db.start, db.start + length);
    late.cursor = cursor;
    late.place = this.#emitter.place;
    late.begun = true;
    late.count = this.#countOf(db, ref);
  }

  /** Continues with an awaited key that the walk has passed. */
  #writeLate(late: Late): void {
    const { key } = late;
    const db = this.#engine.store.databases[late.db];
    const ref = this.#find(late);
    if (ref === 0) {
      this.#written(late);
      return;
    }
    this.#emitter.begin(late.db, key, 0, key.length, late.factor);
    this.#emitter.place = late.place;
    late.cursor = this.#writeValue(db, ref, late.cursor);
    late.place = this.#emitter.place;
    late.begun = true;
    late.count = this.#countOf(db, ref);
    if (late.cursor === 0) this.#written(late);
  }

  /**
   * Writes a piece of a value at a cursor, and after the last one the deadline. Returns the next cursor, 0 at the end.
   */
  #writeValue(db: Keyspace, ref: RecordRef, from: number): number {
    const { store } = this.#engine;
    const emitter = this.#emitter;
    const type = db.typeOf(ref);
    let cursor: number;
    if (type === Type.STRING) {
      cursor = this.#writeString(db, ref, from);
    } else {
      const value = store.valueType(type);
      if (value.emit === undefined) throw new Error(`values of type ${type} cannot be written`);
      cursor = value.emit(db.encodingOf(ref), db.bodyOf(ref), from, emitter);
    }
    if (cursor === 0) {
      const deadline = db.deadlineOf(ref);
      if (deadline !== NEVER) {
        emitter.command("PEXPIREAT");
        emitter.text(String(deadline));
      }
    }
    emitter.end();
    return cursor;
  }

  #find({ db, key }: Late): RecordRef {
    const { databases, dict } = this.#engine.store;
    return dict.find(databases[db].keys, key, 0, key.length, hashBytes(key, 0, key.length));
  }

  #countOf(db: Keyspace, ref: RecordRef): number {
    const type = db.typeOf(ref);
    return type === Type.STRING ? 0 : db.store.valueType(type).count(db.encodingOf(ref), db.bodyOf(ref));
  }

  /** Writes each piece at its offset, so that SETBIT and SETRANGE may come between the pieces. */
  #writeString(db: Keyspace, ref: RecordRef, from: number): number {
    const emitter = this.#emitter;
    db.readString(ref);
    const { bytes, start, length } = db;
    do {
      const end = Math.min(from + PIECE_BYTES, length);
      emitter.command(length <= PIECE_BYTES ? "SET" : "SETRANGE");
      if (length > PIECE_BYTES) emitter.text(String(from));
      emitter.bytes(bytes, start + from, start + end);
      from = end;
    } while (from < length && !emitter.full);
    return from < length ? from : 0;
  }

  effect(db: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.stale) return;
    if (this.done) {
      this.#effects.append(db, bytes, start, end);
      return;
    }
    const request = readEffect(this.#request, bytes, start, end);
    // The new file is used only when it is complete, so units need no MULTI and EXEC in it.
    if (request.argc === 1 && (isName(request, "multi") || isName(request, "exec"))) return;
    let command = this.#table.find(bytes, request.start[0], request.end[0]);
    if (command !== undefined && command.subcommands.length > 0 && request.argc > 1) {
      command = command.subcommand(bytes, request.start[1], request.end[1]) ?? command;
    }
    if (command === undefined) {
      this.stale = true;
      return;
    }
    // Libraries are written first, so a command about them changes what is in the file.
    if (command.parent?.spec.name === "function") this.#append(db, request);
    else if (this.#isSingleKey(command)) this.#single(db, command, request);
    else this.#several(db, command, request);
  }

  /** An effect on the single key in argument 1, the usual case. */
  #single(db: number, command: Command, request: Request): void {
    const { bytes, start, end } = request;
    const late = this.#lateAt(db, bytes, start[1], end[1]);
    if (late === undefined) {
      if (this.#passed(db, bytes, start[1], end[1])) this.#append(db, request);
    } else if (late.begun && !this.#follow(late, command, request)) {
      this.#restart(late);
    }
  }

  /**
   * Whether a partly written value is still correct after an effect, because the effect was appended or is not needed.
   */
  #follow(late: Late, command: Command, request: Request): boolean {
    const db = this.#engine.store.databases[late.db];
    const ref = this.#find(late);
    if (ref === 0) return false;
    const count = this.#countOf(db, ref), more = count - late.count;
    late.count = count;
    if (db.typeOf(ref) === Type.STREAM && command.spec.group === "stream") {
      const streams = db.store.valueType(Type.STREAM) as StreamValue;
      streams.open(db.bodyOf(ref));
      const effects = streamEffects(late.place as StreamWalk, streams, command, request);
      for (const effect of effects ?? []) this.#append(late.db, effect);
      return effects !== undefined;
    }
    switch (command.spec.partialEffect) {
      case "later":
        return true;
      case "tail":
        // The remaining elements are written later with the effect, unless the effect removed the last written one.
        return late.cursor <= count;
      case "head":
        if (late.cursor + more <= 0) return false;
        late.cursor += more;
        break;
      case "elements":
        break;
      default:
        return false;
    }
    this.#append(late.db, request);
    return true;
  }

  #several(db: number, command: Command, request: Request): void {
    switch (command.reach) {
      case "all":
        this.stale = true;
        return;
      case "database":
        for (const late of [...this.#late.values()]) if (late.db === db) this.#written(late);
        this.#append(db, request);
        return;
      case "swapped":
        this.#swap(numberAt(request, 1), numberAt(request, 2));
        this.#append(db, request);
        return;
    }
    const uses = this.#uses(db, command, request);
    if (uses === undefined) {
      this.stale = true;
      return;
    }
    // Partly written values among them start again.
    let allWritten = !readsUnnamedKeys(command), anyWritten = uses.length === 0;
    const { bytes, start, end } = request;
    const written: KeyUse[] = [];
    for (const use of uses) {
      const late = this.#lateAt(use.db, bytes, start[use.index], end[use.index]);
      if (late?.begun && use.written) this.#restart(late);
      if (late !== undefined || !this.#passed(use.db, bytes, start[use.index], end[use.index])) {
        allWritten = false;
      } else if (use.written) {
        anyWritten = true;
        written.push(use);
      }
    }
    if (!anyWritten) return;
    if (allWritten) {
      this.#append(db, request);
      return;
    }
    for (const use of written) this.#takeBack(use.db, bytes, start[use.index], end[use.index]);
  }

  /** The keys of a command with several keys; undefined if they are unknown. */
  #uses(db: number, command: Command, request: Request): KeyUse[] | undefined {
    const across = command.spec.usesAcross?.(request, db);
    if (across !== undefined) return across;
    return keysOf(command, request)?.map(({ index, flags }) => ({ db, index, written: (flags & KeyFlag.RO) === 0 }));
  }

  #isSingleKey(command: Command): boolean {
    let single = this.#singleKey.get(command);
    if (single === undefined) {
      const { keys = [], findKeys } = command.spec;
      const [key] = keys;
      single = keys.length === 1 && findKeys === undefined && command.reach === "named" && key.begin !== "unknown" &&
        "index" in key.begin && key.begin.index === 1 && key.find !== "unknown" && "last" in key.find &&
        key.find.last === 0;
      this.#singleKey.set(command, single);
    }
    return single;
  }

  #append(db: number, request: Request): void {
    this.#effects.append(db, request.bytes, request.rawStart, request.rawEnd);
  }

  /** Whether the walk has passed a key's place in hash space. */
  #passed(db: number, bytes: Uint8Array, start: number, end: number): boolean {
    return this.#walk.hasPassed(db, hashBytes(bytes, start, end));
  }

  #lateAt(db: number, bytes: Uint8Array, start: number, end: number): Late | undefined {
    if (this.#late.size === 0) return undefined;
    return this.#late.get(lateName(db, bytes, start, end));
  }

  #await(db: number, bytes: Uint8Array, start: number, end: number): Late {
    const late = { db, key: bytes.slice(start, end), cursor: 0, place: undefined, begun: false, count: 0, factor: 1 };
    this.#late.set(lateName(db, bytes, start, end), late);
    return late;
  }

  /** Deletes a written key in the file and awaits it again. */
  #takeBack(db: number, bytes: Uint8Array, start: number, end: number): void {
    this.#delete(this.#await(db, bytes, start, end));
  }

  /** Deletes a partly written value in the file, and moves its key to the end of the queue. */
  #restart(late: Late): void {
    this.#delete(late);
    late.cursor = 0;
    late.begun = false;
    late.factor = Math.min(late.factor * 2, FACTOR_MAX);
    this.#written(late);
    this.#late.set(lateName(late.db, late.key, 0, late.key.length), late);
  }

  #delete({ db, key }: Late): void {
    this.#emitter.begin(db, key, 0, key.length);
    this.#emitter.command("DEL");
    this.#emitter.end();
  }

  #written({ db, key }: Late): void {
    this.#late.delete(lateName(db, key, 0, key.length));
  }

  #swap(a: number, b: number): void {
    this.#walk.swap(a, b);
    const all = [...this.#late.values()];
    this.#late.clear();
    for (const late of all) {
      if (late.db === a) late.db = b;
      else if (late.db === b) late.db = a;
      this.#late.set(lateName(late.db, late.key, 0, late.key.length), late);
    }
  }
}

/** Whether a command reads keys that are not its arguments: SORT with BY or GET. */
function readsUnnamedKeys({ spec: { keys = [] } }: Command): boolean {
  return keys.some(({ begin, flags }) => begin === "unknown" && (flags & KeyFlag.RO) !== 0);
}

function lateName(db: number, bytes: Uint8Array, start: number, end: number): string {
  return `${db}:${latin1(bytes, start, end)}`;
}

function isName({ bytes, start, end }: Request, name: string): boolean {
  return equalsWord(bytes, start[0], end[0], name);
}

function numberAt({ bytes, start, end }: Request, i: number): number {
  return Number(latin1(bytes, start[i], end[i]));
}

/** Finds the arguments of a command in RESP that this server has encoded. */
function readEffect(request: Request, bytes: Uint8Array, start: number, end: number): Request {
  let at = start + 1;
  const number = () => {
    let value = 0;
    for (; bytes[at] !== 13; at++) value = value * 10 + bytes[at] - 48;
    at += 2;
    return value;
  };
  const argc = number();
  if (argc > request.start.length) request.grow(argc);
  for (let i = 0; i < argc; i++) {
    at++;
    const length = number();
    request.start[i] = at;
    request.end[i] = at += length;
    at += 2;
  }
  request.argc = argc;
  request.bytes = bytes;
  request.rawStart = start;
  request.rawEnd = end;
  return request;
}

/**
 * The content of a rewritten file, without a fork and without a copy of the data: keys are written in slices between turns
 * of the event loop, along hash space, and the stream of effects goes by meanwhile. At every moment each key is either
 *
 * - written: the new file, loaded, has it as the store has it. Effects on it are appended.
 * - awaited: the new file does not have it, and the walk will come by. Effects on it are left out, because what is written
 *   then is their outcome.
 *
 * A command that changes written keys but involves awaited ones (MSET, RENAME, SUNIONSTORE) cannot be repeated by the new
 * file: its written keys are deleted there and awaited from then on. Nothing is ever written early, nothing grows with
 * the number of keys, and it does not matter how a command came to its outcome.
 *
 * Large values are written in pieces; while one is half written, effects that name its elements are appended (the walk
 * over its elements makes up for what they find missing), pushes and pops move along, and anything else starts it anew
 * with twice the piece, so that it ends. This file knows no disk.
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
import type { AofFile } from "./file.ts";
import type { RecordRef } from "../store/memory/arena.ts";

/** Longer strings are written in pieces of this size. */
const PIECE_BYTES = 256 * 1024;
/** Homes that are visited between two looks at the clock: a few keys. */
const HOMES_AT_ONCE = 8;
/** How many times the usual time may go into keys that are awaited out of turn. */
const LATE_FACTOR = 4;
const FACTOR_MAX = 2 ** 20;

/** A key that is awaited although the walk has passed it. */
interface Late {
  db: number;
  readonly key: Uint8Array;
  /** Where to go on in the value; 0 is its beginning. */
  cursor: number;
  /** Part of it is in the file. */
  begun: boolean;
  /** Elements, as far as they were known last. Lists need it, to tell what a pop took. */
  count: number;
  /** How many times the usual amount is written at once. */
  factor: number;
}

const FUNCTION = fromLatin1("FUNCTION"), LOAD = fromLatin1("LOAD");

export class Rewrite implements EffectListener {
  /** All keys are written; from here on effects are simply appended. */
  done = false;
  /** Everything was deleted, or an effect cannot be followed: begin again with an empty file. */
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
   * Writes keys for about `us` microseconds, up to some times that if many are awaited out of turn. Only between turns.
   *
   * It always gets on, however many commands bring keys back: each step walks a little, and once the walk is over, only
   * commands on keys that are still awaited can bring others back, so that they die out.
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

  /** Writes a key that the walk came to, or, if it is large, the beginning of it. */
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
    late.begun = true;
    late.count = this.#countOf(db, ref);
  }

  /** Goes on with a key that is awaited out of turn. */
  #writeLate(late: Late): void {
    const { key } = late;
    const db = this.#engine.store.databases[late.db];
    const ref = this.#find(late);
    if (ref === 0) {
      this.#written(late);
      return;
    }
    this.#emitter.begin(late.db, key, 0, key.length, late.factor);
    late.cursor = this.#writeValue(db, ref, late.cursor);
    late.begun = true;
    late.count = this.#countOf(db, ref);
    if (late.cursor === 0) this.#written(late);
  }

  /** Writes a value from a cursor on, and at its end the key's deadline. Returns the cursor to go on with, 0 at the end. */
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

  /** Pieces are put at their places, so that SETBIT and SETRANGE may come between them. */
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
    // The new file is used only when it is whole, so units need no marks in it.
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

  /** An effect on the key in argument 1 alone, as nearly all are. */
  #single(db: number, command: Command, request: Request): void {
    const { bytes, start, end } = request;
    const late = this.#lateAt(db, bytes, start[1], end[1]);
    if (late === undefined) {
      if (this.#passed(db, bytes, start[1], end[1])) this.#append(db, request);
    } else if (late.begun && !this.#follow(late, command, request)) {
      this.#restart(late);
    }
  }

  /** Whether a half-written value is still right after an effect: the effect was appended, or need not be. */
  #follow(late: Late, command: Command, request: Request): boolean {
    const db = this.#engine.store.databases[late.db];
    const ref = this.#find(late);
    if (ref === 0) return false;
    const count = this.#countOf(db, ref), more = count - late.count;
    late.count = count;
    switch (command.spec.partialEffect) {
      case "later":
        return true;
      case "tail":
        // The rest is written as it will be then, unless the end of what is written went.
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
    // Half-written values among them begin anew.
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

  /** The keys of a command with several; undefined if they cannot be told. */
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
    const late = { db, key: bytes.slice(start, end), cursor: 0, begun: false, count: 0, factor: 1 };
    this.#late.set(lateName(db, bytes, start, end), late);
    return late;
  }

  /** Deletes a written key in the file; it is awaited again. */
  #takeBack(db: number, bytes: Uint8Array, start: number, end: number): void {
    this.#delete(this.#await(db, bytes, start, end));
  }

  /** Deletes what there is of a half-written value in the file, and goes to the end of the queue with it. */
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

/** Whether a command reads keys that its arguments do not name, as SORT does with BY and GET. */
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

/** Finds the arguments of one command in RESP, which we wrote ourselves. */
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

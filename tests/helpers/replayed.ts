/**
 * The check that the log is complete: it records the effects of a server, replays them in a second engine, and
 * compares the data of both, deadlines included. A handler that changes data without logging exactly that change fails
 * the test that runs it.
 */
import { assertEquals } from "@std/assert";
import { Call } from "../../src/dispatch/call.ts";
import { Executor } from "../../src/dispatch/executor.ts";
import type { CommandSpec } from "../../src/dispatch/spec.ts";
import { createStore } from "../../src/engine/create_store.ts";
import type { EffectListener } from "../../src/engine/effects.ts";
import { Engine } from "../../src/engine/engine.ts";
import { Session } from "../../src/engine/session.ts";
import { RdbInput } from "../../src/rdb/input.ts";
import { RdbLoader } from "../../src/rdb/loader.ts";
import { snapshotImage } from "../../src/rdb/save.ts";
import { RequestParser } from "../../src/resp/parser.ts";
import { Reply } from "../../src/resp/reply.ts";
import { Request } from "../../src/resp/request.ts";
import { utf8 } from "../../src/core/bytes.ts";
import { ManualClock } from "../../src/core/clock.ts";
import { SeededRandom } from "../../src/core/random.ts";
import { Settings } from "../../src/settings/settings.ts";
import { ExpiryMode, type Keyspace, NEVER, Type } from "../../src/store/keyspace.ts";
import type { HashValue } from "../../src/store/values/hash_value.ts";
import { digestOfValue } from "../../src/commands/debug/digest.ts";
import { latin1 } from "./client.ts";
import { streamState } from "./stream_state.ts";
import type { RecordRef } from "../../src/store/memory/arena.ts";

/** Limit of recorded effects. Beyond it the comparison is skipped: such tests are about volume. */
const RECORDED_BYTES_MAX = 16 * 1024 * 1024;

export class EffectRecorder implements EffectListener {
  readonly #engine: Engine;
  readonly #specs: readonly CommandSpec[];
  /** The data at the start of the recording. */
  readonly #base: Uint8Array;
  readonly #effects: { db: number; bytes: Uint8Array }[] = [];
  #bytes = 0;

  /** Starts recording. */
  constructor(engine: Engine, specs: readonly CommandSpec[]) {
    this.#engine = engine;
    this.#specs = specs;
    const empty = engine.store.databases.every((db) => db.size === 0);
    this.#base = empty ? new Uint8Array(0) : snapshotImage(engine);
    engine.effects.listen(this);
  }

  effect(db: number, bytes: Uint8Array, start: number, end: number): void {
    this.#bytes += end - start;
    if (this.#bytes <= RECORDED_BYTES_MAX) this.#effects.push({ db, bytes: bytes.slice(start, end) });
  }

  /** Replays all effects, and compares the data. */
  check(): void {
    if (this.#bytes > RECORDED_BYTES_MAX) return;
    const { store, clock } = this.#engine;
    const settings = new Settings();
    settings.init("databases", [String(store.databases.length)]);
    const random = new SeededRandom(1);
    const copy = new Engine(createStore(settings, random), settings, new ManualClock(clock.nowMs()), random);
    copy.store.setTime(clock.nowMs());
    copy.holdExpiry(ExpiryMode.KEEP);
    if (this.#base.length > 0) new RdbLoader(copy.store, RdbInput.of(this.#base), { keepExpired: true }).run();
    const executor = new Executor(copy, this.#specs);
    const call = new Call(copy, new Session(0, new Reply(), clock.nowMs(), "replay"), executor);
    const parser = new RequestParser();
    let selected = -1;
    for (const { db, bytes } of this.#effects) {
      // Sent as a command, because within MULTI it must be queued like the others.
      if (db !== selected) executor.execute(call, Request.of([utf8("SELECT"), utf8(String(db))]));
      selected = db;
      parser.borrow(bytes, bytes.length);
      if (!parser.next()) throw new Error(`an effect is not a whole command: ${JSON.stringify(latin1(bytes))}`);
      const errors = call.reply.errors;
      executor.execute(call, parser.request);
      // Resuming the parser treats the request as done.
      parser.next();
      parser.giveBack();
      const { lastError } = call.reply;
      assertEquals(call.reply.errors, errors, `the effect ${JSON.stringify(latin1(bytes))} fails: ${lastError}`);
      call.reply.rewind(0);
    }
    const release = this.#engine.holdExpiry(ExpiryMode.KEEP);
    assertEquals(contents(copy), contents(this.#engine), "the log does not lead to the data that the server has");
    release();
  }
}

/** All data of an engine, one line per key: database, name, digest, deadlines. */
function contents({ store }: Engine): string[] {
  const lines: string[] = [];
  for (const db of store.databases) {
    store.dict.each(db.keys, (ref) => {
      db.readKey(ref);
      const name = latin1(db.bytes.subarray(db.start, db.start + db.length));
      lines.push(
        `${db.index} ${name} ${digestOfValue(db, ref)} ${db.deadlineOf(ref)}${fieldDeadlines(db, ref)}${
          streamState(db, ref, true)
        }`,
      );
    });
  }
  return lines.sort();
}

function fieldDeadlines(db: Keyspace, ref: RecordRef): string {
  if (db.typeOf(ref) !== Type.HASH) return "";
  const hash = db.store.valueType(Type.HASH) as HashValue, deadlines: string[] = [];
  hash.open(db.encodingOf(ref), db.bodyOf(ref));
  hash.each(() => {
    const field = latin1(hash.fieldBytes.subarray(hash.fieldStart, hash.fieldEnd));
    if (hash.deadline !== NEVER) deadlines.push(` ${field}:${hash.deadline}`);
  });
  return deadlines.sort().join("");
}

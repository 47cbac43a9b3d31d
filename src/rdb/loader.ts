/**
 * Loads an RDB file into a store. This file owns the sequence of opcodes, keys and their attributes; value_reader.ts
 * reads the values. It runs in steps, so that the caller can work between them. Data of modules is skipped and named in
 * the result.
 */
import { latin1 } from "../core/bytes.ts";
import type { Keyspace } from "../store/keyspace.ts";
import { NEVER } from "../store/keyspace.ts";
import type { Store } from "../store/store.ts";
import {
  HEAD_BYTES,
  type KeptClock,
  Opcode,
  RdbError,
  RdbVersionError,
  REDIS_HEAD,
  REDIS_VERSION_MAX,
  VALKEY_HEAD,
  VALKEY_VERSION_MAX,
  VALKEY_VERSION_MIN,
} from "./format.ts";
import { Held, RdbInput } from "./input.ts";
import { StoreTarget } from "./store_target.ts";
import { ValueReader } from "./value_reader.ts";
import type { Deadline } from "../store/deadline.ts";

/** The first version with a checksum at the end. */
const VERSION_CHECKSUM = 5;
/** A snapshot from a replication stream ends with the 40 hexadecimal digits that announced its end. */
const STREAM_MARK = /^[0-9a-f]{40}$/, STREAM_MARK_BYTES = 40;
/** Keys, or bytes, between two steps. */
const STEP_KEYS = 256, STEP_BYTES = 1 << 20;
/** The number of skipped items that are named; the others are counted. */
const NAMED_MAX = 100;

export interface RdbLoadOptions {
  /** Loads expired keys too, because the commands after the snapshot may refer to them. */
  keepExpired?: boolean;
  /** Whether a wrong checksum is an error, like the setting rdbchecksum. */
  checksum?: boolean;
  /** Puts a key in the place of one that exists; else that is an error. */
  replace?: boolean;
  /** Keys between two steps. */
  stepKeys?: number;
  /** Keys keep the clocks of the file, even if maxmemory-policy uses the other kind. */
  keepClocks?: boolean;
  /** Takes the code of a library of functions, valid during the call. Without it libraries are skipped and named. */
  library?: (source: Uint8Array) => void;
}

export interface RdbLoadResult {
  version: number;
  /** The server whose format it is: "Redis" or "Valkey". */
  server: string;
  /** The auxiliary fields: redis-ver, ctime and so on. */
  fields: Map<string, string>;
  keys: number;
  expired: number;
  /** Collections without elements, which are dropped as Redis drops them. */
  empty: number;
  /** Skipped items, for example `the key "events" in database 0: a stream`; of many the first. */
  skipped: string[];
  skippedCount: number;
  clocks: KeptClock;
  /** Number of bytes up to the end of the checksum. */
  endOffset: number;
  /** Only the end mark of a snapshot in a replication stream follows. */
  hasStreamMark: boolean;
}

/** Whether a file or AOF that begins with these bytes is in RDB format, complete or cut off. */
export function isRdb(head: Uint8Array): boolean {
  return /^(REDIS|VALKEY)/.test(latin1(head, 0, Math.min(head.length, HEAD_BYTES)));
}

/** The attributes that precede a key. */
interface Attributes {
  deadline: Deadline;
  idleSeconds: number;
  frequency: number;
}

export class RdbLoader {
  readonly result: RdbLoadResult = {
    version: 0,
    server: "",
    fields: new Map(),
    keys: 0,
    expired: 0,
    empty: 0,
    skipped: [],
    skippedCount: 0,
    clocks: "none",
    endOffset: 0,
    hasStreamMark: false,
  };
  readonly #store: Store;
  readonly #input: RdbInput;
  readonly #options: RdbLoadOptions;
  readonly #values: ValueReader;
  readonly #target: StoreTarget;
  readonly #key = new Held();

  constructor(store: Store, input: RdbInput, options: RdbLoadOptions = {}) {
    this.#store = store;
    this.#input = input;
    this.#options = options;
    this.#values = new ValueReader(input);
    this.#target = new StoreTarget(store);
  }

  /** Loads the whole input at once. Throws RdbError; the store then has the keys before the damage. */
  run(): RdbLoadResult {
    for (const _ of this.steps());
    const { result } = this;
    const rest = this.#input.totalBytes - result.endOffset;
    if (rest > 0 && !result.hasStreamMark) this.#input.fail(`${rest} bytes follow the end`);
    return result;
  }

  /** Loads step by step. Throws RdbError. */
  *steps(): Generator<void, void, void> {
    const input = this.#input;
    this.#header();
    let db = this.#database(0);
    let attributes = noAttributes();
    let metadata = false;
    let steppedKeys = 0, steppedBytes = 0;
    const { stepKeys = STEP_KEYS } = this.#options;
    for (;;) {
      const code = input.byte();
      switch (code) {
        case Opcode.EOF:
          return this.#finish();
        case Opcode.SELECTDB:
          db = this.#database(input.plainLength());
          break;
        case Opcode.RESIZEDB:
          input.plainLength();
          input.plainLength();
          break;
        case Opcode.KEY_META:
          if (this.#values.valkey) this.#skipSlotImport();
          else for (let classes = input.count(1); classes > 0; classes--) metadata = this.#values.skipKeyMetadata();
          break;
        case Opcode.SLOT_INFO:
          for (let i = 0; i < 3; i++) input.plainLength();
          break;
        case Opcode.AUX: {
          const name = input.text();
          this.result.fields.set(name, input.text());
          break;
        }
        case Opcode.EXPIRETIME:
          attributes.deadline = Math.max(0, input.int32() * 1000);
          break;
        case Opcode.EXPIRETIME_MS:
          attributes.deadline = input.deadline();
          break;
        case Opcode.IDLE:
          attributes.idleSeconds = input.plainLength();
          break;
        case Opcode.FREQ:
          attributes.frequency = input.byte();
          break;
        case Opcode.FUNCTION2:
          input.string();
          this.#library();
          break;
        case Opcode.MODULE_AUX:
          this.#skipped(`data beside the keys: ${this.#values.skipModule()}`);
          break;
        case Opcode.FUNCTION_PRE_GA:
          input.fail("functions in the form of a preview of Redis 7.0");
          break;
        default:
          this.#load(db, code, attributes);
          attributes = noAttributes();
          if (metadata) this.#skipped("metadata that a module attached to a key");
          metadata = false;
          if (++steppedKeys >= stepKeys || input.offset - steppedBytes >= STEP_BYTES) {
            steppedKeys = 0;
            steppedBytes = input.offset;
            yield;
          }
      }
    }
  }

  #library(): void {
    const { bytes, start, end } = this.#input;
    if (this.#options.library === undefined) this.#skipped("a library of functions");
    else this.#options.library(bytes.subarray(start, end));
  }

  #header(): void {
    const input = this.#input;
    input.raw(HEAD_BYTES);
    const head = latin1(input.bytes, input.start, input.end);
    const ofValkey = VALKEY_HEAD.exec(head);
    const version = Number((ofValkey ?? REDIS_HEAD.exec(head))?.[1]);
    if (Number.isNaN(version)) throw new RdbError(0, "it does not begin as an RDB file does");
    const [server, min, max] = ofValkey === null
      ? ["Redis", 1, REDIS_VERSION_MAX]
      : ["Valkey", VALKEY_VERSION_MIN, VALKEY_VERSION_MAX];
    if (version < min || version > max) throw new RdbVersionError(server, version, min, max);
    this.result.version = version;
    this.result.server = server;
    this.#values.valkey = ofValkey !== null;
  }

  #database(index: number): Keyspace {
    const { databases } = this.#store;
    return databases[index] ??
      this.#input.fail(`it has a database ${index}, and the setting databases allows ${databases.length}`);
  }

  #load(db: Keyspace, type: number, { deadline, idleSeconds, frequency }: Attributes): void {
    const input = this.#input, key = this.#key, target = this.#target, store = this.#store, result = this.result;
    input.string();
    key.hold(input);
    const named = () => `the key ${JSON.stringify(latin1(key.bytes, 0, key.end))} in database ${db.index}`;
    const isNew = db.find(key.bytes, 0, key.end) === 0;
    if (!isNew && this.#options.replace) db.remove(key.bytes, 0, key.end);
    else if (!isNew) input.fail(`${named()} comes a second time`);
    const skipped = this.#values.read(type, target);
    if (skipped !== "") return this.#skipped(`${named()}: ${skipped}`);
    if (target.missingType !== "") return this.#skipped(`${named()}: a ${target.missingType}`);
    if (target.duplicate) input.fail(`${named()} has an element twice`);
    if (target.empty) {
      result.empty++;
      return target.drop();
    }
    if (deadline !== NEVER && deadline <= store.nowMs && !this.#options.keepExpired) {
      result.expired++;
      return target.drop();
    }
    const ref = target.attach(db, key.bytes, 0, key.end, deadline);
    if (frequency >= 0) result.clocks = "frequency";
    else if (idleSeconds >= 0) result.clocks = "idle";
    if (this.#options.keepClocks) store.frequencies = result.clocks === "frequency";
    if (store.frequencies && frequency >= 0) store.setFrequency(ref, frequency);
    if (!store.frequencies && idleSeconds >= 0) store.setIdle(ref, idleSeconds);
    result.keys++;
  }

  /** The state of a move of slots between nodes of a cluster: a name and ranges of slots. */
  #skipSlotImport(): void {
    const input = this.#input;
    input.string();
    for (let numbers = 2 * input.count(2); numbers > 0; numbers--) input.plainLength();
  }

  #skipped(what: string): void {
    const { result } = this;
    if (result.skippedCount++ < NAMED_MAX) result.skipped.push(what);
  }

  #finish(): void {
    const input = this.#input, { result } = this;
    if (result.version >= VERSION_CHECKSUM && !input.checksumMatches() && this.#options.checksum !== false) {
      input.fail("CRC error: the checksum does not match the bytes before it");
    }
    result.endOffset = input.offset;
    if (input.left !== STREAM_MARK_BYTES) return;
    input.raw(STREAM_MARK_BYTES);
    result.hasStreamMark = STREAM_MARK.test(latin1(input.bytes, input.start, input.end));
  }
}

function noAttributes(): Attributes {
  return { deadline: NEVER, idleSeconds: -1, frequency: -1 };
}

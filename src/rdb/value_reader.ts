/**
 * Reads a value in any of the forms that Redis has written since version 2, and passes its elements in order to a
 * target. This file owns the forms. It skips the values of modules, which MemDB does not have.
 */
import { parseDouble } from "../core/numbers.ts";
import { NEVER } from "../store/keyspace.ts";
import { Blob, type BlobKind } from "./blobs.ts";
import { NODE_PACKED, NODE_PLAIN, RdbType } from "./format.ts";
import { Held, type RdbInput } from "./input.ts";
import { noStream, type StreamBuilder, StreamReader } from "./stream_reader.ts";

/** Receives an element of a list or set. The bytes are valid during the call. */
export type AddElement = (bytes: Uint8Array, start: number, end: number) => void;
export type AddScored = (bytes: Uint8Array, start: number, end: number, score: number) => void;
/** Receives a field of a hash with its value and its deadline in milliseconds or NEVER. */
export type AddField = (
  bytes: Uint8Array,
  start: number,
  end: number,
  value: Uint8Array,
  valueStart: number,
  valueEnd: number,
  deadline: number,
) => void;

/**
 * The receiver of values. For each value one of its methods is called. It calls `fill` once, with a function that
 * receives the elements. `count` is an estimate of their number. Exceptions of `fill` pass through.
 */
export interface ValueTarget {
  string(bytes: Uint8Array, start: number, end: number): void;
  list(count: number, fill: (add: AddElement) => void): void;
  set(count: number, fill: (add: AddElement) => void): void;
  sortedSet(count: number, fill: (add: AddScored) => void): void;
  hash(count: number, fill: (add: AddField) => void): void;
  stream(fill: (builder: StreamBuilder) => void): void;
}

/** A target that keeps nothing. Reading a value into it checks the value. */
export const nowhere: ValueTarget = {
  string: () => {},
  list: (_, fill) => fill(() => {}),
  set: (_, fill) => fill(() => {}),
  sortedSet: (_, fill) => fill(() => {}),
  hash: (_, fill) => fill(() => {}),
  stream: (fill) => fill(noStream),
};

const MODULE_END = 0, MODULE_FLOAT = 3, MODULE_DOUBLE = 4, MODULE_STRING = 5;
const KEY_METADATA_CLASS_BYTES = 4;
const TIME_BYTES = 8;
/** Redis keeps the deadlines of fields in 48 bits. */
const FIELD_DEADLINE_MAX = 2 ** 48 - 1;
/** The count that is assumed if a blob does not have it. */
const COUNT_GUESS = 1 << 16;

export class ValueReader {
  /** The types are those of Valkey where the two servers differ. */
  valkey = false;
  readonly #input: RdbInput;
  readonly #blob = new Blob();
  readonly #held = new Held();
  readonly #secondHeld = new Held();
  readonly #streams: StreamReader;

  constructor(input: RdbInput) {
    this.#input = input;
    this.#streams = new StreamReader(input);
  }

  /**
   * Reads the value of a type at the position of the input. Returns "", or the description of a value that was skipped.
   */
  read(type: number, target: ValueTarget): string {
    const input = this.#input;
    switch (type) {
      case RdbType.STRING:
        input.string();
        target.string(input.bytes, input.start, input.end);
        return "";
      case RdbType.LIST:
        this.#plain(target.list.bind(target));
        return "";
      case RdbType.LIST_ZIPLIST:
        this.#blobOf("ziplist", target.list.bind(target));
        return "";
      case RdbType.LIST_QUICKLIST:
      case RdbType.LIST_QUICKLIST_2:
        this.#quicklist(type, target);
        return "";
      case RdbType.SET:
        this.#plain(target.set.bind(target));
        return "";
      case RdbType.SET_INTSET:
        this.#blobOf("intset", target.set.bind(target));
        return "";
      case RdbType.SET_LISTPACK:
        this.#blobOf("listpack", target.set.bind(target));
        return "";
      case RdbType.ZSET:
      case RdbType.ZSET_2:
        this.#sortedSet(type, target);
        return "";
      case RdbType.ZSET_ZIPLIST:
        this.#scoredBlob("ziplist", target);
        return "";
      case RdbType.ZSET_LISTPACK:
        this.#scoredBlob("listpack", target);
        return "";
      case RdbType.HASH_VALKEY:
        if (this.valkey) this.#valkeyHash(target);
        else this.#hash(type, target);
        return "";
      case RdbType.HASH:
      case RdbType.HASH_METADATA:
        this.#hash(type, target);
        return "";
      case RdbType.HASH_ZIPMAP:
        this.#fieldBlob("zipmap", false, target);
        return "";
      case RdbType.HASH_ZIPLIST:
        this.#fieldBlob("ziplist", false, target);
        return "";
      case RdbType.HASH_LISTPACK:
        this.#fieldBlob("listpack", false, target);
        return "";
      case RdbType.HASH_LISTPACK_EX:
        // The earliest deadline, which also follows from the fields.
        input.int64();
        this.#fieldBlob("listpack", true, target);
        return "";
      case RdbType.HASH_LISTPACK_EX_PRE_GA:
        this.#fieldBlob("listpack", true, target);
        return "";
      case RdbType.STREAM_LISTPACKS:
      case RdbType.STREAM_LISTPACKS_2:
      case RdbType.STREAM_LISTPACKS_3:
      case RdbType.STREAM_LISTPACKS_4:
        target.stream((builder) => this.#streams.read(type, builder));
        return "";
      case RdbType.MODULE_2:
        return this.skipModule();
      case RdbType.MODULE:
        return input.fail("a value of a module in the old form, which only the module can read");
    }
    return input.fail(`a value of the unknown type ${type}`);
  }

  /** Skips the value of a module. Returns its description. */
  skipModule(): string {
    const input = this.#input;
    const name = moduleName(input);
    this.#skipModuleData();
    return `a value of the module type ${name}`;
  }

  /** Skips the data that a module attached to a key. Returns true. */
  skipKeyMetadata(): true {
    this.#input.skip(KEY_METADATA_CLASS_BYTES);
    this.#skipModuleData();
    return true;
  }

  /** Skips the values of a module up to their end mark. */
  #skipModuleData(): void {
    const input = this.#input;
    for (;;) {
      const code = input.plainLength();
      if (code === MODULE_END) return;
      if (code === MODULE_FLOAT) input.skip(4);
      else if (code === MODULE_DOUBLE) input.skip(8);
      else if (code === MODULE_STRING) input.string();
      else if (code < MODULE_FLOAT) input.plainLength();
      else input.fail("a module's value holds what it should not");
    }
  }

  /** Elements one after the other. */
  #plain(collect: (count: number, fill: (add: AddElement) => void) => void): void {
    const input = this.#input;
    const count = input.count(1);
    collect(count, (add) => {
      for (let i = 0; i < count; i++) {
        input.string();
        add(input.bytes, input.start, input.end);
      }
    });
  }

  #open(kind: BlobKind): Blob {
    this.#input.string();
    this.#blob.open(kind, this.#input);
    return this.#blob;
  }

  #blobOf(kind: BlobKind, collect: (count: number, fill: (add: AddElement) => void) => void): void {
    const blob = this.#open(kind);
    collect(countOf(blob, 1), (add) => {
      while (blob.next()) add(blob.bytes, blob.start, blob.end);
    });
  }

  #quicklist(type: number, target: ValueTarget): void {
    const input = this.#input;
    const nodes = input.count(1);
    target.list(nodes === 1 ? 1 : COUNT_GUESS, (add) => {
      for (let i = 0; i < nodes; i++) {
        const container = type === RdbType.LIST_QUICKLIST ? NODE_PACKED : input.plainLength();
        if (container === NODE_PLAIN) {
          input.string();
          if (input.start === input.end) input.fail("a list's node of its own is empty");
          add(input.bytes, input.start, input.end);
        } else if (container === NODE_PACKED) {
          const blob = this.#open(type === RdbType.LIST_QUICKLIST ? "ziplist" : "listpack");
          while (blob.next()) add(blob.bytes, blob.start, blob.end);
        } else {
          input.fail("a list's node is of an unknown kind");
        }
      }
    });
  }

  #sortedSet(type: number, target: ValueTarget): void {
    const input = this.#input;
    const count = input.count(2);
    target.sortedSet(count, (add) => {
      for (let i = 0; i < count; i++) {
        input.string();
        this.#held.hold(input);
        const score = type === RdbType.ZSET_2 ? input.double() : input.textDouble();
        if (Number.isNaN(score)) input.fail("a score is not a number");
        add(this.#held.bytes, 0, this.#held.end, score);
      }
    });
  }

  #scoredBlob(kind: BlobKind, target: ValueTarget): void {
    const blob = this.#open(kind);
    target.sortedSet(countOf(blob, 2), (add) => {
      while (blob.next()) {
        const { bytes, start, end } = blob;
        blob.more();
        const score = parseDouble(blob.bytes, blob.start, blob.end);
        if (score === undefined || Number.isNaN(score)) this.#input.fail("a score is no number");
        add(bytes, start, end, score);
      }
    });
  }

  #hash(type: number, target: ValueTarget): void {
    const input = this.#input;
    const withDeadlines = type !== RdbType.HASH;
    const earliest = type === RdbType.HASH_METADATA ? input.int64() : 1;
    const count = input.count(withDeadlines ? 3 : 2);
    target.hash(count, (add) => {
      for (let i = 0; i < count; i++) {
        const time = withDeadlines ? input.plainLength() : 0;
        // Counted from 1, because 0 means no deadline.
        const deadline = time === 0 ? NEVER : earliest + time - 1;
        if (deadline > FIELD_DEADLINE_MAX) input.fail("a field's deadline is no time");
        input.string();
        this.#held.hold(input);
        input.string();
        add(this.#held.bytes, 0, this.#held.end, input.bytes, input.start, input.end, deadline);
      }
    });
  }

  /** Fields with value and deadline; -1 means no deadline. */
  #valkeyHash(target: ValueTarget): void {
    const input = this.#input, name = this.#held, value = this.#secondHeld;
    const count = input.count(2 + TIME_BYTES);
    target.hash(count, (add) => {
      for (let i = 0; i < count; i++) {
        input.string();
        name.hold(input);
        input.string();
        value.hold(input);
        const deadline = input.int64();
        if (deadline < -1 || deadline > FIELD_DEADLINE_MAX) input.fail("a field's deadline is no time");
        add(name.bytes, 0, name.end, value.bytes, 0, value.end, deadline < 0 ? NEVER : deadline);
      }
    });
  }

  #fieldBlob(kind: BlobKind, withDeadlines: boolean, target: ValueTarget): void {
    const blob = this.#open(kind);
    target.hash(countOf(blob, withDeadlines ? 3 : 2), (add) => {
      while (blob.next()) {
        const { bytes, start, end } = blob;
        blob.more();
        const { bytes: value, start: valueStart, end: valueEnd } = blob;
        let deadline = NEVER;
        if (withDeadlines) {
          blob.more();
          const time = parseDouble(blob.bytes, blob.start, blob.end);
          if (time === undefined || !Number.isSafeInteger(time) || time < 0 || time > FIELD_DEADLINE_MAX) {
            this.#input.fail("a field's deadline is no time");
          }
          if (time > 0) deadline = time;
        }
        add(bytes, start, end, value, valueStart, valueEnd, deadline);
      }
    });
  }
}

/** Number of values of `size` elements in a blob. */
function countOf(blob: Blob, size: number): number {
  return blob.count === Infinity ? COUNT_GUESS : Math.ceil(blob.count / size);
}

const MODULE_NAME_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Reads the 64-bit number of a module type: nine letters of six bits, and ten bits of a version. */
function moduleName(input: RdbInput): string {
  const id = input.wideLength();
  let name = "";
  for (let i = 0n; i < 9n; i++) name += MODULE_NAME_LETTERS[Number(id >> (58n - 6n * i) & 63n)];
  return name;
}

/**
 * Writes a value in the forms of Redis 7 and later, or of Valkey 9; small collections are listpacks. The counterpart of
 * value_reader.ts and store_target.ts.
 */
import { InvariantError } from "../core/assert.ts";
import type { HashValue } from "../store/values/hash_value.ts";
import type { List } from "../store/values/list.ts";
import { Encoding, type Keyspace, NEVER, Type } from "../store/keyspace.ts";
import { Packed } from "../store/blocks/packed.ts";
import type { MemberSet } from "../store/values/set.ts";
import type { SortedSet } from "../store/values/sorted_set.ts";
import type { StreamValue } from "../store/values/streams/stream_value.ts";
import type { Store } from "../store/store.ts";
import {
  NODE_PACKED,
  NODE_PLAIN,
  RdbType,
  VALKEY_VERSION_MIN,
  VERSION_FIELD_DEADLINES,
  VERSION_SET_LISTPACK,
} from "./format.ts";
import type { RdbOutput } from "./output.ts";
import { streamType, StreamWriter } from "./stream_writer.ts";
import type { BodyRef, RecordRef } from "../store/memory/arena.ts";

export class ValueWriter {
  readonly #store: Store;
  /** The newest version whose forms may be used. */
  readonly #version: number;
  readonly #output: RdbOutput;
  readonly #packed: Packed;

  constructor(store: Store, output: RdbOutput, version: number) {
    this.#store = store;
    this.#version = version;
    this.#output = output;
    this.#packed = new Packed(store.arena);
  }

  /** The RDB type for the value of a key. */
  typeOf(db: Keyspace, ref: RecordRef): number {
    const encoding = db.encodingOf(ref);
    switch (db.typeOf(ref)) {
      case Type.STRING:
        return RdbType.STRING;
      case Type.LIST:
        return RdbType.LIST_QUICKLIST_2;
      case Type.SET:
        if (encoding === Encoding.INTSET) return RdbType.SET_INTSET;
        return encoding === Encoding.LISTPACK && this.#version >= VERSION_SET_LISTPACK
          ? RdbType.SET_LISTPACK
          : RdbType.SET;
      case Type.ZSET:
        return encoding === Encoding.LISTPACK ? RdbType.ZSET_LISTPACK : RdbType.ZSET_2;
      case Type.HASH:
        if (encoding === Encoding.LISTPACK) return RdbType.HASH_LISTPACK;
        if (this.#version < VERSION_FIELD_DEADLINES) return RdbType.HASH;
        if (this.#version >= VALKEY_VERSION_MIN) {
          return encoding === Encoding.HASHTABLE || this.#earliest(db, ref) === NEVER
            ? RdbType.HASH
            : RdbType.HASH_VALKEY;
        }
        // A packed hash keeps the form with deadlines after its last deadline is gone.
        if (encoding === Encoding.LISTPACK_EX) {
          return RdbType.HASH_LISTPACK_EX;
        }
        return encoding === Encoding.HASHTABLE || this.#earliest(db, ref) === NEVER
          ? RdbType.HASH
          : RdbType.HASH_METADATA;
      case Type.STREAM: {
        this.#streams.open(db.bodyOf(ref));
        return streamType(this.#version);
      }
    }
    throw new InvariantError("a type has no form in RDB files");
  }

  /** Writes the value of a key in the form of `typeOf`. */
  write(db: Keyspace, ref: RecordRef): void {
    const output = this.#output;
    const type = this.typeOf(db, ref);
    if (type === RdbType.STRING) {
      db.readString(ref);
      output.string(db.bytes, db.start, db.start + db.length);
      return;
    }
    const encoding = db.encodingOf(ref), body = db.bodyOf(ref);
    switch (type) {
      case RdbType.LIST_QUICKLIST_2:
        return this.#list(encoding, body);
      case RdbType.SET:
        return this.#set(encoding, body);
      case RdbType.SET_INTSET: {
        const image = this.#sets.integers.image(body);
        return output.string(image, 0, image.length);
      }
      case RdbType.ZSET_2:
        return this.#sortedSet(encoding, body);
      case RdbType.STREAM_LISTPACKS_2:
      case RdbType.STREAM_LISTPACKS_3:
      case RdbType.STREAM_LISTPACKS_4:
        return new StreamWriter(this.#store, this.#streams, output).write(type);
      case RdbType.HASH:
      case RdbType.HASH_METADATA:
        return this.#hash(type, encoding, body);
      case RdbType.HASH_VALKEY:
        return this.#valkeyHash(encoding, body);
      case RdbType.HASH_LISTPACK_EX:
        output.int64(Math.max(0, this.#earliest(db, ref)));
        return this.#image(body);
      default:
        return this.#image(body);
    }
  }

  #list(encoding: number, body: BodyRef): void {
    const output = this.#output;
    const lists = this.#store.valueType(Type.LIST) as List;
    const packed = this.#packed;
    lists.open(encoding, body);
    const nodes = lists.nodeCount;
    output.count(nodes);
    for (let i = 0; i < nodes; i++) {
      const node = lists.node(i);
      if (encoding === Encoding.QUICKLIST && lists.isPlain(node)) {
        output.count(NODE_PLAIN);
        packed.read(node, packed.first(node));
        output.string(packed.bytes, packed.start, packed.start + packed.length);
      } else {
        output.count(NODE_PACKED);
        this.#image(node);
      }
    }
  }

  /** A packed block, whose bytes are a listpack. */
  #image(block: BodyRef): void {
    const image = this.#packed.image(block);
    this.#output.string(image, 0, image.length);
  }

  #sortedSet(encoding: number, body: BodyRef): void {
    const output = this.#output;
    const sets = this.#store.valueType(Type.ZSET) as SortedSet;
    sets.open(encoding, body);
    const count = sets.length;
    output.count(count);
    // From the last to the first, as in Redis, because the reader adds each element at the front.
    sets.seek(count - 1);
    for (let i = 0; i < count; i++) {
      sets.back();
      output.string(sets.bytes, sets.start, sets.end);
      output.double(sets.score);
    }
  }

  #set(encoding: number, body: BodyRef): void {
    const output = this.#output, sets = this.#sets;
    output.count(sets.count(encoding, body));
    sets.elements(encoding, body, false, (bytes, start, end) => {
      output.string(bytes, start, end);
      return true;
    });
  }

  /** Fields that are past their deadline do not count. */
  #hash(type: number, encoding: number, body: BodyRef): void {
    const output = this.#output, hashes = this.#hashes;
    hashes.open(encoding, body);
    const earliest = type === RdbType.HASH ? NEVER : hashes.earliestDeadline(encoding, body);
    if (earliest !== NEVER) output.int64(earliest);
    output.count(hashes.length);
    hashes.each(() => {
      // Counted from 1, because 0 means no deadline.
      if (earliest !== NEVER) output.count(hashes.deadline === NEVER ? 0 : hashes.deadline - earliest + 1);
      output.string(hashes.fieldBytes, hashes.fieldStart, hashes.fieldEnd);
      output.string(hashes.bytes, hashes.start, hashes.end);
    });
  }

  /** Each field with its value and its deadline, -1 for none. */
  #valkeyHash(encoding: number, body: BodyRef): void {
    const output = this.#output, hashes = this.#hashes;
    hashes.open(encoding, body);
    output.count(hashes.length);
    hashes.each(() => {
      output.string(hashes.fieldBytes, hashes.fieldStart, hashes.fieldEnd);
      output.string(hashes.bytes, hashes.start, hashes.end);
      output.int64(hashes.deadline === NEVER ? -1 : hashes.deadline);
    });
  }

  /** The first deadline of a hash's fields, NEVER if there is none. */
  #earliest(db: Keyspace, ref: RecordRef): number {
    return this.#hashes.earliestDeadline(db.encodingOf(ref), db.bodyOf(ref));
  }

  get #sets(): MemberSet {
    return this.#store.valueType(Type.SET) as MemberSet;
  }

  get #streams(): StreamValue {
    return this.#store.valueType(Type.STREAM) as StreamValue;
  }

  get #hashes(): HashValue {
    return this.#store.valueType(Type.HASH) as HashValue;
  }
}

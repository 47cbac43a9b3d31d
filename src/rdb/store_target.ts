/**
 * Builds values of the store from the elements that a reader delivers. A value is a body in the arena, in the encoding
 * that follows from the settings. It belongs to no key until `attach`. A value with a repeated element is invalid.
 */
import { NO_BYTES } from "../core/bytes.ts";
import type { HashValue } from "../store/values/hash_value.ts";
import type { List } from "../store/values/list.ts";
import { Encoding, ExpiryMode, type Keyspace, NEVER, Type } from "../store/keyspace.ts";
import { typeName } from "../store/type_names.ts";
import type { MemberSet } from "../store/values/set.ts";
import type { SortedSet } from "../store/values/sorted_set.ts";
import type { StreamValue } from "../store/values/streams/stream_value.ts";
import type { Store } from "../store/store.ts";
import type { StreamBuilder } from "./stream_reader.ts";
import { StreamTarget } from "./stream_target.ts";
import { type AddElement, type AddField, type AddScored, nowhere, type ValueTarget } from "./value_reader.ts";
import type { Deadline } from "../store/deadline.ts";
import { type BodyRef, NONE, type RecordRef } from "../store/memory/arena.ts";

export class StoreTarget implements ValueTarget {
  /** The value has an element twice. */
  duplicate = false;
  /** The name of the type, if the store has no values of it. */
  missingType = "";
  readonly #store: Store;
  #type = 0;
  #encoding = 0;
  #body: BodyRef = NONE;
  #bytes: Uint8Array = NO_BYTES;
  #start = 0;
  #end = 0;
  #empty = false;
  /** The value is a stream that knows messages of producers. */
  #hasMessages = false;

  constructor(store: Store) {
    this.#store = store;
  }

  string(bytes: Uint8Array, start: number, end: number): void {
    this.#begin(Type.STRING);
    this.#empty = false;
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
  }

  list(count: number, fill: (add: AddElement) => void): void {
    if (!this.#begin(Type.LIST)) return nowhere.list(count, fill);
    const lists = this.#store.valueType(Type.LIST) as List;
    lists.createLong();
    fill((bytes, start, end) => lists.pushTail(bytes, start, end));
    const empty = lists.length === 0;
    if (!empty) lists.settle();
    this.#took(lists.encoding, lists.body, empty);
  }

  set(count: number, fill: (add: AddElement) => void): void {
    if (!this.#begin(Type.SET)) return nowhere.set(count, fill);
    const sets = this.#store.valueType(Type.SET) as MemberSet;
    let added = 0;
    fill((bytes, start, end) => {
      // The first member decides the first encoding of the set.
      if (added++ === 0) sets.createFor(count, bytes, start, end);
      if (!sets.add(bytes, start, end)) this.duplicate = true;
    });
    this.#took(sets.encoding, added === 0 ? NONE : sets.body, added === 0);
  }

  sortedSet(count: number, fill: (add: AddScored) => void): void {
    if (!this.#begin(Type.ZSET)) return nowhere.sortedSet(count, fill);
    const sets = this.#store.valueType(Type.ZSET) as SortedSet;
    sets.collect(true, fill, (a) => {
      this.duplicate = true;
      return a;
    });
    this.#took(sets.encoding, sets.body, sets.length === 0);
  }

  hash(count: number, fill: (add: AddField) => void): void {
    if (!this.#begin(Type.HASH)) return nowhere.hash(count, fill);
    const store = this.#store, hashes = store.valueType(Type.HASH) as HashValue;
    let added = 0;
    fill((bytes, start, end, value, valueStart, valueEnd, deadline) => {
      if (deadline !== NEVER && deadline <= store.nowMs && store.expiryMode !== ExpiryMode.KEEP) return;
      if (added++ === 0) {
        hashes.create();
        hashes.expect(count);
      }
      hashes.expect(added);
      if (hashes.find(bytes, start, end)) {
        this.duplicate = true;
        return;
      }
      hashes.set(bytes, start, end, value, valueStart, valueEnd);
      if (deadline === NEVER) return;
      hashes.allowDeadlines();
      hashes.find(bytes, start, end);
      hashes.setDeadline(deadline);
    });
    this.#took(hashes.encoding, added === 0 ? NONE : hashes.body, added === 0);
  }

  stream(fill: (builder: StreamBuilder) => void): void {
    if (!this.#begin(Type.STREAM)) return nowhere.stream(fill);
    const streams = this.#store.valueType(Type.STREAM) as StreamValue;
    streams.create();
    const target = new StreamTarget(streams);
    fill(target);
    this.duplicate = target.damaged;
    // An empty stream keeps its key.
    this.#took(Encoding.STREAM, streams.body, false);
    this.#hasMessages = streams.producers.count(streams.body) > 0;
  }

  /** Whether the value has no elements. Such a value cannot have a key. */
  get empty(): boolean {
    return this.#empty;
  }

  /** Gives the value to a key that does not exist. Returns the record's ref. */
  attach(db: Keyspace, bytes: Uint8Array, start: number, end: number, deadline: Deadline): RecordRef {
    if (this.#type === Type.STRING) {
      return db.setString(bytes, start, end, this.#bytes, this.#start, this.#end, deadline);
    }
    let ref = db.add(bytes, start, end, this.#type, this.#encoding, this.#body);
    if (deadline !== NEVER) ref = db.setDeadline(ref, deadline);
    if (this.#type === Type.HASH) db.indexFields(ref);
    if (this.#hasMessages) this.#store.onMessages(db, bytes, start, end);
    return ref;
  }

  /** Frees the value. */
  drop(): void {
    if (this.#body !== 0) this.#store.freeBody(this.#type, this.#encoding, this.#body);
    this.#body = NONE;
  }

  /** Begins a value. False if the store has no such values. */
  #begin(type: number): boolean {
    this.#type = type;
    this.#body = NONE;
    this.duplicate = this.#hasMessages = false;
    const known = type === Type.STRING || this.#store.valueType(type) !== undefined;
    this.missingType = known ? "" : typeName(type);
    return known;
  }

  #took(encoding: number, body: BodyRef, empty: boolean): void {
    this.#encoding = encoding;
    this.#body = body;
    this.#empty = empty;
  }
}

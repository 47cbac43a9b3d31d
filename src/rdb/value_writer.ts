/**
 * Writing one value in the form that Redis 7 gives it, small collections as the listpack that they are in Redis. The
 * counterpart of value_reader.ts and store_target.ts.
 */
import type { List } from "../store/list.ts";
import { Encoding, type Keyspace, Type } from "../store/keyspace.ts";
import { Packed } from "../store/packed.ts";
import type { SortedSet } from "../store/sorted_set.ts";
import type { Store } from "../store/store.ts";
import { NODE_PACKED, NODE_PLAIN, RdbType, VERSION } from "./format.ts";
import type { RdbOutput } from "./output.ts";

export class ValueWriter {
  /** The version that a reader of what was written so far must know. */
  version: number = VERSION;
  readonly #store: Store;
  readonly #output: RdbOutput;
  readonly #packed: Packed;

  constructor(store: Store, output: RdbOutput) {
    this.#store = store;
    this.#output = output;
    this.#packed = new Packed(store.arena);
  }

  /** The RDB type of a key's value. */
  typeOf(db: Keyspace, ref: number): number {
    const packed = db.encodingOf(ref) === Encoding.LISTPACK;
    switch (db.typeOf(ref)) {
      case Type.STRING:
        return RdbType.STRING;
      case Type.LIST:
        return RdbType.LIST_QUICKLIST_2;
      case Type.ZSET:
        return packed ? RdbType.ZSET_LISTPACK : RdbType.ZSET_2;
    }
    throw new Error("a type has no form");
  }

  /** Writes a key's value. */
  write(db: Keyspace, ref: number): void {
    const output = this.#output;
    const encoding = db.encodingOf(ref);
    switch (db.typeOf(ref)) {
      case Type.STRING:
        db.readString(ref);
        output.string(db.bytes, db.start, db.start + db.length);
        break;
      case Type.LIST:
        this.#list(encoding, db.bodyOf(ref));
        break;
      case Type.ZSET:
        this.#sortedSet(encoding, db.bodyOf(ref));
        break;
    }
  }

  #list(encoding: number, body: number): void {
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

  /** A packed block, as the listpack that it is. */
  #image(block: number): void {
    const image = this.#packed.image(block);
    this.#output.string(image, 0, image.length);
  }

  #sortedSet(encoding: number, body: number): void {
    const output = this.#output;
    const sets = this.#store.valueType(Type.ZSET) as SortedSet;
    if (encoding === Encoding.LISTPACK) {
      this.#image(body);
      return;
    }
    sets.open(encoding, body);
    const count = sets.length;
    output.count(count);
    // From the last: whoever reads it adds each element before all others.
    sets.seek(count - 1);
    for (let i = 0; i < count; i++) {
      sets.back();
      output.string(sets.bytes, sets.start, sets.end);
      output.double(sets.score);
    }
  }
}

/**
 * The producers of a stream: for each, the names of the messages that it added lately, with the ids of their entries,
 * so that a message that is sent again is not added again. A producer forgets a message that is too old, and the oldest
 * one when it has too many.
 */
import { invariant } from "../../../core/assert.ts";
import { hashBytes } from "../../../core/hash_function.ts";
import { copyId, idTime, type StreamId } from "../../../core/stream_id.ts";
import type { Dict } from "../../blocks/dict.ts";
import { BODY, bodyOf, createRecord, keyLength, keyStart, setBody } from "../../blocks/record.ts";
import {
  type Arena,
  type BodyRef,
  CHUNK_SHIFT,
  type DictRef,
  GRANULE_MASK,
  type IndexRef,
  NONE,
  type RecordRef,
} from "../../memory/arena.ts";
import type { Names } from "./groups.ts";
import {
  DURATION,
  MAX_SIZE,
  MESSAGE_BYTES,
  MESSAGE_ID,
  MESSAGES,
  NEWEST,
  NEXT_MESSAGE,
  OLDEST,
  PRODUCER_BYTES,
  PRODUCERS,
} from "./layout.ts";

/** Takes a producer's message, the oldest first; the bytes are those of its name. */
export type VisitMessage = (bytes: Uint8Array, start: number, end: number, id: StreamId) => void;

export class Producers {
  readonly #arena: Arena;
  readonly #dict: Dict;
  readonly #names: Names;
  readonly #id: StreamId = new Int32Array(4);

  constructor(arena: Arena, dict: Dict, names: Names) {
    this.#arena = arena;
    this.#dict = dict;
    this.#names = names;
  }

  treeOf(stream: BodyRef): IndexRef {
    return this.#arena.i32[stream >>> CHUNK_SHIFT][((stream & GRANULE_MASK) << 1) + PRODUCERS] as IndexRef;
  }

  /** The records of all producers, in the order of their names. */
  all(stream: BodyRef): RecordRef[] {
    return this.#names.all(this.treeOf(stream));
  }

  count(stream: BodyRef): number {
    return this.#names.count(this.treeOf(stream));
  }

  /** Number of messages that a producer knows. */
  messageCount(producer: RecordRef): number {
    return this.#dict.count(this.#word(producer, MESSAGES) as DictRef);
  }

  /** The record of the producer with a name, 0 if there is none. */
  find(stream: BodyRef, bytes: Uint8Array, start: number, end: number): RecordRef {
    return this.#names.find(this.treeOf(stream), bytes, start, end);
  }

  /** The record of the producer with a name, which is added if it is missing. */
  obtain(stream: BodyRef, bytes: Uint8Array, start: number, end: number): RecordRef {
    const found = this.find(stream, bytes, start, end);
    if (found !== 0) return found;
    const arena = this.#arena;
    if (this.treeOf(stream) === 0) {
      const tree = this.#names.ordered.create();
      arena.i32[stream >>> CHUNK_SHIFT][((stream & GRANULE_MASK) << 1) + PRODUCERS] = tree;
    }
    const producer = arena.alloc(PRODUCER_BYTES), messages = this.#dict.create();
    const words = arena.i32[producer >>> CHUNK_SHIFT], at = (producer & GRANULE_MASK) << 1;
    words[at + MESSAGES] = messages;
    words[at + OLDEST] = words[at + NEWEST] = words[at + NEWEST + 1] = 0;
    return this.#names.add(this.treeOf(stream), bytes, start, end, producer);
  }

  /** Leaves the id of a producer's message in `id`. False if the producer does not know the message. */
  lookUp(producer: RecordRef, bytes: Uint8Array, start: number, end: number, id: StreamId): boolean {
    const messages = this.#word(producer, MESSAGES) as DictRef;
    const message = this.#dict.find(messages, bytes, start, end, hashBytes(bytes, start, end));
    if (message === 0) return false;
    this.#readId(message, id);
    return true;
  }

  /** Adds a message that the producer does not know, and forgets its oldest one if it then has too many. */
  add(
    stream: BodyRef,
    producer: RecordRef,
    bytes: Uint8Array,
    start: number,
    end: number,
    id: StreamId,
  ): void {
    this.insert(producer, bytes, start, end, id);
    const most = this.#arena.i32[stream >>> CHUNK_SHIFT][((stream & GRANULE_MASK) << 1) + MAX_SIZE];
    if (this.messageCount(producer) > most) this.#forgetOldest(producer);
  }

  /** Adds a message that the producer does not know. */
  insert(producer: RecordRef, bytes: Uint8Array, start: number, end: number, id: StreamId): void {
    const arena = this.#arena, dict = this.#dict, messages = this.#word(producer, MESSAGES) as DictRef;
    const hash = hashBytes(bytes, start, end);
    const found = dict.find(messages, bytes, start, end, hash);
    invariant(found === 0, "a message was added that is known");
    const message = createRecord(arena, BODY, bytes, start, end, 0);
    const body: BodyRef = arena.alloc(MESSAGE_BYTES);
    const words = arena.i32[body >>> CHUNK_SHIFT], at = (body & GRANULE_MASK) << 1;
    copyId(id, 0, words, at + MESSAGE_ID);
    words[at + NEXT_MESSAGE] = words[at + NEXT_MESSAGE + 1] = 0;
    setBody(arena, message, body);
    dict.insert(messages, hash, message);
    const newest = this.#word(producer, NEWEST) as RecordRef;
    if (newest === 0) this.#setWord(producer, OLDEST, message);
    else this.#setWord(newest, NEXT_MESSAGE, message);
    this.#setWord(producer, NEWEST, message);
  }

  /** Forgets a message that the producer knows. */
  forget(producer: RecordRef, bytes: Uint8Array, start: number, end: number): void {
    const dict = this.#dict, messages = this.#word(producer, MESSAGES) as DictRef;
    const message = dict.find(messages, bytes, start, end, hashBytes(bytes, start, end));
    if (message === this.#oldest(producer)) return this.#forgetOldest(producer);
    let before = this.#oldest(producer);
    while (this.#word(before, NEXT_MESSAGE) !== message) before = this.#word(before, NEXT_MESSAGE) as RecordRef;
    const next = this.#word(message, NEXT_MESSAGE);
    this.#setWord(before, NEXT_MESSAGE, next);
    if (next === 0) this.#setWord(producer, NEWEST, before);
    this.#free(messages, message);
  }

  /** Forgets the messages that are too old at `nowMs`, and producers without any. */
  expire(stream: BodyRef, nowMs: number): void {
    const tree = this.treeOf(stream), id = this.#id;
    if (tree === 0) return;
    const seconds = this.#arena.i32[stream >>> CHUNK_SHIFT][((stream & GRANULE_MASK) << 1) + DURATION];
    const until = nowMs - seconds * 1000;
    for (const producer of this.all(stream)) {
      for (let oldest = this.#oldest(producer); oldest !== 0; oldest = this.#oldest(producer)) {
        this.#readId(oldest, id);
        if (idTime(id) > until) break;
        this.#forgetOldest(producer);
      }
      if (this.#oldest(producer) !== 0) continue;
      this.#dict.destroy(this.#word(producer, MESSAGES) as DictRef);
      this.#names.ordered.remove(tree, producer);
      this.#arena.free(bodyOf(this.#arena, producer));
      this.#arena.free(producer);
    }
    if (this.count(stream) === 0) this.clear(stream);
  }

  /** Visits the messages of a producer, the oldest first. */
  each(producer: RecordRef, visit: VisitMessage): void {
    const arena = this.#arena, id = new Int32Array(4);
    for (
      let message = this.#oldest(producer);
      message !== 0;
      message = this.#word(message, NEXT_MESSAGE) as RecordRef
    ) {
      const start = keyStart(arena, message);
      this.#readId(message, id);
      visit(arena.u8[message >>> CHUNK_SHIFT], start, start + keyLength(arena, message), id);
    }
  }

  /** Frees all producers of a stream. They are few: each has a limit of messages. */
  clear(stream: BodyRef): void {
    const arena = this.#arena, tree = this.treeOf(stream);
    if (tree === 0) return;
    const rest = this.#names.ordered.drain(tree, Infinity, (producer) => {
      while (this.#oldest(producer) !== 0) this.#forgetOldest(producer);
      this.#dict.destroy(this.#word(producer, MESSAGES) as DictRef);
      arena.free(bodyOf(arena, producer));
      arena.free(producer);
    });
    invariant(rest === 0, "an index was not freed");
    arena.i32[stream >>> CHUNK_SHIFT][((stream & GRANULE_MASK) << 1) + PRODUCERS] = 0;
  }

  copy(from: BodyRef, to: BodyRef): void {
    for (const producer of this.all(from)) {
      const start = keyStart(this.#arena, producer), bytes = this.#arena.u8[producer >>> CHUNK_SHIFT];
      const copy = this.obtain(to, bytes, start, start + keyLength(this.#arena, producer));
      this.each(producer, (name, nameStart, nameEnd, id) => this.insert(copy, name, nameStart, nameEnd, id));
    }
  }

  sizeBytes(stream: BodyRef): number {
    const arena = this.#arena, tree = this.treeOf(stream);
    if (tree === 0) return 0;
    let bytes = this.#names.ordered.sizeBytes(tree);
    for (const producer of this.all(stream)) {
      bytes += arena.sizeOf(producer) + arena.sizeOf(bodyOf(arena, producer));
      bytes += this.#dict.sizeBytes(this.#word(producer, MESSAGES) as DictRef);
      for (let message = this.#oldest(producer); message !== 0;) {
        bytes += arena.sizeOf(message) + arena.sizeOf(bodyOf(arena, message));
        message = this.#word(message, NEXT_MESSAGE) as RecordRef;
      }
    }
    return bytes;
  }

  check(stream: BodyRef, reached: Set<number>): void {
    const arena = this.#arena, tree = this.treeOf(stream);
    if (tree === 0) return;
    const producers: RecordRef[] = [];
    this.#names.ordered.check(tree, reached, (producer) => producers.push(producer));
    for (const producer of producers) {
      reached.add(producer).add(bodyOf(arena, producer));
      const messages = new Set<number>();
      this.#dict.check(this.#word(producer, MESSAGES) as DictRef, reached, (message) => messages.add(message));
      for (let message = this.#oldest(producer); message !== 0;) {
        invariant(messages.delete(message), "a message is not in its producer's dictionary");
        reached.add(message).add(bodyOf(arena, message));
        const next = this.#word(message, NEXT_MESSAGE) as RecordRef;
        invariant(next !== 0 || message === this.#word(producer, NEWEST), "a producer's newest message is wrong");
        message = next;
      }
      invariant(messages.size === 0, "a message is not in the order of its producer");
    }
  }

  #oldest(producer: RecordRef): RecordRef {
    return this.#word(producer, OLDEST) as RecordRef;
  }

  #forgetOldest(producer: RecordRef): void {
    const oldest = this.#oldest(producer);
    const next = this.#word(oldest, NEXT_MESSAGE);
    this.#setWord(producer, OLDEST, next);
    if (next === 0) this.#setWord(producer, NEWEST, NONE);
    this.#free(this.#word(producer, MESSAGES) as DictRef, oldest);
  }

  #free(messages: DictRef, message: RecordRef): void {
    const arena = this.#arena, dict = this.#dict;
    const found = dict.locate(messages, dict.hashOf(message), message);
    invariant(found, "a message is not in its producer's dictionary");
    dict.remove(messages);
    arena.free(bodyOf(arena, message));
    arena.free(message);
  }

  #readId(message: RecordRef, id: StreamId): void {
    const body = bodyOf(this.#arena, message);
    copyId(this.#arena.i32[body >>> CHUNK_SHIFT], ((body & GRANULE_MASK) << 1) + MESSAGE_ID, id, 0);
  }

  /** A word of the body of a record. */
  #word(record: RecordRef, word: number): number {
    const body = bodyOf(this.#arena, record);
    return this.#arena.i32[body >>> CHUNK_SHIFT][((body & GRANULE_MASK) << 1) + word];
  }

  #setWord(record: RecordRef, word: number, value: number): void {
    const body = bodyOf(this.#arena, record);
    this.#arena.i32[body >>> CHUNK_SHIFT][((body & GRANULE_MASK) << 1) + word] = value;
  }
}

/**
 * Reading streams, in all forms that Redis has written since version 5.0. It walks the form and hands the parts to a
 * builder, in order.
 */
import { newId, putWide, type StreamId } from "../core/stream_id.ts";
import { NodeImage } from "../store/values/streams/image.ts";
import { RdbType } from "./format.ts";
import { Held, type RdbInput } from "./input.ts";

const ID_BYTES = 16, TIME_BYTES = 8;
const SECONDS_MAX = 86_400, MESSAGES_MAX = 10_000;

/** What a stream knows of itself. */
export interface StreamHead {
  readonly length: number;
  readonly lastId: StreamId;
  /** What forms before Redis 7.0 do not tell. */
  readonly more: { readonly firstId: StreamId; readonly deletedId: StreamId; readonly added: bigint } | undefined;
}

/**
 * Takes the parts of a stream: nodes, then the head, then groups, each with its pending entries and then its consumers,
 * and then producers. Bytes and ids are valid during the call.
 */
export interface StreamBuilder {
  /** A node: the id of its master entry, and its block of `elements`, `live` of whose entries are not deleted. */
  node(id: StreamId, bytes: Uint8Array, start: number, end: number, elements: number, live: number): void;
  head(head: StreamHead): void;
  /** A group with its name; `entriesRead` is undefined where the form does not tell it. */
  group(bytes: Uint8Array, start: number, end: number, lastId: StreamId, entriesRead: bigint | undefined): void;
  pending(id: StreamId, timeMs: number, deliveries: bigint): void;
  consumer(bytes: Uint8Array, start: number, end: number, seenMs: number, activeMs: number): void;
  /** A pending entry of the group belongs to the consumer. */
  owned(id: StreamId): void;
  /** The group with its consumers is complete. */
  groupEnd(): void;
  messageLimits(seconds: number, most: number): void;
  producer(bytes: Uint8Array, start: number, end: number): void;
  message(bytes: Uint8Array, start: number, end: number, id: StreamId): void;
  messageCounters(added: bigint, duplicates: bigint): void;
}

const nothing = () => {};
/** Takes everything and keeps nothing. */
export const noStream: StreamBuilder = {
  node: nothing,
  head: nothing,
  group: nothing,
  pending: nothing,
  consumer: nothing,
  owned: nothing,
  groupEnd: nothing,
  messageLimits: nothing,
  producer: nothing,
  message: nothing,
  messageCounters: nothing,
};

export class StreamReader {
  readonly #input: RdbInput;
  readonly #image = new NodeImage();
  readonly #id = newId();
  readonly #held = new Held();

  constructor(input: RdbInput) {
    this.#input = input;
  }

  read(type: number, builder: StreamBuilder): void {
    const input = this.#input, image = this.#image;
    for (let nodes = input.count(2); nodes > 0; nodes--) {
      input.string();
      if (input.end - input.start !== ID_BYTES) input.fail("the id of a stream's node is of another size");
      this.#takeId();
      input.string();
      if (!image.check(input.bytes, input.start, input.end)) input.fail("a stream's node does not hold what it should");
      builder.node(this.#id, input.bytes, input.start, input.end, image.elements, image.live);
    }
    builder.head(this.#head(type));
    for (let groups = input.count(5); groups > 0; groups--) this.#group(type, builder);
    if (type === RdbType.STREAM_LISTPACKS_4) this.#producers(builder);
  }

  #head(type: number): StreamHead {
    const input = this.#input;
    const length = input.plainLength(), lastId = this.#numbers(newId());
    if (type === RdbType.STREAM_LISTPACKS) return { length, lastId, more: undefined };
    const firstId = this.#numbers(newId()), deletedId = this.#numbers(newId());
    return { length, lastId, more: { firstId, deletedId, added: input.wideLength() } };
  }

  #group(type: number, builder: StreamBuilder): void {
    const input = this.#input, held = this.#held;
    input.string();
    held.hold(input);
    const lastId = this.#numbers(this.#id);
    const entriesRead = type === RdbType.STREAM_LISTPACKS ? undefined : BigInt.asIntN(64, input.wideLength());
    builder.group(held.bytes, 0, held.end, lastId, entriesRead);
    for (let pending = input.count(ID_BYTES + TIME_BYTES + 1); pending > 0; pending--) {
      this.#rawId();
      const timeMs = input.int64();
      builder.pending(this.#id, timeMs, input.wideLength());
    }
    for (let consumers = input.count(TIME_BYTES + 2); consumers > 0; consumers--) {
      input.string();
      held.hold(input);
      const seenMs = input.int64();
      // The best guess of what older forms do not tell.
      const activeMs = type >= RdbType.STREAM_LISTPACKS_3 ? input.int64() : seenMs;
      builder.consumer(held.bytes, 0, held.end, seenMs, activeMs);
      for (let pending = input.count(ID_BYTES); pending > 0; pending--) {
        this.#rawId();
        builder.owned(this.#id);
      }
    }
    builder.groupEnd();
  }

  #producers(builder: StreamBuilder): void {
    const input = this.#input, held = this.#held;
    const seconds = input.plainLength(), most = input.plainLength();
    if (seconds < 1 || seconds > SECONDS_MAX || most < 1 || most > MESSAGES_MAX) {
      input.fail("a stream's limits for producers are out of range");
    }
    builder.messageLimits(seconds, most);
    for (let producers = input.count(2); producers > 0; producers--) {
      input.string();
      builder.producer(input.bytes, input.start, input.end);
      for (let messages = input.count(3); messages > 0; messages--) {
        input.string();
        held.hold(input);
        builder.message(held.bytes, 0, held.end, this.#numbers(this.#id));
      }
    }
    const added = input.wideLength();
    builder.messageCounters(added, input.wideLength());
  }

  /** Reads an id that is two numbers. */
  #numbers(id: StreamId): StreamId {
    putWide(id, 0, this.#input.wideLength());
    putWide(id, 2, this.#input.wideLength());
    return id;
  }

  /** Reads an id that is 16 bytes. */
  #rawId(): void {
    this.#input.raw(ID_BYTES);
    this.#takeId();
  }

  /** Takes the id in the input's registers, whose highest byte comes first. */
  #takeId(): void {
    const { bytes, start } = this.#input;
    for (let k = 0, i = start; k < 4; k++, i += 4) {
      this.#id[k] = bytes[i] << 24 | bytes[i + 1] << 16 | bytes[i + 2] << 8 | bytes[i + 3];
    }
  }
}

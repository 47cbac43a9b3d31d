/** Databases compared with Maps: strings of every size and encoding, deadlines, moves, copies, clocks, lazy freeing. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { InvariantError } from "../../src/core/assert.ts";
import { SeededRandom } from "../../src/core/random.ts";
import { type BodyRef, CHUNK_SHIFT, GRANULE_MASK, NONE, type RecordRef } from "../../src/store/memory/arena.ts";
import { Encoding, ExpiryMode, type Keyspace, NEVER, Type } from "../../src/store/keyspace.ts";
import { Store, type ValueType } from "../../src/store/store.ts";
import { oneIn, pick, property, randomBytes } from "../helpers/property.ts";

const encoder = new TextEncoder(), decoder = new TextDecoder();
const START = 1_700_000_000_000;
const BLOCK_BYTES = 16;

/** A value type for tests: a linked list of blocks, each with the ref of the next and a number. */
class ChainType implements ValueType {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  create(numbers: readonly number[]): BodyRef {
    let body: BodyRef = NONE;
    for (const number of numbers.toReversed()) {
      const block: BodyRef = this.#store.arena.alloc(BLOCK_BYTES);
      this.#word(block, 0, body);
      this.#word(block, 1, number);
      body = block;
    }
    return body;
  }

  numbers(body: BodyRef): number[] {
    const found: number[] = [];
    for (; body !== 0; body = this.#word(body, 0) as BodyRef) found.push(this.#word(body, 1));
    return found;
  }

  copy(_encoding: number, body: BodyRef): BodyRef {
    return this.create(this.numbers(body));
  }

  free(_encoding: number, body: BodyRef, budget: number): BodyRef {
    for (; body !== 0 && budget > 0; budget--) {
      const next = this.#word(body, 0) as BodyRef;
      this.#store.arena.free(body);
      body = next;
    }
    return body;
  }

  count(_encoding: number, body: BodyRef): number {
    return this.numbers(body).length;
  }

  sizeBytes(encoding: number, body: BodyRef): number {
    return this.count(encoding, body) * BLOCK_BYTES;
  }

  check(_encoding: number, body: BodyRef, reached: Set<number>): void {
    for (; body !== 0; body = this.#word(body, 0) as BodyRef) {
      assert(!reached.has(body));
      reached.add(body);
    }
  }

  #word(block: number, index: number, value?: number): number {
    const words = this.#store.arena.i32[block >>> CHUNK_SHIFT], i = ((block & GRANULE_MASK) << 1) + index;
    if (value !== undefined) words[i] = value;
    return words[i];
  }
}

interface Expected {
  text?: Uint8Array;
  chain?: number[];
  deadline: number;
}

/** A store with its expected contents. */
class Subject {
  readonly store: Store;
  readonly chains: ChainType;
  readonly model: Map<string, Expected>[];
  readonly announced: string[] = [];
  readonly expected: string[] = [];

  constructor(random: SeededRandom, databases = 3) {
    this.store = new Store({ databases, random });
    this.chains = new ChainType(this.store);
    this.store.register(Type.LIST, this.chains);
    this.store.setTime(START);
    this.model = this.store.databases.map(() => new Map());
    this.store.onExpired = (db, bytes, start, end) => {
      this.announced.push(`${db.index} ${decoder.decode(bytes.subarray(start, end))}`);
    };
  }

  db(index: number): Keyspace {
    return this.store.databases[index];
  }

  find(index: number, key: string): RecordRef {
    const bytes = encoder.encode(key);
    const ref = this.db(index).find(bytes, 0, bytes.length);
    const entry = this.entry(index, key);
    assertEquals(ref !== 0, entry !== undefined);
    return ref;
  }

  /** The model's value of a key, after the model has deleted an expired one. */
  entry(index: number, key: string): Expected | undefined {
    const entry = this.model[index].get(key);
    if (entry === undefined || entry.deadline === NEVER || entry.deadline > this.store.nowMs) return entry;
    this.model[index].delete(key);
    this.expected.push(`${index} ${key}`);
    return undefined;
  }

  set(index: number, key: string, value: Uint8Array, deadline = NEVER): RecordRef {
    const bytes = encoder.encode(key);
    this.model[index].set(key, { text: value.slice(), deadline });
    return this.db(index).setString(bytes, 0, bytes.length, value, 0, value.length, deadline);
  }

  text(index: number, ref: RecordRef): Uint8Array {
    const db = this.db(index);
    db.readString(ref);
    assertEquals(db.bytes.length >= db.start + db.length, true);
    return db.bytes.slice(db.start, db.start + db.length);
  }

  verify(index: number, key: string): void {
    const ref = this.find(index, key), entry = this.model[index].get(key), db = this.db(index);
    if (entry === undefined) return;
    assertEquals(db.deadlineOf(ref), entry.deadline);
    if (entry.text !== undefined) {
      assertEquals(db.typeOf(ref), Type.STRING);
      assert(same(this.text(index, ref), entry.text), `the text of ${key.slice(0, 20)} differs`);
    } else {
      assertEquals(db.typeOf(ref), Type.LIST);
      assertEquals(db.encodingOf(ref), Encoding.QUICKLIST);
      assertEquals(this.chains.numbers(db.bodyOf(ref)), entry.chain);
    }
  }

  check(): void {
    this.model.forEach((model, index) => {
      assertEquals(this.db(index).size, model.size);
      assertEquals(this.db(index).expiresSize, [...model.values()].filter((e) => e.deadline !== NEVER).length);
    });
    this.store.check();
    this.model.forEach((model, index) => [...model.keys()].forEach((key) => this.verify(index, key)));
    assertEquals(this.announced, this.expected);
    assertEquals(this.store.expired, this.expected.length);
  }

  /** Empties everything; only the databases' own empty dictionaries may remain. */
  end(): void {
    this.check();
    this.model.forEach((model, index) => {
      this.db(index).clear();
      model.clear();
    });
    this.check();
    assertEquals(this.store.arena.blockCount, this.model.length * 6);
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

const LENGTHS = [0, 1, 8, 31, 40, 48, 49, 56, 100, 128, 1000, 4095, 65534, 65535, 65536, 65537, 70000, 140000];

function randomText(random: SeededRandom): Uint8Array {
  const kind = random.below(20);
  return randomBytes(random, kind < 14 ? random.below(150) : kind < 18 ? random.below(3000) : pick(random, LENGTHS));
}

function randomKey(random: SeededRandom): string {
  const n = random.below(150);
  if (n >= 6) return `key:${n}`;
  return ["", "k", "a".repeat(4094), "b".repeat(4095), "c".repeat(4096), "d".repeat(70000)][n];
}

function randomDeadline(random: SeededRandom, now: number): number {
  return oneIn(random, 2) ? NEVER : now + 1 + random.below(5000);
}

function step(subject: Subject, random: SeededRandom): void {
  const { store } = subject;
  const index = random.below(3), db = subject.db(index), model = subject.model[index];
  const key = randomKey(random), bytes = encoder.encode(key);
  const ref = subject.find(index, key), entry = model.get(key);
  switch (random.below(15)) {
    case 0:
    case 1:
    case 2:
      subject.set(index, key, randomText(random), randomDeadline(random, store.nowMs));
      break;
    case 3: // the same length again, the same kind of deadline: in place
      if (entry?.text !== undefined) {
        subject.set(index, key, randomBytes(random, entry.text.length), entry.deadline);
      }
      break;
    case 4: { // the value is a part of what some key holds, perhaps this one
      const from = oneIn(random, 2) ? key : randomKey(random), source = subject.find(index, from);
      const text = model.get(from)?.text;
      if (text === undefined) break;
      db.readString(source);
      const start = random.below(text.length + 1), end = start + random.below(text.length - start + 1);
      const deadline = randomDeadline(random, store.nowMs);
      model.set(key, { text: text.slice(start, end), deadline });
      db.setString(bytes, 0, bytes.length, db.bytes, db.start + start, db.start + end, deadline);
      break;
    }
    case 5: {
      if (entry?.text === undefined) break;
      const length = oneIn(random, 4) ? pick(random, LENGTHS) : entry.text.length + random.below(200);
      const text = new Uint8Array(length);
      text.set(entry.text.subarray(0, length));
      const moved = db.resizeString(ref, length);
      assertEquals(db.length, length);
      if (length > 0) db.bytes[db.start + length - 1] = text[length - 1] = 7;
      assertEquals(moved, subject.find(index, key));
      entry.text = text;
      break;
    }
    case 6:
    case 7: {
      if (entry === undefined) break;
      const deadline = randomDeadline(random, store.nowMs);
      assertEquals(db.setDeadline(ref, deadline), subject.find(index, key));
      entry.deadline = deadline;
      break;
    }
    case 8:
    case 9: {
      const target = random.below(3), name = randomKey(random), nameBytes = encoder.encode(name);
      if (entry === undefined || (target === index && name === key)) break;
      subject.entry(target, name);
      db.moveTo(ref, subject.db(target), nameBytes, 0, nameBytes.length);
      model.delete(key);
      subject.model[target].set(name, entry);
      subject.verify(target, name);
      break;
    }
    case 10: {
      const target = random.below(3), name = randomKey(random), nameBytes = encoder.encode(name);
      if (entry === undefined || subject.find(target, name) !== 0) break;
      db.copyTo(ref, subject.db(target), nameBytes, 0, nameBytes.length);
      subject.model[target].set(name, { ...entry, text: entry.text?.slice(), chain: entry.chain?.slice() });
      subject.verify(target, name);
      break;
    }
    case 11:
    case 12:
      if (entry === undefined) {
        const chain = Array.from({ length: 1 + random.below(oneIn(random, 10) ? 2000 : 10) }, () => random.below(1000));
        db.add(bytes, 0, bytes.length, Type.LIST, Encoding.QUICKLIST, subject.chains.create(chain));
        model.set(key, { chain, deadline: NEVER });
      } else {
        assert(db.remove(bytes, 0, bytes.length));
        assert(!db.remove(bytes, 0, bytes.length));
        model.delete(key);
      }
      break;
    case 13:
      store.setTime(store.nowMs + random.below(100));
      break;
    case 14:
      subject.verify(index, key);
      if (store.garbagePending) store.reclaim(1 + random.below(300));
      if (oneIn(random, 150)) {
        db.clear();
        model.clear();
      }
      if (oneIn(random, 100)) {
        const other = random.below(3);
        store.swap(index, other);
        [subject.model[index], subject.model[other]] = [subject.model[other], subject.model[index]];
      }
      break;
  }
}

Deno.test("databases behave like Maps under everything that commands do to keys", async () => {
  await property(6, (random) => {
    const subject = new Subject(random);
    for (let i = 1; i <= 6000; i++) {
      step(subject, random);
      if (i % 1000 === 0) subject.check();
    }
    subject.end();
  });
});

Deno.test("a string goes over any other string and any list, from every size to every size", () => {
  const random = new SeededRandom(1);
  const subject = new Subject(random, 1);
  for (const from of LENGTHS) {
    for (const to of LENGTHS) {
      for (const before of [NEVER, START + 1000]) {
        for (const after of [NEVER, START + 2000]) {
          subject.set(0, "k", randomBytes(random, from), before);
          subject.set(0, "k", randomBytes(random, to), after);
          subject.verify(0, "k");
        }
      }
    }
    subject.store.check();
  }
  const key = encoder.encode("k");
  for (const length of LENGTHS) {
    subject.db(0).remove(key, 0, 1);
    subject.db(0).add(key, 0, 1, Type.LIST, Encoding.QUICKLIST, subject.chains.create([1, 2, 3]));
    subject.db(0).setDeadline(subject.db(0).find(key, 0, 1), START + 5);
    subject.set(0, "k", randomBytes(random, length));
    subject.verify(0, "k");
  }
  subject.end();
});

Deno.test("a string of the same size class is written in place", () => {
  const subject = new Subject(new SeededRandom(1), 1);
  for (const [deadline, later] of [[NEVER, NEVER], [START + 5, START + 9]]) {
    const ref = subject.set(0, "inplace", new Uint8Array(34), deadline);
    for (const length of [35, 41, 34]) {
      assertEquals(subject.set(0, "inplace", new Uint8Array(length).fill(length), later), ref);
      subject.verify(0, "inplace");
    }
    assert(subject.set(0, "inplace", new Uint8Array(42), later) !== ref);
  }
  subject.end();
});

Deno.test("a string that grows byte by byte keeps its text, deadline and clock, and new bytes are zero", () => {
  for (const deadline of [NEVER, START + 1e9]) {
    const subject = new Subject(new SeededRandom(1), 1);
    const db = subject.db(0);
    let ref = subject.set(0, "grow", new Uint8Array([1]), deadline);
    const idle = subject.store.idleSeconds(ref);
    let moves = 0;
    const lengths = Array.from({ length: 3000 }, (_, i) => i + 2).concat([
      65535,
      65536,
      65537,
      200000,
      3 << 20,
      12 << 20,
    ]);
    let old = 1;
    for (const length of lengths) {
      const before = ref;
      ref = db.resizeString(ref, length);
      if (ref !== before) moves++;
      for (let i = old; i < Math.min(length, old + 100); i++) assertEquals(db.bytes[db.start + i], 0);
      assertEquals(db.bytes[db.start + old - 1], old & 255);
      db.bytes[db.start + length - 1] = length;
      old = length;
    }
    assert(moves < 100, `${moves} moves`);
    ref = db.resizeString(ref, 12 << 20);
    assertEquals(db.bytes[db.start], 1);
    assertEquals(db.deadlineOf(ref), deadline);
    assertEquals(subject.store.idleSeconds(ref), idle);
    for (const length of [100, 0, 5]) {
      ref = db.resizeString(ref, length);
      assertEquals(db.length, length);
    }
    assertEquals([...subject.text(0, ref)], [0, 0, 0, 0, 0]);
    subject.store.check();
  }
});

Deno.test("an append of one byte to a long string does not copy it each time", () => {
  const subject = new Subject(new SeededRandom(1), 1);
  const db = subject.db(0);
  let ref = subject.set(0, "long", new Uint8Array(100_000));
  const bodies = new Set<number>();
  for (let i = 1; i <= 50_000; i++) {
    ref = db.resizeString(ref, 100_000 + i);
    bodies.add(db.bodyOf(ref));
  }
  assert(bodies.size <= 2);
});

Deno.test("an expired key is announced once, while its name can still be read, and then gone", () => {
  const subject = new Subject(new SeededRandom(1), 1);
  for (const length of [3, 70000]) {
    for (const name of ["short", "l".repeat(5000)]) {
      subject.set(0, name, new Uint8Array(length), subject.store.nowMs + 10);
      subject.store.setTime(subject.store.nowMs + 9);
      assert(subject.find(0, name) !== 0);
      subject.store.setTime(subject.store.nowMs + 1);
      assertEquals(subject.find(0, name), 0);
      assertEquals(subject.find(0, name), 0);
      subject.check();
    }
  }
  assertEquals(subject.store.expired, 4);
  subject.end();
});

Deno.test("nothing expires while expiry is held", () => {
  const subject = new Subject(new SeededRandom(1), 1);
  const key = encoder.encode("k");
  subject.set(0, "k", new Uint8Array(3), START + 10);
  subject.store.setTime(START + 100);
  subject.store.expiryMode = ExpiryMode.KEEP;
  assert(subject.db(0).find(key, 0, 1) !== 0);
  subject.store.expiryMode = ExpiryMode.DELETE;
  assertEquals(subject.db(0).find(key, 0, 1), 0);
});

Deno.test("a cleared database is empty at once, and its values are freed in slices", () => {
  const subject = new Subject(new SeededRandom(1), 1);
  const db = subject.db(0), { store } = subject;
  for (let i = 0; i < 20000; i++) {
    const name = encoder.encode(`k${i}`);
    if (i % 2) subject.set(0, `k${i}`, new Uint8Array(i % 1000 === 1 ? 70000 : 10), i % 3 ? NEVER : START + 1000);
    else db.add(name, 0, name.length, Type.LIST, Encoding.QUICKLIST, subject.chains.create([i, i, i]));
  }
  // A value that is itself freed in slices.
  const big = encoder.encode("big");
  db.add(big, 0, 3, Type.LIST, Encoding.QUICKLIST, subject.chains.create(new Array(10000).fill(1)));
  subject.model[0].clear();
  db.clear();
  assertEquals(db.size, 0);
  assertEquals(db.expiresSize, 0);
  assert(store.garbagePending);
  subject.set(0, "k1", new Uint8Array(5));
  let slices = 0;
  for (; store.garbagePending; slices++) {
    const before = store.arena.blockCount;
    store.reclaim(500);
    // A budget counts keys, and the keys of one segment are freed together; here each has up to four blocks.
    assert(before - store.arena.blockCount < 4 * (500 + 870) + 600);
  }
  assert(slices > 20);
  subject.end();
});

Deno.test("several large values and cleared databases wait for their freeing together", () => {
  const subject = new Subject(new SeededRandom(1));
  for (let round = 0; round < 3; round++) {
    for (let index = 0; index < 3; index++) {
      for (let i = 0; i < 3; i++) {
        const name = encoder.encode(`big${i}`);
        const body = subject.chains.create(new Array(3000).fill(i));
        subject.db(index).add(name, 0, name.length, Type.LIST, Encoding.QUICKLIST, body);
      }
      assert(subject.db(index).remove(encoder.encode("big0"), 0, 4));
      subject.db(index).clear();
      subject.store.reclaim(100);
    }
  }
  for (let slices = 0; subject.store.garbagePending; slices++) {
    assert(slices < 2000);
    subject.store.reclaim(100);
  }
  subject.end();
});

Deno.test("adding a key that exists is an error of ours", () => {
  const subject = new Subject(new SeededRandom(1), 1);
  subject.set(0, "k", new Uint8Array(1));
  const body = subject.chains.create([1]);
  const key = encoder.encode("k");
  assertThrows(() => subject.db(0).add(key, 0, 1, Type.LIST, Encoding.QUICKLIST, body), InvariantError);
});

Deno.test("reading counts hits and misses, finding does not", () => {
  const subject = new Subject(new SeededRandom(1), 1);
  const { store } = subject, db = subject.db(0), key = encoder.encode("k");
  assertEquals(db.lookup(key, 0, 1), 0);
  subject.set(0, "k", new Uint8Array(1));
  assert(db.lookup(key, 0, 1) !== 0);
  db.find(key, 0, 1);
  db.lookupWrite(key, 0, 1);
  assertEquals([store.hits, store.misses], [1, 1]);
});

Deno.test("an access time is set by writing, moved by reading, and wraps after half a year", () => {
  const subject = new Subject(new SeededRandom(1), 1);
  const { store } = subject, db = subject.db(0), key = encoder.encode("k");
  const ref = subject.set(0, "k", new Uint8Array(1));
  assertEquals(store.idleSeconds(ref), 0);
  store.setTime(START + 90_500);
  assertEquals(store.idleSeconds(ref), 90);
  db.find(key, 0, 1);
  assertEquals(store.idleSeconds(ref), 90);
  store.holdClocks = true;
  db.lookup(key, 0, 1);
  assertEquals(store.idleSeconds(ref), 90);
  store.holdClocks = false;
  db.lookup(key, 0, 1);
  assertEquals(store.idleSeconds(ref), 0);
  for (const seconds of [0, 1, 5000, 2 ** 24 - 1]) {
    store.setIdle(ref, seconds);
    assertEquals(store.idleSeconds(ref), seconds);
  }
  assertEquals(db.typeOf(ref), Type.STRING);
  store.setTime(START + 100_000 + 2 ** 24 * 1000);
  db.setDeadline(ref, NEVER);
  store.touch(ref);
  store.setTime(store.nowMs + 7000);
  assertEquals(store.idleSeconds(ref), 7);
});

Deno.test("a frequency starts at 5, grows ever more rarely, decays by the minute and stays below 256", () => {
  const subject = new Subject(new SeededRandom(1), 1);
  const { store } = subject, db = subject.db(0), key = encoder.encode("k");
  store.frequencies = true;
  const ref = subject.set(0, "k", new Uint8Array(1));
  assertEquals(store.frequency(ref), 5);
  db.lookup(key, 0, 1);
  assertEquals(store.frequency(ref), 6);
  let last = 6, steps = 0;
  for (let i = 0; i < 100_000; i++) {
    db.lookup(key, 0, 1);
    if (store.frequency(ref) > last) steps++;
    last = store.frequency(ref);
  }
  // With a factor of 10, a hundred thousand reads give a counter of about 142.
  assert(last > 110 && last < 175, `frequency ${last}`);
  assertEquals(steps, last - 6);
  store.setTime(START + 60_000 * 10);
  assertEquals(store.frequency(ref), last - 10);
  store.lfuDecayMinutes = 5;
  assertEquals(store.frequency(ref), last - 2);
  store.lfuDecayMinutes = 0;
  assertEquals(store.frequency(ref), last);
  store.lfuDecayMinutes = 1;
  store.setTime(START + 60_000 * 1000);
  assertEquals(store.frequency(ref), 0);
  store.lfuLogFactor = 0;
  for (let i = 0; i < 300; i++) db.lookup(key, 0, 1);
  assertEquals(store.frequency(ref), 255);
  store.setFrequency(ref, 42);
  assertEquals(store.frequency(ref), 42);
  assertEquals(db.typeOf(ref), Type.STRING);
  assertEquals(db.encodingOf(ref), Encoding.AUTO);
});

Deno.test("moving keeps the clock, copying starts it anew", () => {
  const subject = new Subject(new SeededRandom(1), 2);
  const { store } = subject, name = encoder.encode("to");
  const ref = subject.set(0, "from", new Uint8Array(9), START + 1e6);
  store.setTime(START + 50_000);
  const copy = subject.db(0).copyTo(ref, subject.db(1), name, 0, 2);
  assertEquals(store.idleSeconds(copy), 0);
  subject.db(1).unlink(copy);
  const moved = subject.db(0).moveTo(ref, subject.db(1), name, 0, 2);
  assertEquals(store.idleSeconds(moved), 50);
  assertEquals(subject.db(1).deadlineOf(moved), START + 1e6);
  store.check();
});

Deno.test("the size of a key counts its record and its value", () => {
  const subject = new Subject(new SeededRandom(1), 1);
  const db = subject.db(0);
  assertEquals(db.sizeBytes(subject.set(0, "k".repeat(16), new Uint8Array(32)), 0), 56);
  assertEquals(db.sizeBytes(subject.set(0, "long", new Uint8Array(100_000)), 0), 16 + 25 * 4096);
  const key = encoder.encode("chain");
  const ref = db.add(key, 0, 5, Type.LIST, Encoding.QUICKLIST, subject.chains.create([1, 2, 3]));
  assertEquals(db.sizeBytes(ref, 0), 24 + 3 * BLOCK_BYTES);
});

Deno.test("a string of any size takes at most 12 % more than its bytes, whether it is set or grows", () => {
  const subject = new Subject(new SeededRandom(1), 1);
  const db = subject.db(0), bytes = new Uint8Array(64 << 20);
  // Header, key and length, and up to one granule of rounding for a short one.
  const overhead = 24;
  const assertTight = (ref: RecordRef, size: number, how: string) => {
    const taken = db.sizeBytes(ref, 0);
    assert(taken <= overhead + size * 1.12, `a string of ${size} bytes takes ${taken} when ${how}`);
  };
  const sizes: number[] = [];
  for (let size = 1; size <= 600; size++) sizes.push(size);
  for (let size = 601; size <= 64 << 20; size = Math.floor(size * 1.12) + 1) sizes.push(size);
  for (let size = 4096; size <= 64 << 20; size *= 4) sizes.push(size - 1, size, size + 1);
  for (const size of sizes) assertTight(subject.set(0, "k", bytes.subarray(0, size)), size, "set");
  for (const step of [1000, 70_000, 300_001]) {
    let ref = subject.set(0, "k", bytes.subarray(0, 1));
    for (let size = 1 + step; size < 50 * step; size += step) {
      ref = db.resizeString(ref, size);
      assertTight(ref, size, "it grows");
    }
  }
});

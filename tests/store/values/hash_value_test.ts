/**
 * The hash compared with a Map, in all four encodings and every conversion between them, with the clock held, under
 * several limits.
 */
import { assert, assertEquals } from "@std/assert";
import { fromLatin1, latin1 } from "../../../src/core/bytes.ts";
import { SeededRandom } from "../../../src/core/random.ts";
import { HashValue } from "../../../src/store/values/hash_value.ts";
import { Encoding, ExpiryMode, NEVER, Type } from "../../../src/store/keyspace.ts";
import { Store } from "../../../src/store/store.ts";
import { oneIn, pick, property } from "../../helpers/property.ts";
import { NONE, type RecordRef } from "../../../src/store/memory/arena.ts";

const KEY = fromLatin1("hash"), COPY = fromLatin1("copy");

interface Field {
  value: string;
  deadline: number;
}

/** A store with one hash, and the Map that it must equal. */
class Subject {
  readonly store: Store;
  readonly hash: HashValue;
  readonly model = new Map<string, Field>();
  readonly seen = new Set<number>();
  nowMs = 1_000_000;
  #ref: RecordRef = NONE;

  constructor(maxEntries: number, maxValueBytes: number) {
    this.store = new Store({ databases: 1, random: new SeededRandom(1) });
    this.store.setTime(this.nowMs);
    this.hash = new HashValue(this.store);
    this.hash.maxPackedEntries = maxEntries;
    this.hash.maxPackedValueBytes = maxValueBytes;
    this.store.register(Type.HASH, this.hash);
  }

  get exists(): boolean {
    return this.#ref !== 0;
  }

  /** Runs a write on the hash as a command does: creates it if missing, deletes it if empty. */
  write(change: (hash: HashValue) => void): void {
    const { hash } = this;
    const db = this.store.databases[0];
    if (this.#ref === 0) hash.create();
    else hash.open(db.encodingOf(this.#ref), db.bodyOf(this.#ref));
    change(hash);
    if (this.#ref === 0) this.#ref = db.add(KEY, 0, KEY.length, Type.HASH, hash.encoding, hash.body);
    db.keep(this.#ref, hash.encoding, hash.body, hash.count(hash.encoding, hash.body));
    db.indexFields(this.#ref);
    this.seen.add(hash.encoding);
    if (hash.count(hash.encoding, hash.body) > 0) return;
    db.unlink(this.#ref);
    this.#ref = NONE;
  }

  /** Runs a read. */
  read(look: (hash: HashValue) => void): void {
    const db = this.store.databases[0];
    this.hash.open(db.encodingOf(this.#ref), db.bodyOf(this.#ref));
    look(this.hash);
  }

  set(name: string, value: string, keepDeadline: boolean): void {
    const field = fromLatin1(name), bytes = fromLatin1(value);
    this.write((hash) => {
      assertEquals(hash.find(field, 0, field.length), this.model.has(name), name);
      hash.set(field, 0, field.length, bytes, 0, bytes.length, keepDeadline);
      assert(hash.find(field, 0, field.length));
      assertEquals(valueOf(hash), value);
    });
    const deadline = keepDeadline ? this.model.get(name)?.deadline ?? NEVER : NEVER;
    this.model.set(name, { value, deadline });
  }

  remove(name: string): void {
    const field = fromLatin1(name);
    if (!this.exists) return;
    this.write((hash) => {
      const found = hash.find(field, 0, field.length);
      assertEquals(found, this.model.delete(name));
      if (found) hash.remove();
    });
  }

  setDeadline(name: string, deadline: number): void {
    const field = fromLatin1(name);
    if (!this.exists) return;
    this.write((hash) => {
      if (deadline !== NEVER) hash.allowDeadlines();
      if (!hash.find(field, 0, field.length)) return;
      const old = this.model.get(name)!;
      assertEquals(hash.deadline, old.deadline);
      if (deadline === NEVER && old.deadline === NEVER) return;
      hash.setDeadline(deadline);
      old.deadline = deadline;
    });
  }

  /** Moves the clock; the model deletes expired fields at once. */
  advance(ms: number): void {
    this.nowMs += ms;
    this.store.setTime(this.nowMs);
    for (const [name, { deadline }] of this.model) {
      if (deadline !== NEVER && deadline <= this.nowMs) this.model.delete(name);
    }
  }

  expire(limit: number): void {
    if (!this.exists) return;
    this.write((hash) => {
      let last = 0, visits = 0;
      const before = hash.count(hash.encoding, hash.body);
      const count = hash.expire(limit, () => {
        assert(!this.model.has(latin1(hash.fieldBytes, hash.fieldStart, hash.fieldEnd)));
        assert(hash.deadline >= last && hash.deadline <= this.nowMs);
        last = hash.deadline;
        visits++;
      });
      assertEquals([visits, before - hash.count(hash.encoding, hash.body)], [count, count]);
      assert(count <= limit);
      if (count < limit) assertEquals(hash.count(hash.encoding, hash.body), this.model.size);
    });
  }

  check(): void {
    this.store.check();
    if (!this.exists) {
      assertEquals(this.model.size, 0);
      return;
    }
    this.read((hash) => {
      assertEquals(hash.length, this.model.size);
      assertSame(contents(hash), this.model);
      for (const [name, { value, deadline }] of this.model) {
        const field = fromLatin1(name);
        assert(hash.find(field, 0, field.length), name);
        assertEquals([valueOf(hash), hash.deadline], [value, deadline]);
      }
      if (this.model.size === 0) return;
      for (let i = 0; i < 5; i++) {
        hash.readRandom(this.store.random);
        assert(this.model.has(latin1(hash.fieldBytes, hash.fieldStart, hash.fieldEnd)));
      }
    });
  }

  /** A copy has the same fields and shares no memory with the original. */
  checkCopy(): void {
    if (!this.exists) return;
    const db = this.store.databases[0];
    const ref = db.copyTo(this.#ref, db, COPY, 0, COPY.length);
    this.store.check();
    this.hash.open(db.encodingOf(ref), db.bodyOf(ref));
    assertSame(contents(this.hash), this.model);
    db.unlink(ref);
  }

  end(): void {
    this.check();
    this.checkCopy();
    if (this.exists) this.store.databases[0].unlink(this.#ref);
    this.store.check();
    assertEquals(this.store.arena.blockCount, 6);
  }
}

function valueOf(hash: HashValue): string {
  const text = latin1(hash.bytes, hash.start, hash.end);
  if (hash.view !== undefined) {
    const { buffer, byteOffset } = hash.view;
    assertEquals(latin1(new Uint8Array(buffer, byteOffset + hash.start, hash.end - hash.start)), text);
  }
  return text;
}

function contents(hash: HashValue): Map<string, Field> {
  const found = new Map<string, Field>();
  hash.each(() => {
    const name = latin1(hash.fieldBytes, hash.fieldStart, hash.fieldEnd);
    assert(!found.has(name), "a field was visited twice");
    found.set(name, { value: valueOf(hash), deadline: hash.deadline });
  });
  return found;
}

function assertSame(actual: Map<string, Field>, expected: Map<string, Field>): void {
  assertEquals(actual.size, expected.size);
  for (const [name, field] of expected) assertEquals(actual.get(name), field, name);
}

function randomText(random: SeededRandom, long: boolean): string {
  switch (random.below(7)) {
    case 0:
      return String(long ? random.below(2 ** 32) - 2 ** 31 : random.below(2 ** 20) - 2 ** 19);
    case 1:
      return long
        ? pick(random, ["9223372036854775807", "-9223372036854775808", "9007199254740993"])
        : pick(random, ["00", "-0", "", "0"]);
    case 2:
      return "v".repeat(random.below(long ? 70 : 9));
    case 3:
      if (!long) return "m".repeat(8);
      // Near the limit for storage in a page.
      if (oneIn(random, 3)) return "p".repeat(115 + random.below(15));
      return oneIn(random, 10) ? "l".repeat(pick(random, [5000, 65_535, 65_536, 200_000])) : "m".repeat(100);
    default:
      return String(random.below(1000));
  }
}

Deno.test("a hash behaves like a Map under all writes, in every encoding", () =>
  property(40, (random, seed) => {
    const subject = new Subject(pick(random, [0, 4, 32, 512]), pick(random, [8, 64, 1000]));
    const names = pick(random, [6, 40, 1500]);
    const grain = pick(random, [1, 1000]);
    const long = seed % 3 === 0, deadlines = !oneIn(random, 4);
    const name = () => long && oneIn(random, 30) ? "n".repeat(random.below(5000)) : `f${random.below(names)}`;
    /** Mostly an existing field: random names from a large range would hardly ever exist. */
    const known = () => oneIn(random, 4) || subject.model.size === 0 ? name() : pick(random, [...subject.model.keys()]);
    let growing = true;
    for (let i = 0; i < 1200; i++) {
      if (oneIn(random, 200)) growing = !growing;
      const dice = random.below(100);
      if (dice < (growing ? 50 : 15)) subject.set(name(), randomText(random, long), random.below(2) === 0);
      else if (dice < 65) subject.remove(growing ? name() : known());
      else if (dice < 90 && deadlines) {
        const soon = subject.nowMs + 1 + random.below(oneIn(random, 5) ? 5 : 5000);
        // Equal values are frequent.
        subject.setDeadline(known(), oneIn(random, 4) ? NEVER : Math.ceil(soon / grain) * grain);
      } else if (dice < 95) subject.expire(1 + random.below(8));
      else if (deadlines) subject.advance(random.below(oneIn(random, 10) ? 3000 : 50));
      if (oneIn(random, 100)) subject.check();
      if (oneIn(random, 300)) subject.checkCopy();
    }
    subject.end();
  }));

Deno.test("every encoding is reached, and none is left but for the next", () => {
  const subject = new Subject(8, 64);
  for (let i = 0; i < 8; i++) subject.set(`f${i}`, "v", false);
  subject.setDeadline("f3", subject.nowMs + 5);
  for (let i = 8; i < 10; i++) subject.set(`f${i}`, "v", false);
  assertEquals([...subject.seen], [Encoding.LISTPACK, Encoding.LISTPACK_EX, Encoding.HASHTABLE_EX]);
  subject.end();
  const large = new Subject(8, 64);
  large.set("f", "v".repeat(65), false);
  large.setDeadline("f", large.nowMs + 5);
  assertEquals([...large.seen], [Encoding.HASHTABLE, Encoding.HASHTABLE_EX]);
  large.end();
});

Deno.test("while expiry is held nothing expires", () => {
  for (const entries of [0, 8]) {
    const subject = new Subject(entries, 64);
    subject.set("a", "1", false);
    subject.setDeadline("a", subject.nowMs + 5);
    subject.store.expiryMode = ExpiryMode.KEEP;
    subject.store.setTime(subject.nowMs + 5);
    subject.read((hash) => {
      assertEquals(hash.length, 1);
      assert(hash.find(fromLatin1("a"), 0, 1));
      assertEquals(hash.expire(9, () => {}), 0);
    });
    subject.store.expiryMode = ExpiryMode.DELETE;
    subject.read((hash) => {
      assertEquals(hash.length, 0);
      assert(!hash.find(fromLatin1("a"), 0, 1));
    });
  }
});

/** A large hash of `count` fields, every third of which has a deadline. */
function largeHash(count: number): Subject {
  const subject = new Subject(0, 64);
  for (let i = 0; i < count; i++) subject.set(`f${i}`, `v${i}`, false);
  for (let i = 0; i < count; i += 3) subject.setDeadline(`f${i}`, subject.nowMs + 1 + i);
  return subject;
}

Deno.test("a scan meets every field that stays, while fields come, go, expire and change", () =>
  property(10, (random) => {
    const subject = largeHash(200);
    // The remaining fields may get and lose deadlines, and get long and short values.
    const stay = [...subject.model.keys()].filter((_, i) => i % 2 === 1);
    for (const name of stay) subject.setDeadline(name, NEVER);
    const seen = new Set<string>();
    let cursor = 0, calls = 0;
    do {
      subject.read((hash) => {
        cursor = hash.scan(cursor, 1 + random.below(20), () => {
          const name = latin1(hash.fieldBytes, hash.fieldStart, hash.fieldEnd);
          assertEquals(valueOf(hash), subject.model.get(name)?.value, name);
          seen.add(name);
        });
      });
      const growing = random.below(2) === 0;
      for (let i = 0; i < 100; i++) {
        if (growing) subject.set(`c${random.below(1000)}`, randomText(random, oneIn(random, 10)), false);
        else subject.remove(`c${random.below(1000)}`);
      }
      for (let i = 0; i < 10; i++) {
        const name = pick(random, stay);
        if (oneIn(random, 3)) subject.set(name, randomText(random, true), true);
        else subject.setDeadline(name, oneIn(random, 2) ? NEVER : subject.nowMs + 1e6);
      }
      subject.advance(5);
      subject.expire(10);
      assert(++calls < 10_000);
    } while (cursor !== 0);
    for (const name of stay) assert(seen.has(name), name);
    subject.end();
  }));

Deno.test("every field is as likely as every other, with and without deadlines, be most of them expired or not", () => {
  for (const [fields, advance] of [[60, 0], [60, 30], [3000, 0], [3000, 2990], [9000, 1e6]]) {
    const subject = largeHash(fields);
    subject.advance(advance);
    // If nearly all fields are expired, random tries find no live one.
    if (advance === 1e6) {
      for (const name of [...subject.model.keys()].slice(3)) {
        subject.setDeadline(name, subject.nowMs + 1);
      }
      subject.advance(5);
      assertEquals(subject.model.size, 3);
    }
    const counts = new Map<string, number>(), numbers = new Map<string, number>();
    for (const name of subject.model.keys()) counts.set(name, 0);
    const size = counts.size, mean = 100;
    subject.read((hash) => {
      for (let i = 0; i < mean * size; i++) {
        const number = hash.readRandom(subject.store.random);
        const name = latin1(hash.fieldBytes, hash.fieldStart, hash.fieldEnd);
        assertEquals(numbers.get(name) ?? number, number);
        numbers.set(name, number);
        counts.set(name, counts.get(name)! + 1);
      }
    });
    assertEquals(new Set(numbers.values()).size, numbers.size);
    let chiSquare = 0;
    for (const count of counts.values()) chiSquare += (count - mean) ** 2 / mean;
    // Its mean is size - 1 and its variance twice that.
    assert(chiSquare <= size - 1 + 6 * Math.sqrt(2 * size), `size ${size}: chi-square ${chiSquare}`);
  }
});

Deno.test("a field that loses its deadline takes no more than one that had none", () => {
  const subject = new Subject(0, 64);
  for (let i = 0; i < 1000; i++) subject.set(`f${i}`, "value", false);
  subject.setDeadline("f0", subject.nowMs + 1);
  subject.setDeadline("f0", NEVER);
  const { arena } = subject.store;
  const bytes = arena.usedBytes;
  for (let i = 0; i < 1000; i++) subject.setDeadline(`f${i}`, subject.nowMs + 1 + i);
  assert(arena.usedBytes > bytes * 1.5);
  for (let i = 0; i < 1000; i++) subject.setDeadline(`f${i}`, NEVER);
  assert(arena.usedBytes < bytes * 1.2, `${bytes} bytes became ${arena.usedBytes}`);
  subject.end();
});

Deno.test("a large hash is freed in slices", () => {
  const subject = new Subject(0, 64);
  subject.write((hash) => {
    for (let i = 0; i < 50_000; i++) {
      const field = fromLatin1(`field${i}`);
      hash.find(field, 0, field.length);
      hash.set(field, 0, field.length, field, 0, field.length);
    }
    hash.allowDeadlines();
    for (let i = 0; i < 20_000; i++) {
      const field = fromLatin1(`field${i}`);
      assert(hash.find(field, 0, field.length));
      hash.setDeadline(subject.nowMs + 1 + i);
    }
  });
  const { store } = subject;
  const db = store.databases[0];
  db.unlink(db.find(KEY, 0, KEY.length));
  let slices = 0;
  for (; store.garbageCount > 0; slices++) {
    const before = store.arena.blockCount;
    store.reclaim(500);
    assert(before - store.arena.blockCount < 500 + 870 + 10);
  }
  assert(slices > 30);
  store.check();
  assertEquals(store.arena.blockCount, 6);
});

Deno.test("sizes are those of the blocks", () =>
  property(4, (random) => {
    const subject = new Subject(pick(random, [0, 8]), 64);
    const empty = subject.store.arena.usedBytes;
    for (let i = 0; i < 300; i++) subject.set(`f${i}`, "x".repeat(random.below(100)), false);
    subject.set("long", "x".repeat(100_000), false);
    for (let i = 0; i < 100; i++) subject.setDeadline(`f${i}`, subject.nowMs + 5);
    subject.read((hash) => {
      const record = subject.store.arena.roundUp(12 + KEY.length);
      assertEquals(hash.sizeBytes(hash.encoding, hash.body, 0) + record, subject.store.arena.usedBytes - empty);
    });
  }));

/**
 * The dictionary compared with a Map: growth, shrinking, SCAN's guarantees, uniform random choice, and no leaks in the
 * arena.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { InvariantError } from "../../../src/core/assert.ts";
import { SeededRandom } from "../../../src/core/random.ts";
import { Arena, CHUNK_SHIFT, type RecordRef } from "../../../src/store/memory/arena.ts";
import { Dict } from "../../../src/store/blocks/dict.ts";
import { hashBytes } from "../../../src/core/hash_function.ts";
import { createRecord, keyLength, keyStart } from "../../../src/store/blocks/record.ts";
import { oneIn, property } from "../../helpers/property.ts";

const encoder = new TextEncoder();

/** A dictionary of text keys, and the Map that it must equal. */
class Subject {
  readonly arena = new Arena();
  readonly dict = new Dict(this.arena);
  readonly model = new Map<string, RecordRef>();
  head = this.dict.create();
  readonly #keys: string[] = [];
  readonly #place = new Map<string, number>();

  hash(key: string): number {
    const bytes = encoder.encode(key);
    return hashBytes(bytes, 0, bytes.length);
  }

  find(key: string): RecordRef {
    const bytes = encoder.encode(key);
    return this.dict.find(this.head, bytes, 0, bytes.length, hashBytes(bytes, 0, bytes.length));
  }

  insert(key: string): void {
    const bytes = encoder.encode(key);
    const hash = hashBytes(bytes, 0, bytes.length);
    assertEquals(this.dict.find(this.head, bytes, 0, bytes.length, hash), 0);
    const ref = createRecord(this.arena, 0, bytes, 0, bytes.length, 0);
    this.dict.insert(this.head, hash, ref);
    this.model.set(key, ref);
    this.#place.set(key, this.#keys.length);
    this.#keys.push(key);
  }

  /** Removes an existing key, located by `find` or by `locate`. */
  remove(key: string, byIdentity: boolean): void {
    const ref = this.model.get(key)!;
    if (byIdentity) assert(this.dict.locate(this.head, this.hash(key), ref));
    else assertEquals(this.find(key), ref);
    this.dict.remove(this.head);
    this.arena.free(ref);
    this.model.delete(key);
    const at = this.#place.get(key)!, last = this.#keys.pop()!;
    this.#place.delete(key);
    if (last !== key) {
      this.#keys[at] = last;
      this.#place.set(last, at);
    }
  }

  /** Replaces the record of a key by another one. */
  replace(key: string, byIdentity: boolean): void {
    const bytes = encoder.encode(key), old = this.model.get(key)!;
    const ref = createRecord(this.arena, 0, bytes, 0, bytes.length, 3);
    if (byIdentity) assert(this.dict.locate(this.head, this.hash(key), old));
    else assertEquals(this.find(key), old);
    this.dict.replace(ref);
    this.arena.free(old);
    this.model.set(key, ref);
  }

  anyKey(random: SeededRandom): string {
    return this.#keys[random.below(this.#keys.length)];
  }

  keyOf(ref: RecordRef): string {
    const start = keyStart(this.arena, ref);
    const bytes = this.arena.u8[ref >>> CHUNK_SHIFT].subarray(start, start + keyLength(this.arena, ref));
    return new TextDecoder().decode(bytes);
  }

  check(): void {
    assertEquals(this.dict.count(this.head), this.model.size);
    const reached = new Set<number>(), seen = new Set<number>();
    this.dict.check(this.head, reached, (ref) => seen.add(ref));
    assertEquals(seen.size, this.model.size);
    for (const ref of this.model.values()) assert(seen.has(ref), "a record is missing");
    for (const ref of seen) reached.add(ref);
    assertEquals(this.arena.check().size, reached.size);
    const each = new Set<number>();
    this.dict.each(this.head, (ref) => each.add(ref));
    assertEquals(each.size, this.model.size);
  }

  /** Removes everything and checks that the arena is empty. */
  end(): void {
    for (const key of [...this.model.keys()]) this.remove(key, false);
    this.check();
    assertEquals(this.dict.slotCount(this.head), 16);
    this.dict.destroy(this.head);
    assertEquals(this.arena.check().size, 0);
  }
}

Deno.test("a dictionary behaves like a Map under random insertion, removal and replacement", async () => {
  await property(25, (random) => {
    const subject = new Subject();
    const space = [20, 300, 5000][random.below(3)];
    let growing = true;
    for (let step = 0; step < 6000; step++) {
      if (step % 1500 === 0) growing = !oneIn(random, 3);
      const key = `k${random.below(space)}`;
      if (!subject.model.has(key)) {
        assertEquals(subject.find(key), 0);
        assert(!subject.dict.locate(subject.head, subject.hash(key), 8 as RecordRef));
        if (growing || oneIn(random, 3)) subject.insert(key);
      } else {
        assertEquals(subject.find(key), subject.model.get(key));
        const kind = random.below(growing ? 8 : 3);
        if (kind < 2) subject.remove(key, kind === 0);
        else if (kind < 4) subject.replace(key, kind === 2);
      }
      if (step % 97 === 0 && space < 1000) subject.check();
    }
    subject.check();
    subject.end();
  });
});

Deno.test("keys of length 0 and long keys are found like all others", () => {
  const subject = new Subject();
  const keys = ["", "x", "é", "y".repeat(4094), "y".repeat(4095), "y".repeat(4096), "z".repeat(70000)];
  for (const key of keys) subject.insert(key);
  subject.check();
  for (const key of keys) assertEquals(subject.find(key), subject.model.get(key));
  subject.end();
});

Deno.test("a dictionary grows to 200 000 keys through splits and doublings, and shrinks back to nothing", async () => {
  await property(1, (random) => {
    const subject = new Subject();
    const total = 200_000;
    const marks = new Set([13, 14, 870, 871, 1741, 5000, 50_000, total]);
    for (let i = 0; i < total; i++) {
      subject.insert(`key:${i}`);
      if (marks.has(i + 1)) subject.check();
    }
    const load = total / subject.dict.slotCount(subject.head);
    assert(load > 0.42 && load < 0.86, `load ${load}`);
    assert(subject.dict.sizeBytes(subject.head) < total * 20);
    while (subject.model.size > 0) {
      subject.remove(subject.anyKey(random), oneIn(random, 2));
      if (marks.has(subject.model.size)) {
        subject.check();
        // A segment without removals keeps its size, so shrinking lags by at most one segment's worth.
        assert(subject.dict.slotCount(subject.head) <= Math.max(2048, subject.model.size * 6));
      }
    }
    subject.end();
  });
});

/** Numbers whose keys fall into one region of hash space. */
function* keysWith(wanted: (hash: number) => boolean, subject: Subject): Generator<string> {
  for (let i = 0;; i++) if (wanted(subject.hash(`r${i}`))) yield `r${i}`;
}

Deno.test("removal closes gaps across the end of the table and around slot 0", async () => {
  await property(30, (random) => {
    const subject = new Subject();
    // A table of 16 slots takes its home slots from bits 7 to 10: only homes 14, 15, 0 and 1.
    const keys = keysWith((hash) => ((hash >>> 7) + 2 & 15) < 4, subject);
    for (let step = 0; step < 300; step++) {
      if (subject.model.size < 13 && (subject.model.size < 4 || oneIn(random, 2))) subject.insert(keys.next().value!);
      else subject.remove(subject.anyKey(random), oneIn(random, 2));
      subject.check();
    }
    subject.end();
  });
});

Deno.test("segments of different depths live side by side, split and merge", async () => {
  await property(2, (random) => {
    const subject = new Subject();
    const deep = keysWith((hash) => hash >>> 28 === 5, subject);
    for (let i = 0; i < 6000; i++) subject.insert(deep.next().value!);
    subject.check();
    assert(subject.dict.slotCount(subject.head) < 1024 * 30);
    for (let i = 0; i < 20000; i++) subject.insert(`wide${i}`);
    subject.check();
    // One side becomes nearly empty while the other stays full.
    for (const key of [...subject.model.keys()]) {
      if (subject.hash(key) >= 0 && !oneIn(random, 50)) subject.remove(key, oneIn(random, 2));
    }
    subject.check();
    for (const key of [...subject.model.keys()]) if (!oneIn(random, 20)) subject.remove(key, false);
    subject.check();
    subject.end();
  });
});

Deno.test("a scan of a dictionary at rest visits every record exactly once", () => {
  for (const size of [0, 1, 13, 14, 500, 871, 3000, 30000]) {
    const subject = new Subject();
    for (let i = 0; i < size; i++) subject.insert(`s${i}`);
    for (const count of [1, 10, 1000]) {
      const seen: number[] = [];
      let cursor = 0;
      do {
        const before = seen.length;
        cursor = subject.dict.scan(subject.head, cursor, count, (ref) => seen.push(ref));
        assert(cursor >= 0 && cursor < 2 ** 36 && Number.isInteger(cursor));
        assert(cursor === 0 || seen.length - before >= count);
        assert(seen.length - before < count + 870);
      } while (cursor !== 0);
      assertEquals(seen.length, size);
      assertEquals(new Set(seen).size, size);
    }
  }
});

Deno.test("a scan visits every key that stays from the first call to the last, through growth and shrinking", async () => {
  await property(12, (random) => {
    const subject = new Subject();
    const stable = new Set<string>();
    const initial = [5, 100, 2000, 20000][random.below(4)];
    for (let i = 0; i < initial; i++) {
      const key = `k${i}`;
      subject.insert(key);
      if (oneIn(random, 2 + random.below(30))) stable.add(key);
    }
    let next = initial, calls = 0, cursor = 0;
    const seen = new Set<string>();
    const count = 1 + initial / 50 + random.below(300);
    let churn = 0, growing = oneIn(random, 2);
    do {
      cursor = subject.dict.scan(subject.head, cursor, count, (ref) => seen.add(subject.keyOf(ref)));
      if (churn-- === 0) {
        growing = !growing;
        churn = random.below(12);
      }
      const changes = random.below(1500);
      for (let i = 0; i < changes; i++) {
        if (growing && subject.model.size < 30_000) {
          subject.insert(`k${next++}`);
        } else {
          if (stable.size === subject.model.size) break;
          const key = subject.anyKey(random);
          if (!stable.has(key)) subject.remove(key, false);
        }
      }
      assert(++calls < 1000, "a scan does not end");
    } while (cursor !== 0);
    for (const key of stable) assert(seen.has(key), `${key} was not visited`);
    subject.check();
  });
});

Deno.test("a scan's cursor survives every split and every merge back to the smallest size", async () => {
  await property(4, (random) => {
    const subject = new Subject();
    for (let i = 0; i < 40; i++) subject.insert(`stay${i}`);
    // Every order of growing and shrinking between the calls, by factors of up to a hundred.
    const seen = new Set<string>();
    let cursor = 0;
    do {
      const size = [0, 30, 900, 3000][random.below(4)];
      while (subject.model.size > 40 + size) {
        const key = subject.anyKey(random);
        if (!key.startsWith("stay")) subject.remove(key, true);
      }
      for (let i = 0; subject.model.size < 40 + size; i++) {
        if (!subject.model.has(`come${i}`)) subject.insert(`come${i}`);
      }
      const before = cursor;
      cursor = subject.dict.scan(subject.head, cursor, 10, (ref) => seen.add(subject.keyOf(ref)));
      assert(cursor === 0 || position(cursor) > position(before), "the scan went back");
    } while (cursor !== 0);
    for (let i = 0; i < 40; i++) assert(seen.has(`stay${i}`), `stay${i} was not visited`);
  });
});

/** A cursor without the depth between its two parts: the part that grows with every call. */
function position(cursor: number): number {
  return Math.floor(cursor / 2 ** 15) * 1024 + cursor % 1024;
}

Deno.test("a cursor that no scan returned does no harm", async () => {
  await property(3, (random) => {
    const subject = new Subject();
    for (let i = 0; i < random.below(5000); i++) subject.insert(`g${i}`);
    for (let i = 0; i < 300; i++) {
      let cursor = Math.floor(random.unit() * 2 ** (1 + random.below(53)));
      for (let calls = 0; calls < 3; calls++) {
        cursor = subject.dict.scan(subject.head, cursor, 5, (ref) => assert(ref !== 0));
        assert(cursor >= 0 && cursor < 2 ** 36);
        if (cursor === 0) break;
      }
    }
    subject.check();
  });
});

/** Chi-square of `draws` random choices against the uniform distribution, as standard deviations from its mean. */
function deviation(subject: Subject, random: SeededRandom, perKey: number): number {
  const hits = new Map<number, number>();
  const size = subject.model.size;
  for (let i = 0; i < size * perKey; i++) {
    const ref = subject.dict.random(subject.head, random);
    hits.set(ref, (hits.get(ref) ?? 0) + 1);
  }
  let chiSquare = 0;
  for (const ref of subject.model.values()) chiSquare += ((hits.get(ref) ?? 0) - perKey) ** 2 / perKey;
  return size === 1 ? 0 : (chiSquare - (size - 1)) / Math.sqrt(2 * (size - 1));
}

Deno.test("random chooses every record equally often, also where segments have different depths", async () => {
  await property(1, (random) => {
    for (const size of [1, 2, 7, 13, 100, 870, 1000, 6000]) {
      const subject = new Subject();
      for (let i = 0; i < size; i++) subject.insert(`u${i}`);
      // With few degrees of freedom the distribution has a long tail.
      assert(deviation(subject, random, 40) < (size < 50 ? 9 : 6), `${size} records`);
    }
    const subject = new Subject();
    for (let i = 0; i < 12000; i++) subject.insert(`u${i}`);
    for (const key of [...subject.model.keys()]) {
      if (subject.hash(key) >= 0 && !oneIn(random, 40)) subject.remove(key, false);
    }
    assert(deviation(subject, random, 40) < 6, "half of the hash space nearly empty");
    const deep = keysWith((hash) => hash >>> 29 === 3, subject);
    for (let i = 0; i < 3000; i++) subject.insert(deep.next().value!);
    assert(deviation(subject, random, 40) < 6, "an eighth of the hash space crowded");
    subject.check();
  });
});

Deno.test("a random record of an empty dictionary is an error of ours", () => {
  const subject = new Subject();
  assertThrows(() => subject.dict.random(subject.head, new SeededRandom(1)), InvariantError);
});

Deno.test("a dictionary drains in slices of about the budget, and leaves nothing", async () => {
  await property(3, (random) => {
    for (const size of [0, 1, 13, 871, 20000]) {
      const subject = new Subject();
      for (let i = 0; i < size; i++) subject.insert(`d${i}`);
      const budget = 1 + random.below(3000);
      const released = new Set<number>();
      let head = subject.head, slices = 0;
      while (head !== 0) {
        const before = released.size;
        head = subject.dict.drain(head, budget, (ref) => {
          assert(!released.has(ref));
          released.add(ref);
          subject.arena.free(ref);
        });
        assert(released.size - before <= budget + 870);
        assert(++slices < 1000);
      }
      assertEquals(released.size, size);
      assertEquals(subject.arena.check().size, 0);
      assert(slices <= 1 + size / budget);
    }
  });
});

Deno.test("several dictionaries share one engine, but neither their registers' records nor their counts", async () => {
  await property(2, (random) => {
    const arena = new Arena(), dict = new Dict(arena);
    const heads = [dict.create(), dict.create(), dict.create()];
    const models = heads.map(() => new Map<string, number>());
    for (let step = 0; step < 8000; step++) {
      const which = random.below(3), key = `m${random.below(2500)}`, bytes = encoder.encode(key);
      const hash = hashBytes(bytes, 0, bytes.length);
      const ref = dict.find(heads[which], bytes, 0, bytes.length, hash);
      assertEquals(ref, models[which].get(key) ?? 0);
      if (ref === 0) {
        const record = createRecord(arena, 0, bytes, 0, bytes.length, 0);
        dict.insert(heads[which], hash, record);
        models[which].set(key, record);
      } else if (oneIn(random, 3)) {
        dict.remove(heads[which]);
        arena.free(ref);
        models[which].delete(key);
      }
    }
    const reached = new Set<number>();
    heads.forEach((head, i) => {
      assertEquals(dict.count(head), models[i].size);
      dict.check(head, reached, (ref) => reached.add(ref));
    });
    assertEquals(arena.check().size, reached.size);
  });
});

/** Sorted sets of both encodings compared with a map, and their memory in the arena. */
import { assert, assertEquals } from "@std/assert";
import { fromLatin1, latin1 } from "../../../src/core/bytes.ts";
import { SeededRandom } from "../../../src/core/random.ts";
import { Encoding, type Keyspace, Type } from "../../../src/store/keyspace.ts";
import { SortedSet } from "../../../src/store/values/sorted_set.ts";
import { Store } from "../../../src/store/store.ts";
import { oneIn, pick, property } from "../../helpers/property.ts";
import { NONE, type RecordRef } from "../../../src/store/memory/arena.ts";

const KEY = fromLatin1("key");

/** A store with one sorted set, at first empty and without a key. */
class Fixture {
  readonly store: Store;
  readonly db: Keyspace;
  readonly set: SortedSet;
  #ref: RecordRef = NONE;

  constructor(random: SeededRandom) {
    this.store = new Store({ databases: 1, random });
    this.set = new SortedSet(this.store.arena, this.store.dict);
    this.store.register(Type.ZSET, this.set);
    [this.db] = this.store.databases;
  }

  /** Opens the set, as a command does. */
  open(): SortedSet {
    this.#ref = this.db.find(KEY, 0, KEY.length);
    if (this.#ref === 0) this.set.create(0, 0);
    else this.set.open(this.db.encodingOf(this.#ref), this.db.bodyOf(this.#ref));
    return this.set;
  }

  /** Stores the open set back. */
  keep(): void {
    const { set, db } = this;
    if (this.#ref === 0) {
      this.#ref = db.add(KEY, 0, KEY.length, Type.ZSET, set.encoding, set.body);
    } else {
      db.keep(this.#ref, set.encoding, set.body, set.length);
    }
    if (set.length === 0) db.unlink(this.#ref);
  }
}

function memberOf(set: SortedSet): string {
  return latin1(set.bytes, set.start, set.end);
}

type Pair = readonly [string, number];

function sorted(model: Map<string, number>): Pair[] {
  return [...model].sort(([a, x], [b, y]) => x < y ? -1 : x > y ? 1 : a < b ? -1 : a > b ? 1 : 0);
}

/** All elements, read by `next` or, backwards, by `back`. */
function walk(set: SortedSet, backwards: boolean): Pair[] {
  const pairs: Pair[] = [];
  const { length } = set;
  set.seek(backwards ? length - 1 : 0);
  for (let i = 0; i < length; i++) {
    if (backwards) set.back();
    else set.next();
    pairs.push([memberOf(set), set.score]);
  }
  return backwards ? pairs.reverse() : pairs;
}

function randomScore(random: SeededRandom): number {
  if (oneIn(random, 15)) return pick(random, [Infinity, -Infinity, 0, 2 ** 52, 2 ** 52 + 1, -(2 ** 53), 1e300, 5e-324]);
  return oneIn(random, 2) ? random.below(40) - 20 : random.unit() - 0.5;
}

function randomMember(random: SeededRandom): string {
  if (oneIn(random, 400)) return "x".repeat(60 + random.below(6000));
  return oneIn(random, 2) ? String(random.below(400) - 200) : `m${random.below(300)}`;
}

for (const limit of [0, 20, 128]) {
  Deno.test(`a set with up to ${limit} packed elements behaves like a map`, () =>
    property(3, (random) => {
      const fixture = new Fixture(random);
      const { store } = fixture;
      fixture.set.maxPackedEntries = limit;
      const model = new Map<string, number>();
      for (let step = 0; step < 2500; step++) {
        const growing = step < 1500;
        const set = fixture.open();
        const member = growing || model.size === 0 || oneIn(random, 3)
          ? randomMember(random)
          : pick(random, [...model.keys()]);
        const bytes = fromLatin1(member);
        const old = model.get(member);
        assertEquals(set.find(bytes, 0, bytes.length), old !== undefined);
        if (old !== undefined) assertEquals(set.score, old);
        const score = randomScore(random);
        if (old === undefined && (growing || oneIn(random, 4))) {
          set.insert(score, bytes, 0, bytes.length);
          model.set(member, score);
        } else if (old !== undefined && oneIn(random, growing ? 3 : 2)) {
          set.remove();
          model.delete(member);
        } else if (old !== undefined) {
          set.rescore(score, bytes, 0, bytes.length);
          model.set(member, score);
        }
        if (!growing && oneIn(random, 200)) {
          const from = random.below(model.size + 1), count = random.below(Math.min(30, model.size - from) + 1);
          set.removeRange(from, count);
          for (const [gone] of sorted(model).slice(from, from + count)) model.delete(gone);
        }
        assertEquals(set.length, model.size);
        fixture.keep();
        if (step % 100 > 0) continue;
        const pairs = sorted(model);
        assertEquals(walk(fixture.open(), false), pairs);
        if (pairs.length > 0) assertEquals(walk(set, true), pairs);
        const bound = randomScore(random), after = oneIn(random, 2);
        const below = pairs.filter(([, own]) => own < bound || (after && own === bound)).length;
        assertEquals(set.rankOfScore(bound, after), below);
        if (below < pairs.length) {
          set.next();
          assertEquals(memberOf(set), pairs[below][0]);
        }
        const [some] = pairs;
        if (some !== undefined) {
          const text = fromLatin1(some[0]);
          assert(set.find(text, 0, text.length));
          assertEquals(set.foundRank(), 0);
          assertEquals(set.scoreIn(set.encoding, set.body, text, 0, text.length), some[1]);
        }
        const scanned = new Map<string, number>();
        let cursor = 0;
        do {
          cursor = set.scan(cursor, 10, (b, start, end, own) => scanned.set(latin1(b, start, end), own));
        } while (cursor !== 0);
        assertEquals(sorted(scanned), pairs);
        store.check();
        if (model.size > 0 && oneIn(random, 3)) {
          const ref = fixture.db.find(KEY, 0, KEY.length);
          const copy = fixture.db.copyTo(ref, fixture.db, fromLatin1("copy"), 0, 4);
          set.open(fixture.db.encodingOf(copy), fixture.db.bodyOf(copy));
          assertEquals(walk(set, false), pairs);
          store.check();
          fixture.db.unlink(copy);
        }
      }
      fixture.db.remove(KEY, 0, KEY.length);
      store.check();
    }));
}

Deno.test("elements leave a large set at either end in order, while others are added and removed", () =>
  property(2, (random) => {
    const fixture = new Fixture(random);
    const { set, store } = fixture;
    let next = 0;
    // Added members reuse the blocks of removed ones, and two sets take turns.
    const sets = [0, 1].map(() => {
      set.create(10_000, 9);
      return { body: set.body, model: new Map<string, number>() };
    });
    const add = (model: Map<string, number>, score: number) => {
      const member = `m${next++}`, bytes = fromLatin1(member);
      assert(!set.find(bytes, 0, bytes.length));
      set.insert(score, bytes, 0, bytes.length);
      model.set(member, score);
    };
    for (const { body, model } of sets) {
      set.open(Encoding.SKIPLIST, body);
      for (let i = 0; i < 6000; i++) add(model, random.below(3000));
    }
    for (let phase = 0; phase < 40; phase++) {
      const { body, model } = sets[random.below(2)];
      set.open(Encoding.SKIPLIST, body);
      const pairs = sorted(model), back = oneIn(random, 2);
      let popped = 0;
      for (let step = random.below(60); step > 0; step--) {
        const count = oneIn(random, 10) ? 1 + random.below(70) : 1;
        set.removeRange(back ? set.length - count : 0, count);
        for (let k = 0; k < count; k++, popped++) model.delete(pairs.at(back ? -1 - popped : popped)![0]);
        if (oneIn(random, 8)) {
          add(model, back ? -1 : 3001);
          if (oneIn(random, 3)) {
            add(model, random.below(3000));
            break;
          }
        }
      }
      for (let i = 0; i < popped; i++) add(model, random.below(3000));
      if (phase % 8 === 0) assertEquals(walk(set, false), sorted(model));
    }
    for (const { body, model } of sets) {
      set.open(Encoding.SKIPLIST, body);
      assertEquals(walk(set, true), sorted(model));
      store.freeBody(Type.ZSET, Encoding.SKIPLIST, body);
    }
  }));

Deno.test("elements collected in any order are sorted, and packed only where allowed", () =>
  property(10, (random) => {
    const fixture = new Fixture(random);
    const { set, store, db } = fixture;
    const count = random.below(pick(random, [20, 300])), compact = oneIn(random, 2);
    const model = new Map<string, number>();
    set.collect(compact, (add) => {
      for (let i = 0; i < count; i++) {
        const member = randomMember(random), bytes = fromLatin1(member);
        const score = random.below(10);
        add(bytes, 0, bytes.length, score);
        model.set(member, (model.get(member) ?? 0) + score);
      }
    }, (a, b) => a + b);
    assertEquals(walk(set, false), sorted(model));
    const longest = Math.max(0, ...[...model.keys()].map((member) => member.length));
    assertEquals(set.encoding === Encoding.LISTPACK, compact && model.size <= 128 && longest <= 64);
    db.add(KEY, 0, KEY.length, Type.ZSET, set.encoding, set.body);
    store.check();
  }));

Deno.test("a large set takes less than 60 bytes for a member of 16, and is freed in slices", () => {
  const { store, set } = new Fixture(new SeededRandom(1));
  const before = store.arena.usedBytes;
  const count = 100_000, random = new SeededRandom(2);
  set.create(count, 16);
  for (let i = 0; i < count; i++) {
    const bytes = fromLatin1(`member:${String(i).padStart(9, "0")}`);
    set.find(bytes, 0, bytes.length);
    set.insert(random.below(1e6), bytes, 0, bytes.length);
  }
  const used = store.arena.usedBytes - before;
  assertEquals(set.sizeBytes(set.encoding, set.body, 0), used);
  const guess = set.sizeBytes(set.encoding, set.body, 5);
  assert(Math.abs(guess - used) < used / 100);
  assert(used / count < 60, String(used / count));
  let rest = set.body, slices = 0;
  while (rest !== 0) {
    const blocks = store.arena.blockCount;
    rest = set.free(set.encoding, rest, 500);
    assert(blocks - store.arena.blockCount < 3000);
    slices++;
  }
  assert(slices > 50);
  assertEquals(store.arena.usedBytes, before);
});

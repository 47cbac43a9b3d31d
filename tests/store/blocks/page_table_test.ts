/** The page table compared with a Set of strings and with a Map, through growth and shrinking. */
import { assert, assertEquals } from "@std/assert";
import { fromLatin1, latin1, NO_BYTES } from "../../../src/core/bytes.ts";
import { SeededRandom } from "../../../src/core/random.ts";
import { Arena, type BodyRef } from "../../../src/store/memory/arena.ts";
import { createField, hasDeadline, valueBlock } from "../../../src/store/blocks/field_record.ts";
import { hashBytes } from "../../../src/core/hash_function.ts";
import { PageTable } from "../../../src/store/blocks/page_table.ts";
import { oneIn, pick, property } from "../../helpers/property.ts";

/** Throws unless the table holds exactly the model's members, and the arena only the table. */
function checkAll(arena: Arena, tables: PageTable, table: BodyRef, model: Set<string>): void {
  const reached = new Set<number>();
  tables.check(table, reached);
  const inUse = arena.check();
  assertEquals(reached.size, inUse.size);
  for (const ref of reached) assert(inUse.has(ref));
  assertEquals(tables.count(table), model.size);
  assertEquals(membersOf(tables, table).sort(), [...model].sort());
}

function membersOf(tables: PageTable, table: BodyRef): string[] {
  const members: string[] = [];
  tables.each(table, (bytes, start, end) => members.push(latin1(bytes, start, end)) > 0);
  return members;
}

function add(tables: PageTable, table: BodyRef, member: string): boolean {
  const bytes = fromLatin1(member);
  if (tables.find(table, bytes, 0, bytes.length)) return false;
  tables.put(table, bytes, 0, bytes.length, NO_BYTES, 0, 0);
  return true;
}

function remove(tables: PageTable, table: BodyRef, member: string): boolean {
  const bytes = fromLatin1(member);
  if (!tables.find(table, bytes, 0, bytes.length)) return false;
  tables.remove(table);
  return true;
}

/** Members of many lengths: near the limit for storage in a page and far beyond it; few enough that they repeat. */
function randomMember(random: SeededRandom, range: number): string {
  const i = random.below(range);
  const length = [1, 5, 9, 20, 126, 127, 128, 129, 5000][i % 31 < 9 ? i % 31 : 2];
  return String(i).padEnd(length, "x");
}

Deno.test("a table behaves like a set, while it grows and shrinks", () =>
  property(30, (random) => {
    const arena = new Arena(), tables = new PageTable(arena, false);
    const table = tables.create();
    const model = new Set<string>();
    const range = pick(random, [1, 30, 300, 3000]);
    for (let phase = 0; phase < 6; phase++) {
      const growing = phase % 2 === 0;
      for (let i = 0; i < range; i++) {
        const member = randomMember(random, range);
        if (oneIn(random, 4) !== growing) {
          assertEquals(add(tables, table, member), !model.has(member) && !!model.add(member));
        } else assertEquals(remove(tables, table, member), model.delete(member));
      }
      checkAll(arena, tables, table, model);
    }
    for (const member of model) {
      assert(remove(tables, table, member));
    }
    model.clear();
    checkAll(arena, tables, table, model);
    assertEquals(tables.drain(table, 1000), 0);
    assertEquals(arena.blockCount, 0);
  }));

Deno.test("entries that a client leaves on few pages, by removing the others in the order of a scan, keep working", () =>
  property(3, (random) => {
    const arena = new Arena(), tables = new PageTable(arena, false);
    const table = tables.create();
    const model = new Set<string>();
    /** The members in the order of a scan, the order of their positions. */
    const scanned = () => {
      const members: string[] = [];
      tables.scan(table, 0, Infinity, (bytes, start, end) => members.push(latin1(bytes, start, end)));
      return members;
    };
    const narrow = (left: number) => {
      const members = scanned();
      for (const member of members.slice(0, members.length - left)) {
        assert(remove(tables, table, member));
        model.delete(member);
      }
      checkAll(arena, tables, table, model);
    };
    let next = 0;
    const grow = (by: number) => {
      for (const end = next + by; next < end; next++) {
        assert(add(tables, table, `m${next}`));
        model.add(`m${next}`);
      }
    };
    grow(30_000);
    for (const left of [700, 400, 300]) narrow(left);
    // Of many more members only those stay that belong beside the 300.
    for (let round = 0; round < 20; round++) {
      grow(3000);
      narrow(300 + 40 * (round + 1));
    }
    // Only members of one page are added: it must be split out of turn.
    narrow(100);
    const [pivot] = scanned();
    const pageOf = (member: string) => {
      const bytes = fromLatin1(member);
      tables.find(table, bytes, 0, bytes.length);
      return tables.page;
    };
    while (model.size < 600) {
      const member = `p${next++}`;
      if (pageOf(member) !== pageOf(pivot)) continue;
      assert(add(tables, table, member));
      model.add(member);
    }
    checkAll(arena, tables, table, model);
    const found = new Set<string>();
    for (let i = 0; i < 200; i++) {
      tables.random(table, random);
      tables.read(table);
      found.add(latin1(tables.entry.bytes, tables.entry.start, tables.entry.end));
    }
    assert(found.size > 100, `${found.size} different members in 200 draws`);
    for (const member of scanned()) {
      assert(remove(tables, table, member));
      model.delete(member);
    }
    checkAll(arena, tables, table, model);
    assertEquals(tables.drain(table, 1000), 0);
    assertEquals(arena.blockCount, 0);
  }));

Deno.test("popping at random empties a table and finds every member once", () =>
  property(10, (random) => {
    const arena = new Arena(), tables = new PageTable(arena, false);
    const table = tables.create();
    const model = new Set<string>();
    for (let i = 0; i < 2000; i++) {
      const member = randomMember(random, 5000);
      add(tables, table, member);
      model.add(member);
    }
    while (model.size > 0) {
      tables.random(table, random);
      tables.read(table);
      assert(model.delete(latin1(tables.entry.bytes, tables.entry.start, tables.entry.end)));
      tables.remove(table);
      if (model.size % 500 === 0) checkAll(arena, tables, table, model);
    }
  }));

Deno.test("every member is as likely as every other, at any size of the table", () => {
  const random = new SeededRandom(7);
  for (const size of [1, 3, 17, 40, 100, 129, 200]) {
    const tables = new PageTable(new Arena(), false);
    const table = tables.create();
    const counts = new Map<string, number>();
    for (let i = 0; i < size; i++) {
      add(tables, table, `m${i}`);
      counts.set(`m${i}`, 0);
    }
    const draws = 200 * size;
    for (let i = 0; i < draws; i++) {
      tables.random(table, random);
      tables.read(table);
      const member = latin1(tables.entry.bytes, tables.entry.start, tables.entry.end);
      counts.set(member, counts.get(member)! + 1);
    }
    let chiSquare = 0;
    for (const count of counts.values()) chiSquare += (count - 200) ** 2 / 200;
    // Its mean is size - 1 and its variance twice that; a deviation beyond the limit has a probability of about one in
    // millions.
    assert(chiSquare <= size - 1 + 6 * Math.sqrt(2 * size), `size ${size}: chi-square ${chiSquare}`);
  }
});

Deno.test("a scan meets every member that stays, while the table grows and shrinks under it", () =>
  property(20, (random) => {
    const arena = new Arena(), tables = new PageTable(arena, false);
    const table = tables.create();
    const staying = new Set<string>(), coming = new Set<string>();
    for (let i = 0; i < 300; i++) {
      staying.add(`s${i}`);
      add(tables, table, `s${i}`);
    }
    let cursor = 0, calls = 0;
    const seen = new Set<string>();
    do {
      cursor = tables.scan(
        table,
        cursor,
        1 + random.below(30),
        (bytes, start, end) => seen.add(latin1(bytes, start, end)),
      );
      const growing = random.below(2) === 0;
      for (let i = 0; i < 400; i++) {
        const member = `c${random.below(3000)}`;
        if (growing) {
          add(tables, table, member);
          coming.add(member);
        } else if (remove(tables, table, member)) coming.delete(member);
      }
      if (oneIn(random, 4)) {
        for (const member of coming) remove(tables, table, member);
        coming.clear();
      }
      assert(++calls < 10_000);
    } while (cursor !== 0);
    for (const member of staying) assert(seen.has(member), member);
    tables.check(table, new Set());
  }));

Deno.test("a scan of a table at rest meets every member once, and any number is a cursor", () => {
  const tables = new PageTable(new Arena(), false);
  const table = tables.create();
  for (let i = 0; i < 1000; i++) add(tables, table, `m${i}`);
  const seen: string[] = [];
  let cursor = 0;
  do {
    cursor = tables.scan(table, cursor, 10, (bytes, start, end) => seen.push(latin1(bytes, start, end)));
  } while (cursor !== 0);
  assertEquals(seen.length, 1000);
  assertEquals(new Set(seen).size, 1000);
  for (const odd of [1, 2 ** 31, 2 ** 36 - 1, 123456789]) tables.scan(table, odd, 10, () => {});
});

Deno.test("a copy is equal and its own, and a table is freed in slices", () =>
  property(10, (random) => {
    const arena = new Arena(), tables = new PageTable(arena, false);
    const table = tables.create();
    const model = new Set<string>();
    for (let i = 0; i < 1000; i++) {
      const member = randomMember(random, 2000);
      add(tables, table, member);
      model.add(member);
    }
    const copy = tables.copy(table);
    assert(tables.sizeBytes(copy, 0) <= tables.sizeBytes(table, 0));
    let rest = table, slices = 0;
    while (rest !== 0) {
      rest = tables.drain(rest, 10);
      slices++;
    }
    assert(slices >= 5);
    checkAll(arena, tables, copy, model);
    assertEquals(arena.usedBytes, tables.sizeBytes(copy, 0));
    assertEquals(tables.drain(copy, 1e9), 0);
    assertEquals(arena.blockCount, 0);
  }));

Deno.test("members may come in the order of another table, or of a scan of it", () => {
  const tables = new PageTable(new Arena(), false);
  const table = tables.create();
  for (let i = 0; i < 20_000; i++) add(tables, table, `m${i}`);
  const scanned = tables.create(), walked = tables.create(), copied = tables.copy(table);
  const insert = (target: BodyRef, bytes: Uint8Array, start: number, end: number) => {
    assert(!tables.find(target, bytes, start, end));
    tables.put(target, bytes, start, end, NO_BYTES, 0, 0);
    return true;
  };
  tables.scan(copied, 0, Infinity, (bytes, start, end) => insert(scanned, bytes, start, end));
  tables.each(copied, (bytes, start, end) => insert(walked, bytes, start, end));
  const bytes = tables.sizeBytes(table, 0);
  for (const target of [scanned, walked]) {
    tables.check(target, new Set());
    assertEquals(membersOf(tables, target).sort(), membersOf(tables, table).sort());
    assert(Math.abs(tables.sizeBytes(target, 0) - bytes) < bytes / 10);
  }
});

/** The value of the last entry read. */
function valueOf(arena: Arena, tables: PageTable): string {
  const { valueChunk, valueStart, valueEnd } = tables.entry;
  return latin1(arena.u8[valueChunk], valueStart, valueEnd);
}

/** A table of pairs, and the Map that it must equal. */
class Pairs {
  readonly arena = new Arena();
  readonly tables = new PageTable(this.arena, true);
  readonly table = this.tables.create();
  readonly model = new Map<string, string>();
  /** The keys whose entries were converted to records, whatever their length. */
  readonly held = new Set<string>();

  find(key: string): boolean {
    const bytes = fromLatin1(key);
    return this.tables.find(this.table, bytes, 0, bytes.length, oneOf(0, hashBytes(bytes, 0, bytes.length)));
  }

  put(key: string, value: string): void {
    const bytes = fromLatin1(key), valueBytes = fromLatin1(value);
    assertEquals(this.find(key), this.model.has(key));
    this.tables.put(this.table, bytes, 0, bytes.length, valueBytes, 0, valueBytes.length);
    this.model.set(key, value);
    this.held.delete(key);
  }

  /** Converts the entry of a key to a record with a deadline, as hashes do. */
  hold(key: string, value: string): void {
    const bytes = fromLatin1(key), valueBytes = fromLatin1(value);
    const found = this.find(key), old = this.tables.entry.record;
    const record = createField(this.arena, bytes, 0, bytes.length, valueBytes, 0, valueBytes.length, true);
    this.tables.putRecord(this.table, record);
    if (found && old !== 0) {
      if (valueBlock(this.arena, old) !== old) this.arena.free(valueBlock(this.arena, old));
      this.arena.free(old);
    }
    this.model.set(key, value);
    this.held.add(key);
  }

  remove(key: string): void {
    const found = this.find(key);
    assertEquals(found, this.model.delete(key));
    if (found) this.tables.remove(this.table);
    this.held.delete(key);
  }

  check(table = this.table): void {
    const { arena, tables, model } = this;
    tables.check(table, new Set());
    assertEquals(tables.count(table), model.size);
    const left = new Map(model);
    tables.each(table, (bytes, start, end) => {
      const key = latin1(bytes, start, end);
      assertEquals(valueOf(arena, tables), left.get(key), key);
      const { record } = tables.entry;
      assertEquals(record !== 0, this.held.has(key) || 1 + key.length + model.get(key)!.length > 127);
      if (record !== 0) assertEquals(hasDeadline(arena, record), this.held.has(key));
      return left.delete(key);
    });
    assertEquals(left.size, 0);
    let records = 0;
    tables.eachRecord(table, () => records++);
    assert(records >= this.held.size);
  }

  /** `check`, and a check that the arena holds nothing else. */
  checkAll(): void {
    this.check();
    const reached = new Set<number>();
    this.tables.check(this.table, reached);
    assertEquals([...reached].sort(), [...this.arena.check()].sort());
    assertEquals(this.arena.usedBytes, this.tables.sizeBytes(this.table, 0));
  }
}

let turn = 0;
/** Alternates between the two. */
function oneOf(a: number, b: number): number {
  return turn++ % 2 === 0 ? a : b;
}

/** A value of random length, near the limit for storage in a page or far beyond it. */
function randomValue(random: SeededRandom): string {
  const length = pick(random, [0, 1, 8, 8, 8, 20, 50, 100 + random.below(30), 1000]);
  return String.fromCharCode(97 + random.below(26)).repeat(oneIn(random, 100) ? 70_000 : length);
}

Deno.test("a table of pairs behaves like a Map, with values in pages and outside", () =>
  property(30, (random) => {
    const pairs = new Pairs();
    const range = pick(random, [1, 30, 1000]);
    for (let phase = 0; phase < 6; phase++) {
      const growing = phase % 2 === 0;
      for (let i = 0; i < range; i++) {
        const key = randomMember(random, range);
        if (oneIn(random, 4) === growing) pairs.remove(key);
        else if (oneIn(random, 5)) pairs.hold(key, randomValue(random));
        else pairs.put(key, randomValue(random));
      }
      pairs.checkAll();
    }
    const { tables, table, arena } = pairs;
    const copy = tables.copy(table);
    let rest = table;
    for (let slices = 0; rest !== 0; slices++) {
      rest = tables.drain(rest, 10);
      assert(slices < 1000);
    }
    pairs.check(copy);
    assertEquals(arena.usedBytes, tables.sizeBytes(copy, 0));
    while (pairs.model.size > 0) {
      tables.random(copy, random);
      tables.read(copy);
      assert(pairs.model.delete(latin1(tables.entry.bytes, tables.entry.start, tables.entry.end)));
      tables.remove(copy);
    }
    assertEquals(tables.drain(copy, 1), 0);
    assertEquals(arena.blockCount, 0);
  }));

Deno.test("values that are overwritten by others of any length leave no room behind", () =>
  property(5, (random) => {
    const pairs = new Pairs();
    for (let i = 0; i < 500; i++) pairs.put(`k${i}`, "short");
    const bytes = pairs.tables.sizeBytes(pairs.table, 0);
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 500; i++) pairs.put(`k${i}`, randomValue(random));
    }
    for (let i = 0; i < 500; i++) pairs.put(`k${i}`, "short");
    pairs.checkAll();
    // A page that is more than half full keeps its block.
    assert(pairs.tables.sizeBytes(pairs.table, 0) < bytes * 2.2);
  }));

Deno.test("prefetching changes nothing, for present and missing keys", () => {
  const random = new SeededRandom(3);
  const pairs = new Pairs();
  const hashes = new Int32Array(16);
  for (let i = 0; i < 10_000; i++) {
    pairs.put(randomMember(random, 20_000), i % 9 === 0 ? "long".repeat(50) : "value");
    if (i % 100 !== 0) continue;
    for (let k = 0; k < 16; k++) {
      const bytes = fromLatin1(randomMember(random, 20_000));
      hashes[k] = hashBytes(bytes, 0, bytes.length);
    }
    pairs.tables.prefetch(pairs.table, hashes, 1 + random.below(16));
  }
  assert(pairs.model.size > 1 << 12);
  pairs.checkAll();
});

Deno.test("tables in different chunks of the arena do not meet", () => {
  const random = new SeededRandom(5);
  const arena = new Arena(), tables = new PageTable(arena, false);
  const near = tables.create();
  for (let i = 0; i < 1000; i++) add(tables, near, `near${i}`);
  const chunk = arena.reservedBytes;
  while (arena.reservedBytes === chunk) arena.alloc(100_000);
  const far = tables.create();
  for (let i = 0; i < 5000; i++) add(tables, far, `far${i}`);
  for (let i = 0; i < 1000; i++) {
    const [table, name] = i % 2 === 0 ? [near, "near"] : [far, "far"];
    tables.random(table, random);
    tables.read(table);
    assert(latin1(tables.entry.bytes, tables.entry.start, tables.entry.end).startsWith(name));
  }
});

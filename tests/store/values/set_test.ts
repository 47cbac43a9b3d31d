/** The set compared with a Set of strings, in every encoding and across every conversion. */
import { assert, assertEquals } from "@std/assert";
import { fromLatin1, latin1, utf8 } from "../../../src/core/bytes.ts";
import { SeededRandom } from "../../../src/core/random.ts";
import { Encoding, Type } from "../../../src/store/keyspace.ts";
import { MemberSet } from "../../../src/store/values/set.ts";
import { Store } from "../../../src/store/store.ts";
import { oneIn, pick, property } from "../../helpers/property.ts";
import type { BodyRef, RecordRef } from "../../../src/store/memory/arena.ts";

function setUp(): { store: Store; sets: MemberSet } {
  const store = new Store({ databases: 1, random: new SeededRandom(1) });
  const sets = new MemberSet(store.arena);
  store.register(Type.SET, sets);
  return { store, sets };
}

/** Stores the open set back into its record, and checks it, and everything else, against the model. */
function checkAll(store: Store, sets: MemberSet, ref: RecordRef, model: Set<string>): void {
  const [db] = store.databases;
  const { encoding, body } = sets;
  db.keep(ref, encoding, body, sets.length);
  store.check();
  assertEquals(membersOf(sets, encoding, body).sort(), [...model].sort());
  sets.open(encoding, body);
}

function membersOf(sets: MemberSet, encoding: number, body: BodyRef): string[] {
  const members: string[] = [];
  sets.elements(encoding, body, false, (bytes, start, end) => members.push(latin1(bytes, start, end)) > 0);
  return members;
}

function add(sets: MemberSet, member: string): boolean {
  return sets.add(fromLatin1(member), 0, member.length);
}

function randomMember(random: SeededRandom, kind: number): string {
  const i = random.below(400);
  if (kind === 0) return String(i);
  if (kind === 1) return String(BigInt.asIntN(64, BigInt(i) * 0x123456789abcdef1n));
  if (kind === 2) return `m${i}`;
  return `${i}`.padEnd(i % 7 === 0 ? 200 : 60, "y");
}

Deno.test("a set holds the members added to it, in every encoding", () =>
  property(60, (random) => {
    const { store, sets } = setUp();
    sets.maxIntSetEntries = pick(random, [0, 5, 50, 512]);
    sets.maxPackedEntries = pick(random, [0, 4, 40, 128]);
    sets.maxPackedValueBytes = pick(random, [1, 10, 64]);
    const model = new Set<string>();
    const first = randomMember(random, random.below(4));
    sets.createFor(1, fromLatin1(first), 0, first.length);
    const [db] = store.databases;
    const ref = db.add(utf8("key"), 0, 3, Type.SET, sets.encoding, sets.body);
    for (let phase = 0; phase < 4; phase++) {
      const kinds = 1 + random.below(4);
      for (let i = 0; i < 120; i++) {
        const member = randomMember(random, random.below(kinds));
        const has = sets.has(sets.encoding, sets.body, fromLatin1(member), 0, member.length);
        assertEquals(has, model.has(member));
        if (!oneIn(random, phase % 2 === 0 ? 4 : 2)) {
          assertEquals(add(sets, member), !has);
          model.add(member);
        } else if (oneIn(random, 2)) {
          assertEquals(sets.remove(fromLatin1(member), 0, member.length), has);
          model.delete(member);
        } else if (model.size > 0) {
          sets.random(random);
          assert(model.delete(latin1(sets.bytes, sets.start, sets.end)));
          sets.removeChosen();
        }
        assertEquals(sets.length, model.size);
      }
      checkAll(store, sets, ref, model);
    }
    const copy = db.copyTo(ref, db, utf8("copy"), 0, 4);
    db.unlink(ref);
    sets.open(db.encodingOf(copy), db.bodyOf(copy));
    checkAll(store, sets, copy, model);
    sets.repack();
    checkAll(store, sets, copy, model);
    if ([...model].every((member) => /^(0|-?[1-9][0-9]*)$/.test(member))) sets.toIntegers();
    checkAll(store, sets, copy, model);
    db.unlink(copy);
    store.check();
  }));

Deno.test("encodings change at the limits", () => {
  const { sets } = setUp();
  const one = utf8("1");
  sets.createFor(1, one, 0, 1);
  for (let i = 0; i < 512; i++) add(sets, String(i));
  assertEquals(sets.encoding, Encoding.INTSET);
  add(sets, "512");
  assertEquals(sets.encoding, Encoding.HASHTABLE);
  sets.createFor(1, one, 0, 1);
  for (let i = 0; i < 127; i++) add(sets, String(i));
  add(sets, "a");
  assertEquals(sets.encoding, Encoding.LISTPACK);
  add(sets, "b");
  assertEquals(sets.encoding, Encoding.HASHTABLE);
  sets.createFor(1, one, 0, 1);
  add(sets, "x".repeat(64));
  assertEquals(sets.encoding, Encoding.LISTPACK);
  add(sets, "x".repeat(65));
  assertEquals(sets.encoding, Encoding.HASHTABLE);
  sets.createFor(513, one, 0, 1);
  assertEquals(sets.encoding, Encoding.HASHTABLE);
  sets.createFor(128, utf8("a"), 0, 1);
  assertEquals(sets.encoding, Encoding.LISTPACK);
});

Deno.test("every member is equally likely, in every encoding", () => {
  const random = new SeededRandom(11);
  for (const [make, size] of [[String, 100], [(i: number) => `m${i}`, 100], [(i: number) => `m${i}`, 150]] as const) {
    const { sets } = setUp();
    sets.createFor(1, utf8(make(0)), 0, make(0).length);
    const counts = new Map<string, number>();
    for (let i = 0; i < size; i++) {
      add(sets, make(i));
      counts.set(make(i), 0);
    }
    for (let i = 0; i < 200 * size; i++) {
      sets.random(random);
      const member = latin1(sets.bytes, sets.start, sets.end);
      counts.set(member, counts.get(member)! + 1);
    }
    let chiSquare = 0;
    for (const count of counts.values()) chiSquare += (count - 200) ** 2 / 200;
    assert(chiSquare < size - 1 + 6 * Math.sqrt(2 * size), `chi-square ${chiSquare} of ${size}`);
  }
});

Deno.test("a set writes itself as commands of bounded length, in pieces", () => {
  const { sets } = setUp();
  for (const size of [1, 64, 65, 1000]) {
    sets.createFor(1, utf8("m"), 0, 1);
    for (let i = 0; i < size; i++) add(sets, `m${i}`);
    const commands: string[][] = [];
    const writer = {
      full: true,
      place: undefined,
      command: (name: string) => commands.push([name]),
      bytes: (bytes: Uint8Array, start: number, end: number) => commands.at(-1)!.push(latin1(bytes, start, end)),
      text: (text: string) => commands.at(-1)!.push(text),
    };
    let cursor = 0, pieces = 0;
    do {
      cursor = sets.emit(sets.encoding, sets.body, cursor, writer);
      pieces++;
    } while (cursor !== 0);
    assertEquals(new Set(commands.flatMap((words) => words.slice(1))).size, size);
    assert(commands.every((words) => words[0] === "SADD" && words.length > 1 && words.length <= 65));
    assert(size < 1000 || pieces > 3);
  }
});

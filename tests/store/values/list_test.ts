/**
 * The list compared with an array of strings, in both encodings and every conversion between them, with several node
 * limits.
 */
import { assert, assertEquals } from "@std/assert";
import { fromLatin1, latin1 } from "../../../src/core/bytes.ts";
import { SeededRandom } from "../../../src/core/random.ts";
import { Encoding, Type } from "../../../src/store/keyspace.ts";
import { List } from "../../../src/store/values/list.ts";
import { Store } from "../../../src/store/store.ts";
import { pick, property } from "../../helpers/property.ts";
import { NONE, type RecordRef } from "../../../src/store/memory/arena.ts";

const KEY = fromLatin1("list");

/** A store with one list, and the array that it must equal. */
class Subject {
  readonly store: Store;
  readonly list: List;
  readonly model: string[] = [];
  #ref: RecordRef = NONE;

  constructor(maxListpackSize: number) {
    this.store = new Store({ databases: 1, random: new SeededRandom(1) });
    this.list = new List(this.store.arena);
    this.list.maxListpackSize = maxListpackSize;
    this.store.register(Type.LIST, this.list);
  }

  /** Runs a write on the list as a command does: creates it if missing, deletes it if empty. */
  write(change: (list: List) => void): void {
    const { list } = this;
    const db = this.store.databases[0];
    if (this.#ref === 0) list.create();
    else list.open(db.encodingOf(this.#ref), db.bodyOf(this.#ref));
    change(list);
    if (this.#ref === 0) this.#ref = db.add(KEY, 0, KEY.length, Type.LIST, list.encoding, list.body);
    db.keep(this.#ref, list.encoding, list.body, list.length);
    if (list.length > 0) return;
    db.unlink(this.#ref);
    this.#ref = NONE;
  }

  get quick(): boolean {
    return this.#ref !== 0 && this.store.databases[0].encodingOf(this.#ref) === Encoding.QUICKLIST;
  }

  push(tail: boolean, text: string): void {
    const bytes = fromLatin1(text);
    this.write((list) => {
      list.growFor(bytes.length, 1);
      if (tail) list.pushTail(bytes, 0, bytes.length);
      else list.pushHead(bytes, 0, bytes.length);
    });
    if (tail) this.model.push(text);
    else this.model.unshift(text);
  }

  pop(tail: boolean): void {
    if (this.model.length === 0) return;
    this.write((list) => {
      if (tail) list.readTail();
      else list.readHead();
      assertEquals(read(list), tail ? this.model.at(-1) : this.model[0]);
      if (tail) list.removeTail();
      else list.removeHead();
      list.shrink();
    });
    if (tail) this.model.pop();
    else this.model.shift();
  }

  insert(i: number, after: boolean, text: string): void {
    const bytes = fromLatin1(text);
    this.write((list) => {
      list.growFor(bytes.length, 1);
      list.seek(i);
      list.insertHere(after, bytes, 0, bytes.length);
    });
    this.model.splice(after ? i + 1 : i, 0, text);
  }

  replace(i: number, text: string): void {
    const bytes = fromLatin1(text);
    this.write((list) => {
      list.growFor(bytes.length, 1);
      list.seek(i);
      list.replaceHere(bytes, 0, bytes.length);
      list.shrink();
    });
    this.model[i] = text;
  }

  removeRange(start: number, count: number): void {
    this.write((list) => {
      list.removeRange(start, count);
      list.shrink();
    });
    this.model.splice(start, count);
  }

  /** Removes up to `most` elements equal to `text`, from the head or from the tail. */
  removeAll(text: string, most: number, fromTail: boolean): void {
    const bytes = fromLatin1(text);
    let removed = 0;
    this.write((list) => {
      list.packed.encode(bytes, 0, bytes.length);
      list.seek(fromTail ? list.length - 1 : 0);
      while (removed < most && (fromTail ? list.previousMatch(0) : list.nextMatch(list.length)) >= 0) {
        list.removeHere();
        if (fromTail) list.stepBack();
        removed++;
      }
      list.shrink();
    });
    for (let n = 0; n < removed; n++) {
      const i = fromTail ? this.model.lastIndexOf(text) : this.model.indexOf(text);
      assert(i >= 0, "more was removed than there was");
      this.model.splice(i, 1);
    }
    if (removed < most) assert(!this.model.includes(text), "less was removed than there was");
  }

  /** Compares everything, with every way to read. */
  verify(random: SeededRandom): void {
    this.store.check();
    const { list, model } = this;
    if (model.length === 0) return;
    const db = this.store.databases[0];
    const open = () => list.open(db.encodingOf(this.#ref), db.bodyOf(this.#ref));
    open();
    assertEquals(list.length, model.length);
    const start = random.below(model.length);
    list.seek(start);
    for (let i = start; i < model.length; i++) {
      list.next();
      if (read(list) !== model[i]) assertEquals(read(list), model[i], `element ${i}`);
    }
    for (const reverse of [false, true]) {
      const all: string[] = [];
      list.elements(list.encoding, list.body, reverse, (bytes, from, to) => all.push(latin1(bytes, from, to)) > 0);
      assertEquals(reverse ? all.reverse() : all, model);
    }
    const text = pick(random, model);
    const bytes = fromLatin1(text);
    list.packed.encode(bytes, 0, bytes.length);
    list.seek(start);
    for (let i = model.indexOf(text, start); i >= 0; i = model.indexOf(text, i + 1)) {
      assertEquals(list.nextMatch(i), -1);
      assertEquals(list.nextMatch(i + 1), i);
      list.step();
    }
    assertEquals(list.nextMatch(model.length), -1);
    list.seek(start);
    for (let i = model.lastIndexOf(text, start); i >= 0; i = i === 0 ? -1 : model.lastIndexOf(text, i - 1)) {
      assertEquals(list.previousMatch(0), i);
      list.stepBack();
    }
    assertEquals(list.previousMatch(0), -1);
  }

  /** Copies the list, compares the copy, and frees it in slices. */
  verifyCopy(): void {
    const { list, model } = this;
    if (model.length === 0) return;
    const db = this.store.databases[0];
    const encoding = db.encodingOf(this.#ref);
    let body = list.copy(encoding, db.bodyOf(this.#ref));
    list.check(encoding, body, new Set());
    const all: string[] = [];
    list.elements(encoding, body, false, (bytes, from, to) => all.push(latin1(bytes, from, to)) > 0);
    assertEquals(all, model);
    assert(list.sizeBytes(encoding, body, 0) >= list.sizeBytes(encoding, body, 0) / 2);
    while (body !== 0) body = list.free(encoding, body, 3);
  }
}

function read(list: List): string {
  list.packed.text();
  return latin1(list.packed.bytes, list.packed.start, list.packed.start + list.packed.length);
}

function randomText(random: SeededRandom, largest: number): string {
  const kind = random.below(20);
  if (kind < 8) return String(random.below(30));
  if (kind < 10) return String(random.below(2 ** 32) - 2 ** 31);
  const length = kind < 15 ? random.below(40) : kind < 19 ? random.below(300) : random.below(largest);
  return String.fromCharCode(97 + random.below(26)).repeat(length);
}

function randomRun(random: SeededRandom, maxListpackSize: number, steps: number, largest: number): void {
  const subject = new Subject(maxListpackSize);
  const { model } = subject;
  let growing = true, wasQuick = false, conversions = 0;
  for (let step = 0; step < steps; step++) {
    if (random.below(steps / 6) === 0) growing = !growing;
    const kind = random.below(20);
    const i = model.length === 0 ? 0 : random.below(model.length);
    const tail = random.below(2) === 0;
    if (model.length === 0 || kind < (growing ? 9 : 3)) subject.push(tail, randomText(random, largest));
    else if (kind < 11) subject.pop(tail);
    else if (kind < 13) subject.insert(i, tail, randomText(random, largest));
    else if (kind < 15) subject.replace(i, randomText(random, largest));
    else if (kind === 15) subject.removeAll(pick(random, model), 1 + random.below(3), tail);
    else if (kind === 16) subject.removeRange(i, random.below(Math.min(8, model.length - i)));
    else if (kind === 17 && !growing) subject.removeRange(i, random.below(model.length - i + 1));
    if (subject.quick !== wasQuick) conversions++;
    wasQuick = subject.quick;
    if (step % 50 === 0) subject.verify(random);
  }
  assert(conversions > 0, "no run without a conversion");
  subject.verify(random);
  subject.verifyCopy();
  if (model.length > 0) subject.removeRange(0, model.length);
  subject.store.check();
  assertEquals(subject.store.databases[0].size, 0);
}

for (
  const [limit, steps, largest] of [[-2, 1500, 20000], [-1, 1500, 9000], [-5, 1500, 80000], [1, 300, 20], [
    7,
    600,
    9000,
  ]]
) {
  Deno.test(`a list with the limit ${limit} equals an array after random operations`, () => {
    return property(3, (random) => randomRun(random, limit, steps, largest));
  });
}

Deno.test("a list becomes a directory beyond its limit, and a block again below half of it", () => {
  for (const tail of [true, false]) {
    const subject = new Subject(-2);
    const text = "x".repeat(98); // its entry takes 101 bytes
    while (!subject.quick) subject.push(tail, text);
    // One node has room for one element after 80 (7 + 80 * 101 + 98 is 8185), but not for a second.
    assertEquals(subject.model.length, 82);
    while (subject.quick) subject.pop(tail);
    assertEquals(subject.model.length, Math.floor((4096 - 7) / 101));
    while (subject.model.length > 0) subject.pop(tail);
    subject.store.check();
  }
});

Deno.test("a directory with many nodes finds every index and frees in slices", () => {
  const subject = new Subject(-1);
  const { list } = subject;
  for (let i = 0; i < 30000; i++) subject.push(i % 3 > 0, `element:${i}`);
  subject.store.check();
  subject.write(() => {
    assert(list.nodeCount > 100);
    for (let i = 0; i < subject.model.length; i += 17) {
      list.seek(i);
      list.next();
      if (read(list) !== subject.model[i]) assertEquals(read(list), subject.model[i]);
    }
  });
  subject.removeRange(1000, 28000);
  subject.verify(new SeededRandom(1));
  subject.removeRange(0, 2000);
  subject.store.check();
});

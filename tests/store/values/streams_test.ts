/** Streams with groups compared with arrays and maps, and their memory in the arena. */
import { assert, assertEquals } from "@std/assert";
import { fromLatin1, latin1 } from "../../../src/core/bytes.ts";
import { SeededRandom } from "../../../src/core/random.ts";
import { compareIds, idText, newId, type StreamId } from "../../../src/core/stream_id.ts";
import { Encoding, type Keyspace, Type } from "../../../src/store/keyspace.ts";
import type { RecordRef } from "../../../src/store/memory/arena.ts";
import { Store } from "../../../src/store/store.ts";
import type { EntryCursor } from "../../../src/store/values/streams/entries.ts";
import { type GroupRef, StreamCounter, StreamPoint } from "../../../src/store/values/streams/layout.ts";
import { StreamValue } from "../../../src/store/values/streams/stream_value.ts";
import { References, trimStream } from "../../../src/store/values/streams/trim.ts";
import { oneIn, pick, property } from "../../helpers/property.ts";

const KEY = fromLatin1("key");

interface ModelEntry {
  readonly id: StreamId;
  readonly pairs: readonly string[];
}

interface ModelPending {
  readonly id: StreamId;
  consumer: string;
  timeMs: number;
  deliveries: number;
}

class ModelGroup {
  readonly consumers = new Set<string>();
  /** By text of the id, in the order in which they got their times. */
  readonly pending = new Map<string, ModelPending>();
  readonly lastId = newId();
}

class Fixture {
  readonly store: Store;
  readonly db: Keyspace;
  readonly streams: StreamValue;
  entries: ModelEntry[] = [];
  readonly groups = new Map<string, ModelGroup>();
  readonly lastId = newId();
  added = 0;

  constructor(readonly random: SeededRandom) {
    this.store = new Store({ databases: 1, random });
    this.streams = new StreamValue(this.store);
    this.store.register(Type.STREAM, this.streams);
    [this.db] = this.store.databases;
    this.streams.create();
    this.db.add(KEY, 0, KEY.length, Type.STREAM, Encoding.STREAM, this.streams.body);
  }

  groupOf(name: string): GroupRef {
    const bytes = fromLatin1(name);
    return this.streams.groups.find(this.streams.body, bytes, 0, bytes.length);
  }

  consumerOf(group: string, name: string): RecordRef {
    const bytes = fromLatin1(name);
    return this.streams.groups.findConsumer(this.groupOf(group), bytes, 0, bytes.length);
  }

  append(id: StreamId, pairs: readonly string[]): void {
    const texts = pairs.map(fromLatin1);
    const bytes = new Uint8Array(texts.reduce((sum, text) => sum + text.length, 0));
    const start: number[] = [], end: number[] = [];
    let at = 0;
    for (const text of texts) {
      bytes.set(text, at);
      start.push(at);
      end.push(at += text.length);
    }
    this.streams.append(id, { bytes, start, end, from: 0, count: pairs.length / 2 });
    this.entries.push({ id: id.slice(), pairs });
    this.lastId.set(id);
    this.added++;
  }

  /** Compares everything. */
  assertSame(): void {
    const { streams, entries } = this, { groups } = streams, { pending } = groups;
    assertEquals(streams.length, entries.length);
    assertEquals(streams.counter(StreamCounter.ADDED), BigInt(this.added));
    const seen: ModelEntry[] = [], back: ModelEntry[] = [];
    for (let there = streams.entries.first(streams.nodeIndex); there; there = streams.entries.next()) {
      seen.push({ id: streams.entries.id.slice(), pairs: pairsOf(streams, streams.entries) });
    }
    assertEquals(seen, entries);
    for (let there = streams.entries.last(streams.nodeIndex); there; there = streams.entries.previous()) {
      back.unshift({ id: streams.entries.id.slice(), pairs: pairsOf(streams, streams.entries) });
    }
    assertEquals(back, entries);
    const first = newId();
    streams.readPoint(StreamPoint.FIRST, first);
    assertEquals(first, entries[0]?.id ?? newId());
    assertEquals(groups.all(streams.body).map((record) => nameOf(streams, record)), [...this.groups.keys()].sort());
    for (const [name, model] of this.groups) {
      const group = this.groupOf(name);
      const records = groups.names.all(groups.consumersOf(group));
      assertEquals(records.map((record) => nameOf(streams, record)), [...model.consumers].sort());
      const byTime: ModelPending[] = [], byId: ModelPending[] = [];
      const { times, ids } = pending;
      const read = (ref: Parameters<typeof pending.timeOf>[0]): ModelPending => {
        const id = newId();
        pending.readId(ref, id);
        const consumer = nameOf(streams, pending.consumerOf(ref));
        return { id, consumer, timeMs: pending.timeOf(ref), deliveries: pending.deliveriesOf(ref) };
      };
      for (times.seekFirst(pending.byTime(group)); times.leaf !== 0; times.step()) byTime.push(read(times.ref));
      assertEquals(byTime, [...model.pending.values()].sort((a, b) => a.timeMs - b.timeMs));
      for (ids.seekFirst(pending.byId(group)); ids.leaf !== 0; ids.step()) byId.push(read(ids.ref));
      const sorted = [...model.pending.values()].sort((a, b) => compareIds(a.id, 0, b.id, 0));
      assertEquals(byId, sorted);
      for (const record of records) {
        const own = sorted.filter(({ consumer }) => consumer === nameOf(streams, record));
        const refs: ModelPending[] = [];
        for (ids.seekFirst(pending.ofConsumer(record)); ids.leaf !== 0; ids.step()) refs.push(read(ids.ref));
        assertEquals(refs, own);
      }
    }
    this.store.check();
    streams.open(this.db.bodyOf(this.db.find(KEY, 0, KEY.length)));
  }
}

function pairsOf(streams: StreamValue, cursor: EntryCursor): string[] {
  const { packed } = streams.nodes, pairs: string[] = [];
  const text = () => {
    packed.text();
    pairs.push(latin1(packed.bytes, packed.start, packed.start + packed.length));
  };
  cursor.begin();
  for (let i = 0; i < cursor.count; i++) {
    cursor.readField();
    text();
    cursor.readValue();
    text();
  }
  if (!cursor.readAll()) return pairs;
  const { view } = cursor;
  const all = pairs.map((_, k) => {
    const bytes = new Uint8Array(view.buffer, cursor.starts[k], cursor.ends[k] - cursor.starts[k]);
    return latin1(bytes, 0, bytes.length);
  });
  assertEquals(all, pairs);
  return pairs;
}

function nameOf({ groups }: StreamValue, record: RecordRef): string {
  return latin1(groups.bytesOf(record), groups.startOf(record), groups.endOf(record));
}

function randomText(random: SeededRandom): string {
  if (oneIn(random, 60)) return "v".repeat(random.below(6000));
  if (oneIn(random, 3)) return String(random.below(pick(random, [10, 1000, 2 ** 31])) - 5);
  return `${pick(random, ["", "a", "value:"])}${random.below(50)}`;
}

function randomPairs(random: SeededRandom): string[] {
  if (oneIn(random, 3)) return ["name", randomText(random), "text", randomText(random)];
  return Array.from({ length: 2 * (1 + random.below(oneIn(random, 50) ? 200 : 3)) }, () => randomText(random));
}

function nextId(fixture: Fixture): StreamId {
  const { random } = fixture, id = fixture.lastId.slice();
  const kind = random.below(5);
  if (kind < 3) id[3]++;
  else if (kind === 3) id[1] += 1 + random.below(pick(random, [3, 100_000]));
  else if (oneIn(random, 2)) id[2]++;
  else {
    id[1]++;
    id[2] = id[3] = 0;
  }
  if (id[3] === 0) id[2]++;
  return compareIds(id, 0, fixture.lastId, 0) > 0 ? id : nextId(fixture);
}

function remove(fixture: Fixture, k: number): void {
  fixture.entries.splice(k, 1);
}

/** One random change of entries. */
function changeEntries(fixture: Fixture, growing: boolean): void {
  const { random, streams, entries } = fixture;
  if (growing ? !oneIn(random, 5) : oneIn(random, 3)) {
    for (let i = random.below(20); i >= 0; i--) fixture.append(nextId(fixture), randomPairs(random));
  } else if (entries.length > 0 && !oneIn(random, 4)) {
    const k = oneIn(random, 3) ? 0 : random.below(entries.length), { id } = entries[k];
    assert(streams.remove(id));
    assert(!streams.remove(id));
    remove(fixture, k);
  } else if (entries.length > 0) {
    const byLength = oneIn(random, 2), approximate = oneIn(random, 2);
    const references = pick(random, [References.KEEP, References.KEEP, References.DROP, References.ACKED]);
    const kept = oneIn(random, 8) ? 0 : random.below(entries.length + 3);
    const id = entries[Math.min(kept, entries.length - 1)].id;
    const before = entries.map((entry) => entry.id);
    const gone = trimStream(streams, {
      length: byLength ? kept : undefined,
      id,
      approximate,
      limit: approximate && oneIn(random, 2) ? 1 + random.below(200) : 0,
      references,
    });
    const isReferenced = (entry: StreamId) =>
      [...fixture.groups.values()].some(({ lastId, pending }) =>
        compareIds(lastId, 0, entry, 0) < 0 || pending.has(idText(entry))
      );
    const removable = before.filter((entry, k) =>
      (byLength ? references === References.ACKED || k < entries.length - kept : compareIds(entry, 0, id, 0) < 0) &&
      (references !== References.ACKED || !isReferenced(entry))
    );
    const exact = byLength ? Math.min(removable.length, Math.max(0, entries.length - kept)) : removable.length;
    if (approximate) assert(gone <= exact, `${gone} <= ${exact}`);
    else assertEquals(gone, exact);
    const removed = new Set(removable.slice(0, gone).map((entry) => idText(entry)));
    fixture.entries = entries.filter((entry) => !removed.has(idText(entry.id)));
    if (references === References.DROP) {
      for (const { pending } of fixture.groups.values()) for (const text of removed) pending.delete(text);
    }
  }
}

const NAMES = ["a", "ab", "b", "", "long name of a thing"];

/** One random change of groups. */
function changeGroups(fixture: Fixture, nowMs: number): void {
  const { random, streams } = fixture, { groups } = streams, { pending } = groups;
  const name = pick(random, NAMES), bytes = fromLatin1(name), model = fixture.groups.get(name);
  if (model === undefined) {
    const id = oneIn(random, 2) ? newId() : fixture.lastId.slice();
    groups.create(streams.body, bytes, 0, bytes.length, id, -1n);
    const created = new ModelGroup();
    created.lastId.set(id);
    fixture.groups.set(name, created);
    return;
  }
  const group = fixture.groupOf(name);
  if (oneIn(random, 40)) {
    assert(streams.removeGroup(bytes, 0, bytes.length));
    fixture.groups.delete(name);
    return;
  }
  const consumerName = pick(random, NAMES), text = fromLatin1(consumerName);
  let consumer = fixture.consumerOf(name, consumerName);
  assertEquals(consumer !== 0, model.consumers.has(consumerName));
  if (consumer === 0) {
    consumer = groups.createConsumer(group, text, 0, text.length, nowMs);
    model.consumers.add(consumerName);
  } else if (oneIn(random, 30)) {
    const own = [...model.pending].filter(([, entry]) => entry.consumer === consumerName);
    assertEquals(streams.removeConsumer(group, consumer), own.length);
    for (const [key] of own) model.pending.delete(key);
    model.consumers.delete(consumerName);
    return;
  }
  const timeMs = nowMs - (oneIn(random, 4) ? random.below(500) : 0);
  if (oneIn(random, 2)) {
    const from = model.lastId.slice();
    from[3]++;
    let count = 1 + random.below(30);
    for (let there = streams.entries.seekFrom(streams.nodeIndex, from); there && count-- > 0;) {
      const { id } = streams.entries, key = idText(id);
      if (!model.pending.has(key)) {
        pending.add(group, consumer, id, timeMs, 1);
        model.pending.set(key, { id: id.slice(), consumer: consumerName, timeMs, deliveries: 1 });
      }
      model.lastId.set(id);
      groups.setLastId(group, id);
      there = streams.entries.next();
    }
  } else {
    for (let i = random.below(10); i >= 0 && model.pending.size > 0; i--) {
      const [key, entry] = pick(random, [...model.pending]);
      const ref = pending.find(group, entry.id);
      assert(ref !== 0);
      if (oneIn(random, 2)) {
        assert(streams.acknowledge(group, entry.id));
        assert(!streams.acknowledge(group, entry.id));
        model.pending.delete(key);
      } else {
        pending.give(ref, consumer);
        pending.setTime(group, ref, timeMs);
        pending.countDelivery(ref);
        model.pending.delete(key);
        model.pending.set(key, { id: entry.id, consumer: consumerName, timeMs, deliveries: entry.deliveries + 1 });
      }
    }
  }
}

for (const [bytes, most] of [[4096, 100], [300, 7], [0, 0]]) {
  Deno.test(`a stream with blocks of up to ${bytes} bytes and ${most} entries behaves like an array`, () =>
    property(3, (random) => {
      const fixture = new Fixture(random), { store, streams } = fixture;
      streams.nodes.maxBytes = bytes;
      streams.nodes.maxEntries = most;
      let nowMs = 1_700_000_000_000;
      for (let step = 0; step < 1200; step++) {
        nowMs += random.below(3);
        if (oneIn(random, 2)) changeEntries(fixture, step % 400 < 250);
        else changeGroups(fixture, nowMs);
        if (fixture.entries.length > 0 && oneIn(random, 5)) {
          const { id } = pick(random, fixture.entries);
          assert(streams.hasEntry(id));
          assert(streams.entries.seekTo(streams.nodeIndex, id));
          assertEquals(streams.entries.id, id);
        }
        if (step % 100 === 0) fixture.assertSame();
      }
      fixture.assertSame();
      const copy = fromLatin1("copy"), ref = fixture.db.find(KEY, 0, KEY.length);
      fixture.db.copyTo(ref, fixture.db, copy, 0, copy.length);
      store.check();
      const copied = fixture.db.find(copy, 0, copy.length);
      assert(fixture.db.sizeBytes(copied, 0) > 0);
      fixture.db.remove(KEY, 0, KEY.length);
      streams.open(fixture.db.bodyOf(fixture.db.find(copy, 0, copy.length)));
      fixture.db.remove(copy, 0, copy.length);
      store.check();
      assertEquals(store.arena.stats().blockCount, new Store({ databases: 1, random }).arena.stats().blockCount);
    }));
}

Deno.test("producers know their latest messages, and forget old ones", () =>
  property(5, (random) => {
    const fixture = new Fixture(random), { streams, store } = fixture, { producers } = streams;
    streams.maxSize = 8;
    streams.duration = 1;
    const model = new Map<string, [string, StreamId][]>();
    let nowMs = 1_700_000_000_000;
    const found = newId();
    for (let step = 0; step < 1500; step++) {
      nowMs += random.below(40);
      const name = `producer ${random.below(4)}`, bytes = fromLatin1(name);
      const message = `message ${random.below(60)}`, text = fromLatin1(message);
      const producer = producers.obtain(streams.body, bytes, 0, bytes.length);
      const known = model.get(name) ?? [];
      model.set(name, known);
      const old = known.find(([other]) => other === message);
      assertEquals(producers.lookUp(producer, text, 0, text.length, found), old !== undefined);
      if (old !== undefined) assertEquals(found, old[1]);
      else {
        const id = newId(Math.floor(nowMs / 2 ** 32), nowMs | 0, 0, step);
        producers.add(streams.body, producer, text, 0, text.length, id);
        known.push([message, id]);
        if (known.length > 8) known.shift();
      }
      if (known.length > 0 && oneIn(random, 8)) {
        const k = random.below(known.length), gone = fromLatin1(known[k][0]);
        producers.forget(producer, gone, 0, gone.length);
        known.splice(k, 1);
      }
      if (oneIn(random, 10)) {
        producers.expire(streams.body, nowMs);
        for (const [other, messages] of model) {
          const rest = messages.filter(([, id]) => (id[0] * 2 ** 32 + (id[1] >>> 0)) > nowMs - 1000);
          if (rest.length === 0) model.delete(other);
          else model.set(other, rest);
        }
        assertEquals(producers.all(streams.body).map((record) => nameOf(streams, record)), [...model.keys()].sort());
      }
      if (step % 100 === 0) store.check();
      streams.open(fixture.db.bodyOf(fixture.db.find(KEY, 0, KEY.length)));
    }
    for (const record of producers.all(streams.body)) {
      const seen: [string, StreamId][] = [];
      producers.each(record, (bytes, start, end, id) => seen.push([latin1(bytes, start, end), id.slice()]));
      assertEquals(seen, model.get(nameOf(streams, record)));
      assertEquals(producers.messageCount(record), seen.length);
    }
    producers.clear(streams.body);
    store.check();
  }));

import { assert, assertEquals } from "@std/assert";
import { digestOfValue } from "../../src/commands/debug/digest.ts";
import { Rewrite } from "../../src/aof/rewrite.ts";
import { AofFile } from "../../src/aof/file.ts";
import type { SeededRandom } from "../../src/core/random.ts";
import { SeededRandom as Seeded } from "../../src/core/random.ts";
import type { Store } from "../../src/store/store.ts";
import { latin1 } from "../../src/core/bytes.ts";
import { oneIn, pick, property } from "../helpers/property.ts";
import { streamState } from "../helpers/stream_state.ts";
import { SimulatedDisk } from "../helpers/simulated_disk.ts";
import { Node } from "./node.ts";
import type { RecordRef } from "../../src/store/memory/arena.ts";

/** All keys with their deadlines and the digests of their values. */
function contents(store: Store): Set<string> {
  const lines = new Set<string>();
  for (const db of store.databases) {
    const refs: RecordRef[] = [];
    store.dict.each(db.keys, (ref) => refs.push(ref));
    for (const ref of refs) {
      const value = digestOfValue(db, ref) + streamState(db, ref, false);
      db.readKey(ref);
      lines.add(`${db.index} ${latin1(db.bytes, db.start, db.start + db.length)} ${db.deadlineOf(ref)} ${value}`);
    }
  }
  return lines;
}

const KEYS = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

/** Fills several databases with small values of all types, and with values that are written in many pieces. */
function fill(node: Node, random: SeededRandom): void {
  for (const db of [0, 1]) {
    node.run("SELECT", db);
    for (let i = 0; i < 300; i++) node.run("SET", `k${i}`, `v${i}`, ...(oneIn(random, 4) ? ["EX", 50 + i] : []));
    node.run("SET", "far", "v", "PXAT", "9007199254740993");
    node.run("SADD", "farther", "v");
    node.run("PEXPIREAT", "farther", "9223372036854775807");
    for (let i = 0; i < 40; i++) {
      node.run("RPUSH", `l${i}`, ...numbers(1 + random.below(20)));
      node.run("SADD", `s${i}`, ...numbers(1 + random.below(20)));
      node.run("HSET", `h${i}`, ...numbers(2 * (1 + random.below(20))));
      node.run("ZADD", `z${i}`, ...numbers(2 * (1 + random.below(20))));
    }
    for (const key of ["a", "b"]) node.run("RPUSH", `big-l-${key}`, ...numbers(2500 + random.below(2500)));
    for (const key of ["a", "b"]) {
      node.run(
        "SADD",
        `big-s-${key}`,
        ...numbers(2500 + random.below(2500)).map((n) => `m${n}`),
      );
    }
    for (const key of ["a", "b"]) node.run("HSET", `big-h-${key}`, ...numbers(2 * (2000 + random.below(1000))));
    for (const key of ["a", "b"]) node.run("ZADD", `big-z-${key}`, ...numbers(2 * (2000 + random.below(1000))));
    node.run("SET", "big-t-a", "x".repeat(700_000 + random.below(100_000)));
    node.run("SETRANGE", "big-t-b", 900_000, "tail");
    for (let i = 0; i < 10; i++) addEntries(node, random, `x${i}`, 20);
    for (const key of ["a", "b"]) addEntries(node, random, `big-x-${key}`, 1000 + random.below(1500));
    for (const key of ["big-l-a", "big-h-a", "big-t-b"]) node.run("PEXPIREAT", key, node.clock.ms + 1e6);
  }
  node.run("SELECT", 0);
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** Makes a stream with two groups, of which consumers have entries pending. */
function addEntries(node: Node, random: SeededRandom, key: string, count: number): void {
  for (let i = 1; i <= count; i++) node.run("XADD", key, `${i}-1`, "field", i, "other", "value");
  for (const group of ["g", "h"]) {
    node.run("XGROUP", "CREATE", key, group, 0);
    for (const consumer of ["c", "d", "e"]) {
      node.run("XREADGROUP", "GROUP", group, consumer, "COUNT", 1 + random.below(count >> 1), "STREAMS", key, ">");
    }
  }
}

/** One random command, of a kind that may be logged at any point of the rewrite. */
function change(node: Node, random: SeededRandom): void {
  const n = () => random.below(5000);
  const key = (type: string) =>
    oneIn(random, 2) ? `${type}${random.below(45)}` : `big-${type}-${pick(random, ["a", "b"])}`;
  const text = () => oneIn(random, 3) ? `big-t-${pick(random, ["a", "b"])}` : `k${random.below(320)}`;
  const id = () => `${1 + random.below(2600)}-1`, group = () => pick(random, ["g", "h", "i"]);
  const consumer = () => pick(random, ["a", "c", "d", "e"]);
  const any = () => pick(random, [key("x"), key("l"), key("s"), key("h"), key("z"), text(), pick(random, KEYS)]);
  const commands: (() => (string | number)[])[] = [
    () => ["SET", text(), n()],
    () => ["SET", text(), n(), "PX", 1 + random.below(500)],
    () => ["INCR", pick(random, KEYS)],
    () => ["APPEND", text(), "more"],
    () => ["SETRANGE", text(), random.below(900_000), "xyz"],
    () => ["GETDEL", text()],
    () => ["RPUSH", key("l"), n(), n()],
    () => ["LPUSH", key("l"), n(), n(), n()],
    () => ["RPUSHX", key("l"), n()],
    () => ["LPUSHX", key("l"), n()],
    () => ["LPOP", key("l"), 1 + random.below(30)],
    () => ["RPOP", key("l"), 1 + random.below(30)],
    () => ["LPOP", key("l"), random.below(3000)],
    () => ["LSET", key("l"), 0, n()],
    () => ["LTRIM", key("l"), 1, -2],
    () => ["LINSERT", key("l"), "BEFORE", 5, n()],
    () => ["LREM", key("l"), 1, random.below(50)],
    () => ["LMOVE", key("l"), key("l"), "LEFT", "RIGHT"],
    () => ["SADD", key("s"), `m${n()}`, n()],
    () => ["SREM", key("s"), `m${n()}`, `m${n()}`],
    () => ["SPOP", key("s"), 1 + random.below(5)],
    () => ["SMOVE", key("s"), key("s"), `m${n()}`],
    () => ["SUNIONSTORE", key("s"), key("s"), key("s")],
    () => ["SDIFFSTORE", key("s"), key("s"), key("s")],
    () => ["HSET", key("h"), n(), n(), n(), n()],
    () => ["HDEL", key("h"), n(), n()],
    () => ["HINCRBY", key("h"), n(), 3],
    () => ["HSETNX", key("h"), n(), 3],
    () => ["HPEXPIRE", key("h"), 1 + random.below(2000), "FIELDS", 1, n()],
    () => ["ZADD", key("z"), n(), n()],
    () => ["ZADD", key("z"), pick(random, ["GT", "LT", "NX", "XX"]), n(), n(), n(), n()],
    () => ["ZINCRBY", key("z"), 3, n()],
    () => ["ZREM", key("z"), n(), n()],
    () => ["ZPOPMIN", key("z"), 2],
    () => ["ZREMRANGEBYSCORE", key("z"), n(), n()],
    () => ["ZREMRANGEBYRANK", key("z"), 3, 5],
    () => ["ZUNIONSTORE", key("z"), 2, key("z"), key("z")],
    () => ["ZRANGESTORE", key("z"), key("z"), 0, 10],
    () => ["XADD", key("x"), "*", "field", n(), "other", "value"],
    () => ["XADD", key("x"), "MAXLEN", pick(random, ["~", "="]), 1000 + random.below(1000), "*", "f", n()],
    () => ["XADD", key("x"), "ACKED", "MAXLEN", 2000, "*", "f", n()],
    () => ["XDEL", key("x"), id(), id()],
    () => ["XDELEX", key("x"), pick(random, ["KEEPREF", "DELREF", "ACKED"]), "IDS", 2, id(), id()],
    () => ["XTRIM", key("x"), "MINID", pick(random, ["~", "="]), `${random.below(300)}-1`],
    () => ["XACK", key("x"), group(), id(), id(), id()],
    () => ["XACKDEL", key("x"), group(), pick(random, ["KEEPREF", "DELREF", "ACKED"]), "IDS", 2, id(), id()],
    () => ["XREADGROUP", "GROUP", group(), consumer(), "COUNT", 1 + random.below(50), "STREAMS", key("x"), ">"],
    () => ["XREADGROUP", "GROUP", group(), consumer(), "NOACK", "COUNT", 5, "STREAMS", key("x"), ">"],
    () => ["XCLAIM", key("x"), group(), consumer(), 0, id(), id(), ...(oneIn(random, 2) ? ["FORCE"] : [])],
    () => ["XAUTOCLAIM", key("x"), group(), consumer(), 0, id(), "COUNT", 10],
    () => ["XGROUP", "CREATE", key("x"), group(), id()],
    () => ["XGROUP", "SETID", key("x"), group(), id()],
    () => ["XGROUP", "DESTROY", key("x"), group()],
    () => ["XGROUP", "CREATECONSUMER", key("x"), group(), consumer()],
    () => ["XGROUP", "DELCONSUMER", key("x"), group(), consumer()],
    () => ["XSETID", key("x"), "1800000000000-0"],
    () => ["SORT", key("l"), "STORE", key("l")],
    () => ["MSET", text(), n(), pick(random, KEYS), n(), text(), n()],
    () => ["MSETNX", pick(random, KEYS), n(), `new${n()}`, n()],
    () => ["MSETEX", 2, text(), n(), pick(random, KEYS), n(), "PX", 300],
    () => ["MSETEX", 2, text(), n(), text(), n(), ...(oneIn(random, 2) ? ["KEEPTTL", "XX"] : ["NX"])],
    () => ["SET", text(), n(), "IFNE", n(), ...(oneIn(random, 2) ? ["KEEPTTL"] : ["PX", 300])],
    () => ["DELEX", text(), "IFNE", n()],
    () => ["INCREX", text(), "UBOUND", 1e6, "SATURATE", "PX", 300, "ENX"],
    () => ["LMOVEM", key("l"), key("l"), "LEFT", pick(random, ["LEFT", "RIGHT"]), "COUNT", 5, "OBO"],
    () => ["LMOVEM", key("l"), key("l"), "RIGHT", "LEFT", "EXACTLY", 3, "BULK"],
    () => ["RENAME", any(), any()],
    () => ["RENAMENX", any(), any()],
    () => ["COPY", any(), any(), "REPLACE"],
    () => ["COPY", any(), any(), "DB", random.below(3), "REPLACE"],
    () => ["MOVE", any(), random.below(3)],
    () => ["DEL", any(), any()],
    () => ["UNLINK", any()],
    () => ["EXPIRE", any(), random.below(100)],
    () => ["PERSIST", any()],
    () => ["GETEX", text(), "PX", 300],
    () => ["SELECT", random.below(3)],
  ];
  if (oneIn(random, 400)) node.run("SWAPDB", random.below(3), random.below(3));
  if (oneIn(random, 3000)) node.run("FLUSHDB");
  if (oneIn(random, 10_000)) node.run("FLUSHALL");
  if (oneIn(random, 10)) node.unit(() => commands.slice(0, 2).forEach((command) => node.run(...command())));
  node.run(...pick(random, commands)());
  if (oneIn(random, 20)) {
    node.clock.advance(random.below(100));
    node.executor.readClock();
  }
}

Deno.test("a rewritten file holds the data of the store, whatever commands run meanwhile", async () => {
  await property(2, async (random, seed) => {
    const source = await Node.start(new SimulatedDisk(new Seeded(seed)), {
      appendonly: "no",
      "set-max-intset-entries": "10",
    });
    fill(source, random);
    const disk = new SimulatedDisk(new Seeded(seed));
    const file = new AofFile(await disk.create("/data/a.aof"), 0, 0);
    const begin = () => {
      const rewrite = new Rewrite(source.engine, source.executor.table, file);
      source.engine.effects.listen(rewrite);
      return rewrite;
    };
    let rewrite = begin();
    let steps = 0;
    while (!rewrite.done) {
      if (rewrite.stale) {
        source.engine.effects.unlisten(rewrite);
        await file.clear();
        rewrite = begin();
      }
      rewrite.step(400);
      for (let left = random.below(6); left > 0; left--) change(source, random);
      if (oneIn(random, 10)) file.write(true);
      assert(++steps < 100_000, "the rewrite does not end");
    }
    for (let left = 50; left > 0; left--) change(source, random);
    file.write(true);
    await file.close();

    const loaded = await Node.start(disk, {}, source.clock);
    assertEquals(loaded.logged.filter((line) => /failed|damaged/.test(line)), []);
    const actual = contents(loaded.engine.store), expected = contents(source.engine.store);
    assertEquals([...actual].filter((line) => !expected.has(line)), [], "only in the file");
    assertEquals([...expected].filter((line) => !actual.has(line)), [], "not in the file");
    loaded.engine.store.check();
    source.engine.store.check();
  });
});

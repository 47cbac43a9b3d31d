/** INFO keysizes: the histograms follow every way in which keys and values change. */
import { assertEquals, assertThrows } from "@std/assert";
import { InvariantError } from "../../../src/core/assert.ts";
import { Type } from "../../../src/store/keyspace.ts";
import { pick, property } from "../../helpers/property.ts";
import { differential } from "../../helpers/redis.ts";
import { withServer } from "../../helpers/server.ts";

Deno.test("INFO keysizes counts keys by type and power of two", () =>
  withServer(async (client) => {
    const sizes = async () => (await client.run("INFO keysizes")).split("\r\n").slice(1, -1);
    assertEquals(await sizes(), ["# Keysizes", ""]);
    const lines = [
      "SET a 1",
      "APPEND b 123456789",
      "SETRANGE c 2097151 x",
      "SETBIT d 15 1",
      "RPUSH l 1 2 3",
      "SADD s 1 2 3 4",
      "SADD s2 a b c",
      "ZADD z 1 a",
      "HSET h a 1 b 2",
      "PFADD hll a",
      "SELECT 7",
      "SET x yy",
    ];
    for (const line of lines) await client.run(line);
    await client.command("SET", "empty", "");
    assertEquals(await sizes(), [
      "# Keysizes",
      "db0_distrib_strings_sizes:1=1,2=1,8=1,16=1,2M=1",
      "db0_distrib_lists_items:2=1",
      "db0_distrib_sets_items:2=1,4=1",
      "db0_distrib_zsets_items:1=1",
      "db0_distrib_hashes_items:2=1",
      "db7_distrib_strings_sizes:0=1,2=1",
      "",
    ]);
    await client.run("SWAPDB 7 3");
    await client.run("FLUSHDB");
    await client.run("SELECT 0");
    for (const line of ["RPOP l", "SREM s 1 2", "DEL s2", "RENAME z y", "COPY h h2", "HDEL h a b", "INCR a"]) {
      await client.run(line);
    }
    assertEquals(await sizes(), [
      "# Keysizes",
      "db0_distrib_strings_sizes:1=1,2=1,8=1,16=1,2M=1",
      "db0_distrib_lists_items:2=1",
      "db0_distrib_sets_items:2=1",
      "db0_distrib_zsets_items:1=1",
      "db0_distrib_hashes_items:2=1",
      "db3_distrib_strings_sizes:0=1,2=1",
      "",
    ]);
  }));

Deno.test("DEBUG KEYSIZES-HIST-ASSERT checks the histograms after every command that changes a key", () =>
  withServer(async (client, { server }) => {
    const { afterCommand, listeners, store } = server.engine;
    // The check runs here, so that its error reaches the test.
    const added: { run(): void }[] = [];
    afterCommand.add = (work) => added.push(work);
    await client.run("DEBUG KEYSIZES-HIST-ASSERT 1");
    await client.run("SET k 12345");
    await client.run("GET k");
    assertEquals(added.length, 1);
    added[0].run();
    store.databases[0].sizes.move(Type.STRING, 3, 4);
    assertThrows(() => added[0].run(), InvariantError, "the sizes of keys are miscounted");
    store.databases[0].sizes.move(Type.STRING, 4, 3);
    await client.run("DEBUG KEYSIZES-HIST-ASSERT 0");
    await client.run("SET k 1");
    assertEquals(added.length, 1);
    assertEquals(listeners.keyChanged.empty, true);
  }));

differential("INFO keysizes shows what Redis shows after random commands", (pair) =>
  property(3, async (random) => {
    await pair.same("FLUSHALL");
    await pair.same("DEBUG", "KEYSIZES-HIST-ASSERT", "1");
    const key = () => `k${random.below(12)}`;
    const items = (most: number) => Array.from({ length: 1 + random.below(most) }, () => `m${random.below(2 * most)}`);
    const commands = [
      () => ["SET", key(), "x".repeat(random.below(300))],
      () => ["APPEND", key(), "x".repeat(random.below(300))],
      () => ["SETRANGE", key(), String(random.below(5000)), "x"],
      () => ["BITOP", "NOT", key(), key()],
      () => ["RPUSH", key(), ...items(40)],
      () => ["LPOP", key(), String(1 + random.below(30))],
      () => ["LTRIM", key(), "0", String(random.below(30))],
      () => ["LMOVE", key(), key(), "LEFT", "RIGHT"],
      () => ["SADD", key(), ...items(200)],
      () => ["SREM", key(), ...items(100)],
      () => ["SUNIONSTORE", key(), key(), key()],
      () => ["SDIFFSTORE", key(), key(), key()],
      () => ["ZADD", key(), ...items(100).flatMap((item) => [String(random.below(99)), item])],
      () => ["ZREMRANGEBYRANK", key(), "0", String(random.below(50))],
      () => ["ZUNIONSTORE", key(), "2", key(), key()],
      () => ["ZPOPMIN", key(), String(1 + random.below(5))],
      () => ["HSET", key(), ...items(200).flatMap((item) => [item, "v"])],
      () => ["HDEL", key(), ...items(100)],
      () => ["DEL", key()],
      () => ["RENAME", key(), key()],
      () => ["COPY", key(), key(), "REPLACE"],
      () => ["EXPIRE", key(), pick(random, ["-1", "1000"])],
      () => ["PERSIST", key()],
      () => ["MOVE", key(), "1"],
      () => ["SORT", key(), "ALPHA", "STORE", key()],
      () => ["SWAPDB", "0", "1"],
    ];
    for (let i = 0; i < 300; i++) {
      await pair.same(...pick(random, commands)());
      await pair.same("INFO", "keysizes");
    }
  }));

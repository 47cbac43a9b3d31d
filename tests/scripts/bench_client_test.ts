import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { BenchClient, numbered } from "../../scripts/bench/client.ts";
import { SHAPE_NAMES, SHAPES } from "../../scripts/bench/shapes.ts";
import { withServer } from "../helpers/server.ts";

Deno.test("the benchmark's client fills collections of every shape, and reads replies to their end", () =>
  withServer(async (_, { port }) => {
    using client = await BenchClient.connect(port);
    const counting = { HSET: "HLEN", SADD: "SCARD", ZADD: "ZCARD", RPUSH: "LLEN" };
    for (const name of SHAPE_NAMES) {
      await client.fill("key", SHAPES[name], 12_345);
      await client.fill("key", SHAPES[name], 12_350, 12_345);
      assertEquals(await client.number(counting[SHAPES[name].add], "key"), 12_350);
      await client.command("FLUSHALL");
    }
    await client.fillKeys("set", 70, SHAPES["set: integers"], 10);
    assertEquals(await client.number("DBSIZE"), 70);
    assertEquals(await client.number("SISMEMBER", numbered("set", 69), "699"), 1);

    await client.fill("list", SHAPES["list: elements of 32 bytes"], 5000);
    assertEquals(await client.command("LRANGE", "list", "0", "-1"), "*5000");
    assertEquals(await client.command("LINDEX", "list", "0"), "$32");
    assertStringIncludes(await client.text("INFO", "memory"), "\r\nlazyfree_pending_objects:");
    await assertRejects(() => client.command("SADD", "list", "x"), Error, "-WRONGTYPE");
    assertEquals(await client.command("PING"), "+PONG");
  }));

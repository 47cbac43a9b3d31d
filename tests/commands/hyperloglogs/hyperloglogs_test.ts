import { assert, assertEquals } from "@std/assert";
import { withServer } from "../../helpers/server.ts";
import { differential } from "../../helpers/redis.ts";
import { property } from "../../helpers/property.ts";

Deno.test("an estimate is within a few per cent, and merging counts each element once", () =>
  withServer(async (client) => {
    const add = async (key: string, from: number, to: number) => {
      for (let i = from; i < to; i += 500) {
        await client.command("PFADD", key, ...Array.from({ length: Math.min(500, to - i) }, (_, k) => `e${i + k}`));
      }
    };
    await add("a", 0, 20_000);
    await add("b", 10_000, 30_000);
    const near = async (expected: number, ...args: string[]) => {
      const count = Number((await client.command(...args)).slice(1));
      assert(Math.abs(count - expected) < expected * 0.04, `${count} is not about ${expected}`);
    };
    await near(20_000, "PFCOUNT", "a");
    await near(30_000, "PFCOUNT", "a", "b", "missing");
    assertEquals(await client.run("PFMERGE c a b"), "+OK\r\n");
    await near(30_000, "PFCOUNT", "c");
    assertEquals(await client.run("PFSELFTEST"), "+OK\r\n");
  }));

Deno.test("a HyperLogLog keeps its deadline", () =>
  withServer(async (client) => {
    await client.run("PFADD h a");
    await client.run("EXPIRE h 100");
    await client.run("PFADD h b c d");
    assertEquals(await client.run("PFCOUNT h"), ":4\r\n");
    assertEquals(await client.run("TTL h"), ":100\r\n");
  }));

differential("HyperLogLogs are Redis's, byte for byte and error by error", async (pair) => {
  await pair.sameLines(`
    PFADD h a b c
    PFADD h a
    PFADD h
    PFADD empty
    PFADD empty
    GET h
    OBJECT ENCODING h
    PFCOUNT h
    GET h
    PFCOUNT h missing empty
    PFCOUNT missing
    PFDEBUG ENCODING h
    PFDEBUG DECODE h
    PFDEBUG FOO h
    PFDEBUG ENCODING missing
    PFDEBUG ENCODING
    PFMERGE d h missing
    GET d
    PFMERGE fresh
    GET fresh
    PFDEBUG TODENSE h
    PFDEBUG TODENSE h
    PFDEBUG DECODE h
    PFMERGE d h
    PFDEBUG ENCODING d
    SET s x
    PFADD s a
    PFCOUNT s
    PFCOUNT h s
    PFMERGE s h
    PFMERGE h s
    PFDEBUG ENCODING s
    RPUSH l a
    PFADD l a
    PFCOUNT l
    PFMERGE d l
    PFADD
    PFCOUNT
    PFMERGE
    PFADD broken a
    SETRANGE broken 16 xxxx
    PFCOUNT broken
    PFADD broken b c
    PFMERGE d broken`);
  await pair.same("PFDEBUG", "GETREG", "h");
});

for (const limit of ["0", "100", "3000"]) {
  differential(`random elements leave the same bytes as in Redis, with hll-sparse-max-bytes ${limit}`, async (pair) => {
    await property(2, async (random) => {
      await pair.same("FLUSHALL");
      for (let step = 0; step < 120; step++) {
        const key = "abc"[random.below(3)];
        const count = random.below(8) === 0 ? 400 : random.below(12);
        const elements = Array.from({ length: count }, () => "x".repeat(random.below(20)) + random.below(1 << 30));
        await pair.same("PFADD", key, ...elements);
        await pair.same("GET", key);
        if (random.below(4) === 0) await pair.same("PFCOUNT", key);
        if (random.below(10) === 0) await pair.same("PFCOUNT", "a", "b", "c");
        if (random.below(15) === 0) await pair.same("PFMERGE", "d", "a", key);
        if (random.below(15) === 0) await pair.same("GET", "d");
      }
    });
  }, { "hll-sparse-max-bytes": limit });
}

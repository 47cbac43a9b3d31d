/** HOTKEYS: replies and errors are Redis's, and so is what counts. */
import { assert, assertEquals } from "@std/assert";
import { decode, type Value } from "../../helpers/decode.ts";
import { differential } from "../../helpers/redis.ts";
import { withServer } from "../../helpers/server.ts";

type Fields = { [name: string]: Value };

differential("HOTKEYS answers every request and every error as Redis does", async (pair) => {
  await pair.sameLines(`
    HOTKEYS
    HOTKEYS NOPE
    HOTKEYS START
    HOTKEYS START METRICS
    HOTKEYS START METRICS x CPU
    HOTKEYS START METRICS 0 CPU
    HOTKEYS START METRICS 1
    HOTKEYS START METRICS 3 CPU NET
    HOTKEYS START METRICS 2 CPU
    HOTKEYS START METRICS 2 CPU CPU
    HOTKEYS START METRICS 2 NET NET
    HOTKEYS START METRICS 1 CPU NET
    HOTKEYS START METRICS 1 GPU
    HOTKEYS START METRICS 1 CPU COUNT 0
    HOTKEYS START METRICS 1 CPU COUNT 65
    HOTKEYS START METRICS 1 CPU COUNT
    HOTKEYS START METRICS 1 CPU DURATION 0
    HOTKEYS START METRICS 1 CPU DURATION 1000001
    HOTKEYS START METRICS 1 CPU SAMPLE 0
    HOTKEYS START METRICS 1 CPU SAMPLE 2147483648
    HOTKEYS START METRICS 1 CPU SLOTS 1 1
    HOTKEYS START METRICS 1 CPU SLOTS
    HOTKEYS START METRICS 1 CPU BAD 1
    HOTKEYS START COUNT 1 METRICS 1 CPU
    HOTKEYS GET
    HOTKEYS STOP
    HOTKEYS RESET
    HOTKEYS GET a
    HOTKEYS STOP a
    HOTKEYS RESET a
    HOTKEYS START METRICS 2 GPU CPU
    HOTKEYS START METRICS 1 NET
    HOTKEYS RESET
    HOTKEYS STOP
    HOTKEYS START METRICS 1 NET SAMPLE 7 DURATION 1000 COUNT 64
    HOTKEYS STOP
    HOTKEYS STOP
    HOTKEYS RESET
    HOTKEYS GET
  `);
});

differential("HOTKEYS finds the keys and the bytes that it finds in Redis", async ({ memdb, redis }) => {
  const commands = [
    "SET foo bar",
    "GET foo",
    "GET missing",
    "MSET a 1 b 22",
    "MGET a b missing",
    "RENAME a c",
    "INCR foo",
    "LPUSH list 1 2 3",
    "LRANGE list 0 -1",
    "GET list",
    "PING",
    "OBJECT ENCODING foo",
    "EVAL return{redis.call('GET',KEYS[1]),redis.call('GET','unnamed')} 1 b",
  ];
  const results = await Promise.all([memdb, redis].map(async (client) => {
    await client.run("HOTKEYS START METRICS 2 CPU NET COUNT 64");
    for (const line of commands) await client.run(line);
    await client.run("HOTKEYS STOP");
    const flat = decode(await client.run("HOTKEYS GET")) as Value[][];
    assert(Array.isArray(flat[0]) && flat[0][0] === "tracking-active");
    await client.run("HELLO 3");
    const [fields] = decode(await client.run("HOTKEYS GET")) as Fields[];
    return fields;
  }));
  const [ours, theirs] = results.map((fields) => {
    const byBytes = fields["by-net-bytes"] as Value[];
    const pairs = byBytes.flatMap((name, i) => i % 2 === 0 ? [`${name} ${byBytes[i + 1]}`] : []);
    return {
      names: Object.keys(fields),
      bytes: pairs.toSorted(),
      sums: [fields["total-net-bytes"], fields["net-bytes-all-commands-all-slots"]],
      same: ["tracking-active", "sample-ratio", "selected-slots"].map((name) => fields[name]),
    };
  });
  assertEquals(ours, theirs);
});

Deno.test("the commands of a transaction count one by one, and those of a script as the script", () =>
  withServer(async (client) => {
    const keys = async () => {
      await client.run("HOTKEYS STOP");
      const [fields] = decode(await client.run("HOTKEYS GET")) as Value[][];
      return (fields[fields.indexOf("by-net-bytes") + 1] as Value[]).filter((_, i) => i % 2 === 0).toSorted();
    };
    await client.run("HOTKEYS START METRICS 1 NET");
    for (const line of ["MULTI", "SET a 1", "GET b", "EXEC"]) await client.run(line);
    assertEquals(await keys(), ["a", "b"]);
    await client.run("HOTKEYS START METRICS 1 NET");
    await client.command("EVAL", "return redis.call('SET', 'unnamed', 1)", 1, "named");
    assertEquals(await keys(), ["named"]);
  }));

Deno.test("HOTKEYS ends after its duration, INFO shows it, and RESET forgets it", () =>
  withServer(async (client, { clock }) => {
    const info = async () => (await client.run("INFO hotkeys")).match(/tracking-active:\d/)?.[0];
    assertEquals(await info(), undefined);
    await client.run("HOTKEYS START METRICS 1 NET DURATION 2");
    assertEquals(await info(), "tracking-active:1");
    clock.advance(2000);
    assertEquals(await info(), "tracking-active:0");
    assertEquals(await client.run("HOTKEYS STOP"), "$-1\r\n");
    assertEquals(await client.run("HOTKEYS RESET"), "+OK\r\n");
    assertEquals(await info(), undefined);
  }));

/** Transactions over the wire: on MemDB alone, and compared with Redis. */
import { assert, assertEquals } from "@std/assert";
import { transactionCommands } from "../../../src/commands/transactions/transactions.ts";
import { recordEffects } from "../../helpers/effects.ts";
import { differential } from "../../helpers/redis.ts";
import { TEST_START_MS, withServer } from "../../helpers/server.ts";

differential("transactions reply as in Redis", async (pair) => {
  await pair.sameLines(`
    EXEC
    DISCARD
    MULTI
    MULTI
    SET a 1
    INCR a
    LPUSH a x
    GET a
    SELECT 3
    SET b in3
    EXEC
    GET b
    SELECT 0
    GET b
    MULTI
    EXEC
    MULTI
    SET a
    SET a 5
    EXEC
    GET a
    MULTI
    NONSENSE
    EXEC
    MULTI
    CLIENT NONSENSE
    DISCARD
    MULTI
    WATCH a
    UNWATCH
    PING
    EXEC
    WATCH a
    SET a 2
    MULTI
    SET a 3
    EXEC
    GET a
    WATCH a
    SET a 4
    UNWATCH
    MULTI
    GET a
    EXEC
    WATCH a
    SET a 5
    MULTI
    DISCARD
    MULTI
    GET a
    EXEC
    MULTI
    EXEC now
    EXEC
    EXEC now
    MULTI now
    DISCARD now
    WATCH
    UNWATCH now
    MULTI
    SAVE
    EXEC
    MULTI
    MONITOR
    GET a
    EXEC
    MULTI
    CONFIG SET maxmemory 1
    SET a 7
    CONFIG SET maxmemory 0
    EXEC
    GET a
    MULTI
    GET a
    RESET
    EXEC
    WATCH a
    SET a 6
    RESET
    MULTI
    GET a
    EXEC
  `);
  for (const { name } of transactionCommands) {
    await pair.same("COMMAND", "INFO", name);
    await pair.same("COMMAND", "GETKEYS", name, "a", "b");
  }
});

/** Commands of another client between WATCH a and EXEC, and whether each counts as a change of `a`. */
const CHANGES: readonly (readonly [string[], boolean])[] = [
  [["SET a 1"], true],
  [["SET b 1"], false],
  [["GET a"], false],
  [["DEL a"], true],
  [["DEL a", "SET a 0"], true],
  [["EXPIRE a 100"], true],
  [["EXPIRE none 100"], false],
  [["RENAME a b"], true],
  [["SET b 1", "RENAME b a"], true],
  [["COPY a b"], false],
  [["SET b 1", "COPY b a REPLACE"], true],
  [["MOVE a 1"], true],
  [["FLUSHDB"], true],
  [["FLUSHALL"], true],
  [["SELECT 1", "FLUSHDB"], false],
  [["SELECT 1", "SET a 1"], false],
  [["SWAPDB 0 1"], true],
  [["SWAPDB 1 2"], false],
  [["MULTI", "SET a 1", "DISCARD"], false],
  [["MULTI", "SET a 1", "EXEC"], true],
];

Deno.test("a transaction does not run when another client has changed a watched key", async () => {
  for (const [lines, changes] of CHANGES) {
    await withServer(async (client, server) => {
      const other = await server.connect();
      await client.run("SET a 0");
      assertEquals(await client.run("WATCH a"), "+OK\r\n");
      for (const line of lines) await other.run(line);
      await client.run("MULTI");
      await client.run("ECHO done");
      assertEquals(await client.run("EXEC"), changes ? "*-1\r\n" : "*1\r\n$4\r\ndone\r\n", lines.join(", "));
      await client.run("MULTI");
      assertEquals(await client.run("EXEC"), "*0\r\n", "a watch outlived its transaction");
    });
  }
});

Deno.test("a key that comes into being, or into its database, has changed", async () => {
  await withServer(async (client, server) => {
    const other = await server.connect();
    for (const line of ["SET a 1", "SWAPDB 0 1"]) {
      await client.run("WATCH a");
      await other.run(line);
      await client.run("MULTI");
      assertEquals(await client.run("EXEC"), "*-1\r\n", line);
    }
    await client.run("WATCH missing");
    await other.run("FLUSHALL");
    await client.run("MULTI");
    assertEquals(await client.run("EXEC"), "*0\r\n");
  });
});

Deno.test("a key that passes its deadline has changed, but not if it had passed it before", async () => {
  await withServer(async (client, server) => {
    await client.command("SET", "a", 1, "PXAT", TEST_START_MS + 1000);
    await client.command("SET", "b", 1, "PXAT", TEST_START_MS + 1000);
    await client.run("WATCH a");
    server.clock.advance(2000);
    await client.run("MULTI");
    assertEquals(await client.run("EXEC"), "*-1\r\n");
    await client.run("WATCH b");
    await client.run("MULTI");
    assertEquals(await client.run("EXEC"), "*0\r\n");
  });
});

Deno.test("a transaction is logged as one unit with the commands that changed data", async () => {
  await withServer(async (client, server) => {
    const logged = recordEffects(server.server.engine);
    for (const line of ["MULTI", "GET a", "SET a 1", "SELECT 1", "INCR b", "LPUSH b x", "EXEC"]) await client.run(line);
    for (const line of ["MULTI", "GET a", "EXEC", "MULTI", "SET c 1", "DISCARD"]) await client.run(line);
    assertEquals(logged, ["0: MULTI", "0: SET a 1", "1: INCR b", "1: EXEC"]);
  });
});

Deno.test("clients see who is in a transaction, and who watches", async () => {
  await withServer(async (client, server) => {
    const other = await server.connect();
    const shown = async () => {
      const own = (await client.run("CLIENT LIST ID 2")).match(/flags=\S+|multi=\S+|watch=\S+|multi-mem=\S+/g);
      const info = (await client.run("INFO clients")).match(/(?:watching_clients|total_watched_keys):\d+/g);
      return [...own!, ...info!].join(" ");
    };
    assertEquals(await shown(), "flags=N multi=-1 watch=0 multi-mem=0 watching_clients:0 total_watched_keys:0");
    await other.run("WATCH a b a");
    await other.run("MULTI");
    await other.run("SET a 1");
    const shownInTransaction = async () => (await shown()).replace(/multi-mem=[1-9]\d*/, "multi-mem=some");
    assertEquals(
      await shownInTransaction(),
      "flags=x multi=1 watch=2 multi-mem=some watching_clients:1 total_watched_keys:2",
    );
    await client.run("SET b 1");
    assertEquals(
      await shownInTransaction(),
      "flags=xd multi=1 watch=0 multi-mem=some watching_clients:0 total_watched_keys:0",
    );
    assert(server.server.engine.listeners.keyChanged.empty);
    await other.run("DISCARD");
    await other.run("WATCH a b");
    other.close();
    while ((await client.run("INFO clients")).includes("watching_clients:1"));
    assert(server.server.engine.listeners.keyChanged.empty);
  });
});

Deno.test("a transaction that writes is refused when nothing can be written any more", async () => {
  await withServer(async (client, server) => {
    const other = await server.connect();
    const oom = "OOM command not allowed when used memory > 'maxmemory'.\r\n";
    for (const line of ["SET a 1", "MULTI", "SET a 2"]) await client.run(line);
    await other.run("CONFIG SET maxmemory 1");
    assertEquals(await client.run("EXEC"), `-EXECABORT Transaction discarded because of: ${oom}`);
    assertEquals(await client.run("GET a"), "$1\r\n1\r\n");
    await client.run("MULTI");
    assertEquals(await client.run("SET a 3"), `-${oom}`);
    assertEquals(await client.run("EXEC"), "-EXECABORT Transaction discarded because of previous errors.\r\n");
  });
});

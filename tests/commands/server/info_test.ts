/** INFO: its sections, and the fields that tools read. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { PERSONALITIES } from "../../../src/core/personality.ts";
import { MEMDB_VERSION, REDIS_VERSION } from "../../../src/core/version.ts";
import { humanBytes } from "../../../src/commands/server/info_stats.ts";
import { ExpiryState, runExpiryCycle } from "../../../src/engine/expiry.ts";
import type { TestClient } from "../../helpers/client.ts";
import { decode } from "../../helpers/decode.ts";
import { differential, redisTest, withRedis } from "../../helpers/redis.ts";
import { TEST_START_MS, withServer } from "../../helpers/server.ts";

/** The fields of INFO, by section. */
async function info(client: TestClient, ...sections: string[]): Promise<Record<string, Record<string, string>>> {
  const text = decode(await client.command("INFO", ...sections)) as string;
  const found: Record<string, Record<string, string>> = {};
  let section = "";
  for (const line of text.split("\r\n")) {
    if (line.startsWith("# ")) found[section = line.slice(2)] = {};
    else if (line !== "") found[section][line.slice(0, line.indexOf(":"))] = line.slice(line.indexOf(":") + 1);
  }
  return found;
}

/**
 * Fields of Redis that MemDB leaves out, because they describe parts that it does not have or cannot measure: Redis's
 * C library, compiler, event loop, reply buffers and threads.
 */
const LEFT_OUT = new Set([
  "atomicvar_api",
  "gcc_version",
  "reply_buffer_shrinks",
  "reply_buffer_expands",
  "used_cpu_sys_main_thread",
  "used_cpu_user_main_thread",
  "used_active_time_main_thread",
  "module",
]);
const SECTIONS_LEFT_OUT = new Set(["Keysizes"]);

for (const personality of PERSONALITIES) {
  differential(
    `INFO has the sections and fields of ${personality}-server, in its order, by default and in full`,
    async ({ memdb, redis }) => {
      for (const sections of [[], ["everything"], ["all"], ["default"], ["stats", "CPU", "nothing", "memory"]]) {
        const names = async (from: TestClient) => {
          await from.run("SET a b");
          return Object.entries(await info(from, ...sections)).filter(([title]) => !SECTIONS_LEFT_OUT.has(title)).map(
            ([title, fields]) => [
              title,
              ...Object.keys(fields).filter((name) =>
                !LEFT_OUT.has(name) && !/^(memdb|cmdstat|latency_percentiles|listener)_?/.test(name)
              ),
            ],
          );
        };
        assertEquals(await names(memdb), await names(redis));
      }
    },
    { personality },
  );
}

redisTest("the fields of a file that is appended to are Redis's", () =>
  withRedis(async (redis) => {
    await redis.run("CONFIG SET appendonly yes");
    await withServer(async (client, server) => {
      server.server.engine.persistence.enabled = true;
      const names = async (from: TestClient) => Object.keys((await info(from, "persistence")).Persistence);
      assertEquals(await names(client), await names(redis));
    });
  }));

Deno.test("INFO has the fields that clients read", () =>
  withServer(async (client, server) => {
    await client.run("SELECT 2");
    await client.run("SET a b");
    await client.run("SET c d EX 100");
    await client.run("GET a");
    await client.run("GET missing");
    await client.run("NOTHING");
    await client.run("SELECT x");
    await client.run("GET");
    server.clock.advance(90_061_000);
    const found = await info(client, "everything");
    const { Server, Clients, Memory, Persistence, Stats, Replication, Cluster } = found;
    assertEquals([Server.redis_version, Server.memdb_version], [REDIS_VERSION, MEMDB_VERSION]);
    assertEquals(Server.tcp_port, String(server.port));
    assertMatch(Server.run_id, /^[0-9a-f]{40}$/);
    assertEquals(Server.process_id, String(Deno.pid));
    assertEquals(Server.uptime_in_seconds, "90061");
    assertEquals(Server.uptime_in_days, "1");
    assertEquals(Server.server_time_usec, String((TEST_START_MS + 90_061_000) * 1000));
    assertMatch(Server.listener0, new RegExp(`^name=tcp,bind=127\\.0\\.0\\.1,port=${server.port}$`));
    assertEquals(Clients.connected_clients, "1");
    assertEquals(Memory.maxmemory_policy, "noeviction");
    assert(Number(Memory.used_memory) >= Number(Memory.used_memory_dataset));
    assertEquals(Persistence.loading, "0");
    assertEquals(Persistence.aof_enabled, "0");
    assertEquals(Stats.keyspace_hits, "1");
    assertEquals(Stats.keyspace_misses, "1");
    assertEquals(Stats.total_error_replies, "3");
    assertEquals([Stats.total_reads_processed, Stats.total_writes_processed], ["9", "8"]);
    assertEquals(Replication.role, "master");
    assertEquals(Cluster.cluster_enabled, "0");
    assertMatch(
      found.Commandstats.cmdstat_get,
      /^calls=2,usec=\d+,usec_per_call=\d+\.\d\d,rejected_calls=1,failed_calls=0$/,
    );
    assertMatch(found.Commandstats.cmdstat_select, /^calls=2,.*,rejected_calls=0,failed_calls=1$/);
    assertEquals(found.Errorstats, { errorstat_ERR: "count=3" });
    assertMatch(found.Latencystats.latency_percentiles_usec_get, /^p50=[\d.]+,p99=[\d.]+,p99\.9=[\d.]+$/);
  }));

Deno.test("INFO keyspace counts keys and deadlines of the databases that are not empty", () =>
  withServer(async (client) => {
    assertEquals(decode(await client.run("INFO keyspace")), "# Keyspace\r\n");
    await client.run("SET a b EX 100");
    await client.run("SELECT 9");
    await client.run("SET c d");
    const { Keyspace } = await info(client, "keyspace");
    assertMatch(Keyspace.db0, /^keys=1,expires=1,avg_ttl=\d+,subexpiry=0$/);
    assertEquals(Keyspace.db9, "keys=1,expires=0,avg_ttl=0,subexpiry=0");
    assertEquals(Object.keys(Keyspace), ["db0", "db9"]);
  }));

Deno.test("INFO of unknown sections is empty, and verbatim text in RESP3", () =>
  withServer(async (client) => {
    assertEquals(await client.run("INFO nothing"), "$0\r\n\r\n");
    await client.run("HELLO 3");
    assertEquals(await client.run("INFO CLUSTER"), "=34\r\ntxt:# Cluster\r\ncluster_enabled:0\r\n\r\n");
  }));

Deno.test("INFO shows how far the load of a file is", () =>
  withServer(async (client, server) => {
    Object.assign(server.server.engine.persistence, {
      loading: true,
      loadingStartMs: TEST_START_MS - 10_000,
      loadTotalBytes: 1000,
      loadedBytes: 250,
    });
    const { Persistence } = await info(client, "persistence");
    assertEquals(Persistence.loading, "1");
    assertEquals(Persistence.loading_loaded_perc, "25.00");
    assertEquals(Persistence.loading_eta_seconds, "30");
    assertMatch(await client.run("GET a"), /^-LOADING /);
    server.server.engine.persistence.loading = false;
  }));

Deno.test("bytes are shown to people as Redis shows them", () => {
  assertEquals([0, 1023, 1024, 1536, 1024 ** 2 - 1, 5 * 1024 ** 3].map(humanBytes), [
    "0B",
    "1023B",
    "1.00K",
    "1.50K",
    "1024.00K",
    "5.00G",
  ]);
});

Deno.test("keys removed by the expiry cycle count as active, and those found by a command do not", () =>
  withServer(async (client, { clock, server: { engine } }) => {
    const counts = async () => {
      const { Stats } = await info(client, "stats");
      return [Stats.expired_keys, Stats.expired_keys_active, Stats.expired_subkeys, Stats.expired_subkeys_active].join(
        " ",
      );
    };
    const fill = async () => {
      await client.run("SET k v PX 10");
      await client.run("HSET h a 1 b 2");
      await client.run("HPEXPIRE h 10 FIELDS 1 a");
    };
    await client.run("DEBUG SET-ACTIVE-EXPIRE 0");
    await fill();
    clock.advance(10);
    await client.run("GET k");
    await client.run("HGET h a");
    assertEquals(await counts(), "1 0 1 0");
    await fill();
    clock.advance(10);
    await client.run("DEBUG SET-ACTIVE-EXPIRE 1");
    engine.store.setTime(clock.nowMs());
    runExpiryCycle(engine, new ExpiryState());
    assertEquals(await counts(), "2 1 2 1");
    await client.run("CONFIG RESETSTAT");
    assertEquals(await counts(), "0 0 0 0");
  }));

Deno.test("FLUSHALL frees later, but not within a transaction that does not say ASYNC", () =>
  withServer(async (client) => {
    const freed = async () => (await info(client, "memory")).Memory.lazyfreed_objects;
    const fill = () => client.run("MSET a 1 b 2");
    await fill();
    for (const line of ["MULTI", "FLUSHALL", "EXEC"]) await client.run(line);
    assertEquals(await freed(), "0");
    await fill();
    for (const line of ["MULTI", "FLUSHDB ASYNC", "EXEC"]) await client.run(line);
    assertEquals(await freed(), "2");
    await fill();
    await client.run("FLUSHALL SYNC");
    assertEquals(await freed(), "4");
  }));

Deno.test("the peak of memory has a time", () =>
  withServer(async (client, { clock }) => {
    clock.advance(5000);
    await client.command("SET", "k", "x".repeat(100_000));
    const { Memory } = await info(client, "memory");
    assertEquals(Memory.used_memory_peak_time, String(TEST_START_MS / 1000 + 5));
  }));

Deno.test("CLIENT INFO counts the bytes sent and received and the commands of a client", () =>
  withServer(async (client) => {
    await client.run("PING");
    await client.run("NOTHING");
    assertMatch(await client.run("CLIENT INFO"), / io-thread=0 tot-net-in=\d\d+ tot-net-out=\d\d+ tot-cmds=1\n/);
  }));

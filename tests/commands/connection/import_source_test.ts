/** CLIENT IMPORT-SOURCE with the setting import-mode, and CLIENT CAPA: what only Valkey has, compared with Valkey. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { ExpiryState, runExpiryCycle } from "../../../src/engine/expiry.ts";
import { valkeyDifferential } from "../../helpers/redis.ts";
import { withServer } from "../../helpers/server.ts";

valkeyDifferential("a source of the import sees keys past their deadline, and others do not", async (pair) => {
  await pair.sameLines(`
    CLIENT IMPORT-SOURCE ON
    CLIENT IMPORT-SOURCE OFF
    CLIENT IMPORT-SOURCE x
    CLIENT IMPORT-SOURCE
    CLIENT CAPA
    CLIENT CAPA x
    CLIENT CAPA x REDIRECT
    CONFIG SET import-mode yes
    CLIENT IMPORT-SOURCE x
    SET k v PXAT 1
    GET k
    EXISTS k
    SET plain 1
    EXPIRE plain -1
    GET plain
    CLIENT IMPORT-SOURCE ON
    GET k
    PTTL k
    TTL k
    PEXPIRETIME k
    EXPIRE k -1
    GET k
    GETEX k PXAT 1
    GET k
    EXISTS k
    TYPE k
    OBJECT ENCODING k
    APPEND k x
    GET k
    SETEX s 100 v
    PEXPIREAT s 1
    GET s
    HSET h f v g w
    HPEXPIREAT h 1 FIELDS 1 f
    HGET h f
    HGETALL h
    MULTI
    GET k
    EXEC
    CLIENT IMPORT-SOURCE OFF
    GET k
    SET k new
    GET k
    TTL k
    HGET h f
    CLIENT IMPORT-SOURCE ON
    CONFIG SET import-mode no
    GET s
    GET plain
    CLIENT IMPORT-SOURCE ON
  `);
  await pair.same("CONFIG", "SET", "import-mode", "yes");
  await pair.same("CLIENT", "IMPORT-SOURCE", "ON");
  await pair.same("SET", "k", "v", "PXAT", 1);
  for (const script of ["redis.call('GET', KEYS[1])", "redis.call('APPEND', KEYS[1], 'x')"]) {
    await pair.same("EVAL", `return ${script}`, 1, "k");
  }
  await pair.same("RESET");
  await pair.same("GET", "k");
});

Deno.test("in import mode no key expires by itself and none is evicted, until the mode ends", () =>
  withServer(async (client, { clock, server }) => {
    const { engine } = server;
    await client.run("CONFIG SET import-mode yes maxmemory-policy allkeys-random");
    await client.run("MSETEX 2 a 1 b 2 PX 10");
    clock.advance(1000);
    assertEquals(await client.run("GET a"), "$-1\r\n");
    runExpiryCycle(engine, new ExpiryState());
    assertEquals(await client.run("DBSIZE"), ":2\r\n");
    await client.run(`CONFIG SET maxmemory ${engine.usedBytes - 1}`);
    assertMatch(await client.run("SET c 3"), /^-OOM /);
    await client.run("CONFIG SET import-mode no maxmemory 0");
    runExpiryCycle(engine, new ExpiryState());
    assertEquals(await client.run("DBSIZE"), ":0\r\n");
  }));

Deno.test("CLIENT CAPA and IMPORT-SOURCE show in flags and filters of CLIENT LIST, and RESET ends the latter", () =>
  withServer(async (client) => {
    const shown = (...filter: string[]) => client.command("CLIENT", "LIST", ...filter);
    assert(!(await shown("CAPA", "r")).includes("id="));
    await client.run("CLIENT CAPA redirect");
    assert((await shown("CAPA", "r")).includes("id="));
    await client.run("CONFIG SET import-mode yes");
    await client.run("CLIENT IMPORT-SOURCE ON");
    assert((await shown("FLAGS", "I")).includes(" flags=I "));
    await client.run("RESET");
    assert((await shown()).includes(" flags=N "));
    assert((await shown("CAPA", "r")).includes("id="));
  }));

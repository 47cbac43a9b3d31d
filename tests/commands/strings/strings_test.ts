/** The string commands over the wire: replies, logged commands, announced events. */
import { assert, assertEquals } from "@std/assert";
import { latin1, type TestClient } from "../../helpers/client.ts";
import { recordEffects, recordEvents } from "../../helpers/effects.ts";
import { TEST_START_MS, withServer } from "../../helpers/server.ts";

const NULL = "$-1\r\n";
const OK = "+OK\r\n";
const NOT_INTEGER = "-ERR value is not an integer or out of range\r\n";
const NOT_FLOAT = "-ERR value is not a valid float\r\n";
const WRONG_TYPE = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
const SYNTAX = "-ERR syntax error\r\n";

const DIGEST_OF_V = "f7042be43fb80714";

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

/** Runs each line and compares the reply. */
async function script(client: TestClient, lines: readonly (readonly [string, string])[]): Promise<void> {
  for (const [line, reply] of lines) assertEquals(await client.run(line), reply, line);
}

Deno.test("GET and SET keep any bytes, of any length, and reply null for what is missing", () =>
  withServer(async (client) => {
    assertEquals(await client.run("GET k"), NULL);
    for (const length of [0, 1, 43, 44, 45, 127, 128, 4096, 65535, 65536, 300_000, 3, 70_000, 65536, 0]) {
      const value = Uint8Array.from({ length }, (_, i) => (i * 7 + length) & 255);
      assertEquals(await client.command("SET", "k", value), OK);
      assert(await client.command("GET", "k") === bulk(latin1(value)), `length ${length}`);
      assertEquals(await client.run("STRLEN k"), `:${length}\r\n`);
    }
    // Stored in a separate chunk.
    assertEquals(await client.run("SETRANGE k 9000000 x"), ":9000001\r\n");
    assertEquals(await client.run("GETRANGE k 8999999 -1"), bulk("\0x"));
  }));

Deno.test("SET replaces whatever a key held, and its deadline", () =>
  withServer(async (client) => {
    await script(client, [
      ["RPUSH k a b", ":2\r\n"],
      ["GET k", WRONG_TYPE],
      ["SET k v GET", WRONG_TYPE],
      ["SET k v", OK],
      ["SET k w EX 10", OK],
      ["TTL k", ":10\r\n"],
      ["SET k v", OK],
      ["TTL k", ":-1\r\n"],
    ]);
  }));

Deno.test("SET takes its options in any order and case, and refuses contradictions", () =>
  withServer(async (client) => {
    await script(client, [
      ["SET k v XX", NULL],
      ["SET k v xx get", NULL],
      ["SET k v nx Get", NULL],
      ["SET k w GET NX", bulk("v")],
      ["GET k", bulk("v")],
      ["SET k w NX", NULL],
      ["SET k w get px 5000 XX", bulk("v")],
      ["PTTL k", ":5000\r\n"],
      ["SET k x KEEPTTL", OK],
      ["PTTL k", ":5000\r\n"],
      ["SET k x keepttl XX GET", bulk("x")],
      ["PTTL k", ":5000\r\n"],
      ["SET k x EX 5 EX 6", OK],
      ["PTTL k", ":6000\r\n"],
      [`SET k x EXAT ${TEST_START_MS / 1000 + 7}`, OK],
      ["PTTL k", ":7000\r\n"],
      [`SET k x PXAT ${TEST_START_MS + 8}`, OK],
      ["PTTL k", ":8\r\n"],
      ["SET new x KEEPTTL", OK],
      ["PTTL new", ":-1\r\n"],
      ["SET k v NX XX", SYNTAX],
      ["SET k v XX NX", SYNTAX],
      ["SET k v EX 1 PX 1", SYNTAX],
      ["SET k v KEEPTTL EX 1", SYNTAX],
      ["SET k v EX 1 KEEPTTL", SYNTAX],
      ["SET k v EX", SYNTAX],
      ["SET k v PERSIST", SYNTAX],
      ["SET k v 12", SYNTAX],
      ["SET k v EX x", NOT_INTEGER],
      ["SET k v EX 1.5", NOT_INTEGER],
      ["SET k", "-ERR wrong number of arguments for 'set' command\r\n"],
    ]);
  }));

Deno.test("expire times must be positive and stay within 64 bits", () =>
  withServer(async (client) => {
    await client.run("SET k v");
    const max = "9223372036854775807";
    for (const time of ["EX 0", "PX -1", "EXAT 0", "PXAT -5", `EX ${max}`, `PX ${max}`, `EXAT ${max}`]) {
      assertEquals(await client.run(`SET k v ${time}`), "-ERR invalid expire time in 'set' command\r\n", time);
      assertEquals(await client.run(`GETEX k ${time}`), "-ERR invalid expire time in 'getex' command\r\n", time);
    }
    await script(client, [
      ["SETEX k 0 v", "-ERR invalid expire time in 'setex' command\r\n"],
      ["SETEX k x v", NOT_INTEGER],
      ["PSETEX k -1 v", "-ERR invalid expire time in 'psetex' command\r\n"],
      [`PSETEX k ${max} v`, "-ERR invalid expire time in 'psetex' command\r\n"],
      ["GETEX k EXAT 9223372036854776", "-ERR invalid expire time in 'getex' command\r\n"],
      ["GETEX k EXAT 9223372036854775", bulk("v")],
      [`SET k v PXAT ${max}`, OK],
      ["GET k", bulk("v")],
      ["SETEX k 9 v", OK],
      ["PTTL k", ":9000\r\n"],
      ["PSETEX k 9 v", OK],
      ["PTTL k", ":9\r\n"],
    ]);
  }));

Deno.test("a deadline in the past lets SET set, and the key is gone at the next look", () =>
  withServer(async (client, server) => {
    await script(client, [["SET k v PXAT 1", OK], ["GET k", NULL], ["SET k v PX 10", OK], ["GET k", bulk("v")]]);
    server.clock.advance(10);
    await script(client, [["SET k v XX", NULL], ["SETNX k w", ":1\r\n"], ["TTL k", ":-1\r\n"]]);
  }));

Deno.test("GETSET, GETDEL and GETEX return the old string", () =>
  withServer(async (client) => {
    await script(client, [
      ["GETSET k 1", NULL],
      ["GETSET k 2", bulk("1")],
      ["GETEX k PX 100", bulk("2")],
      ["PTTL k", ":100\r\n"],
      ["GETEX k", bulk("2")],
      ["PTTL k", ":100\r\n"],
      ["GETSET k 3", bulk("2")],
      ["PTTL k", ":-1\r\n"],
      ["GETEX k EX 1", bulk("3")],
      ["GETEX k PERSIST", bulk("3")],
      ["PTTL k", ":-1\r\n"],
      ["GETEX k PXAT 1", bulk("3")],
      ["EXISTS k", ":0\r\n"],
      // A missing key is answered before the time is checked, but after the syntax.
      ["GETEX k EX 0", NULL],
      ["GETEX k EX x", NULL],
      ["GETEX k EX", SYNTAX],
      ["GETEX k NX", SYNTAX],
      ["GETEX k KEEPTTL", SYNTAX],
      ["GETEX k EX 1 PERSIST", SYNTAX],
      ["GETEX k PERSIST EX 1", SYNTAX],
      ["GETDEL k", NULL],
      ["SET k v", OK],
      ["GETDEL k", bulk("v")],
      ["GETDEL k", NULL],
      ["LPUSH k v", ":1\r\n"],
      ["GETSET k 1", WRONG_TYPE],
      ["GETDEL k", WRONG_TYPE],
      ["GETEX k", WRONG_TYPE],
      ["GETEX k EX 0", WRONG_TYPE],
    ]);
  }));

Deno.test("several keys at once: MSET, MSETNX, MGET", () =>
  withServer(async (client) => {
    await script(client, [
      ["MSET a 1 b 2 a 3", OK],
      ["LPUSH l x", ":1\r\n"],
      ["MGET a b missing l", `*4\r\n${bulk("3")}${bulk("2")}${NULL}${NULL}`],
      ["MSETNX c 1 a 2", ":0\r\n"],
      ["EXISTS c", ":0\r\n"],
      ["MSETNX c 1 d 2 c 3", ":1\r\n"],
      ["MGET c d", `*2\r\n${bulk("3")}${bulk("2")}`],
      ["SETNX c 4", ":0\r\n"],
      ["SETNX e 4", ":1\r\n"],
      ["MSET l 1", OK],
      ["GET l", bulk("1")],
      ["MSET a 1 b", "-ERR wrong number of arguments for 'mset' command\r\n"],
      ["MSETNX a 1 b", "-ERR wrong number of arguments for 'msetnx' command\r\n"],
    ]);
    assertEquals(await client.command("HELLO", 3).then((reply) => reply[0]), "%");
    assertEquals(await client.run("MGET missing a"), `*2\r\n_\r\n${bulk("3")}`);
    assertEquals(await client.run("GET missing"), "_\r\n");
  }));

Deno.test("counters count in 64 bits, whatever their length becomes", () =>
  withServer(async (client) => {
    const max = "9223372036854775807", min = "-9223372036854775808";
    const overflow = "-ERR increment or decrement would overflow\r\n";
    await script(client, [
      ["INCR n", ":1\r\n"],
      ["INCRBY n 8", ":9\r\n"],
      ["INCR n", ":10\r\n"],
      ["DECR n", ":9\r\n"],
      ["DECRBY n 10", ":-1\r\n"],
      ["INCR n", ":0\r\n"],
      ["GET n", bulk("0")],
      ["DECR n", ":-1\r\n"],
      ["INCRBY n 1000000000000000", ":999999999999999\r\n"],
      ["INCR n", ":1000000000000000\r\n"],
      ["INCR n", ":1000000000000001\r\n"],
      ["DECRBY n 1000000000000002", ":-1\r\n"],
      [`SET n ${max}`, OK],
      ["INCR n", overflow],
      ["INCRBY n 1", overflow],
      ["DECR n", ":9223372036854775806\r\n"],
      ["INCR n", `:${max}\r\n`],
      ["OBJECT ENCODING n", bulk("int")],
      [`SET n ${min}`, OK],
      ["DECR n", overflow],
      [`INCRBY n ${min}`, overflow],
      ["INCR n", ":-9223372036854775807\r\n"],
      [`INCRBY n ${max}`, ":0\r\n"],
      [`DECRBY n ${min}`, "-ERR decrement would overflow\r\n"],
      [`DECRBY n ${max}`, ":-9223372036854775807\r\n"],
      ["INCRBY n 9223372036854775808", NOT_INTEGER],
      ["INCRBY n +1", NOT_INTEGER],
      ["INCRBY n 1.0", NOT_INTEGER],
      ["DECRBY fresh 5", ":-5\r\n"],
      ["INCRBY zero 0", ":0\r\n"],
      ["DECRBY zero 0", ":0\r\n"],
    ]);
    for (const text of ["", "abc", "01", "1 ", "-0", "9223372036854775808", "1".repeat(70_000)]) {
      await client.command("SET", "t", text);
      assertEquals(await client.run("INCR t"), NOT_INTEGER, text);
    }
    await script(client, [
      ["LPUSH l 1", ":1\r\n"],
      ["INCR l", WRONG_TYPE],
      ["INCRBY l x", NOT_INTEGER],
      ["SET n 9 EX 10", OK],
      ["INCR n", ":10\r\n"],
      ["DECR n", ":9\r\n"],
      ["INCRBY n 1000000000000000000", ":1000000000000000009\r\n"],
      ["TTL n", ":10\r\n"],
    ]);
  }));

Deno.test("INCRBYFLOAT adds long doubles and keeps the deadline", () =>
  withServer(async (client) => {
    await script(client, [
      ["INCRBYFLOAT f 0.1", bulk("0.1")],
      ["INCRBYFLOAT f 0.2", bulk("0.3")],
      ["INCRBYFLOAT f -0.3", bulk("0")],
      ["INCRBYFLOAT f 5.0e3", bulk("5000")],
      ["OBJECT ENCODING f", bulk("embstr")],
      ["INCR f", ":5001\r\n"],
      ["OBJECT ENCODING f", bulk("int")],
      [
        "INCRBYFLOAT f 1e60",
        bulk("999999999999999999999373423426722168652130621984886772203520"),
      ],
      ["OBJECT ENCODING f", bulk("raw")],
      ["INCRBYFLOAT f x", NOT_FLOAT],
      ["INCRBYFLOAT f inf", "-ERR increment would produce NaN or Infinity\r\n"],
      ["INCRBYFLOAT f nan", NOT_FLOAT],
      ["SET f inf", OK],
      ["INCRBYFLOAT f -inf", "-ERR increment would produce NaN or Infinity\r\n"],
      ["SET f abc", OK],
      ["INCRBYFLOAT f 1", NOT_FLOAT],
      ["SET f 1 EX 10", OK],
      ["INCRBYFLOAT f 1.25", bulk("2.25")],
      ["TTL f", ":10\r\n"],
      ["LPUSH l 1", ":1\r\n"],
      ["INCRBYFLOAT l x", WRONG_TYPE],
    ]);
  }));

Deno.test("APPEND and SETRANGE let strings grow, STRLEN and GETRANGE look at them", () =>
  withServer(async (client) => {
    await script(client, [
      ["STRLEN k", ":0\r\n"],
      ["APPEND k Hello", ":5\r\n"],
      ["OBJECT ENCODING k", bulk("embstr")],
      ["APPEND k World", ":10\r\n"],
      ["OBJECT ENCODING k", bulk("raw")],
      ["SETRANGE k 12 !", ":13\r\n"],
      ["GET k", bulk("HelloWorld\0\0!")],
      ["SETRANGE k 0 J", ":13\r\n"],
      ["GETRANGE k 0 4", bulk("Jello")],
      ["GETRANGE k -1 -1", bulk("!")],
      ["GETRANGE k -100 0", bulk("J")],
      ["GETRANGE k -100 -200", bulk("")],
      ["GETRANGE k -200 -100", bulk("J")],
      ["GETRANGE k 5 4", bulk("")],
      ["GETRANGE k 13 20", bulk("")],
      ["GETRANGE k 9 9223372036854775807", bulk("d\0\0!")],
      ["SUBSTR k 1 -9", bulk("ello")],
      ["GETRANGE k x 1", NOT_INTEGER],
      ["GETRANGE missing 0 -1", bulk("")],
      ["SETRANGE new 2 x", ":3\r\n"],
      ["GET new", bulk("\0\0x")],
      ["OBJECT ENCODING new", bulk("raw")],
      ["SETRANGE k -1 x", "-ERR offset is out of range\r\n"],
      ["SETRANGE k x x", NOT_INTEGER],
      ["SET n 12", OK],
      ["SETRANGE n 0 3", ":2\r\n"],
      ["OBJECT ENCODING n", bulk("raw")],
      ["INCR n", ":33\r\n"],
      ["OBJECT ENCODING n", bulk("int")],
      ["LPUSH l 1", ":1\r\n"],
      ["APPEND l x", WRONG_TYPE],
      ["SETRANGE l 0 x", WRONG_TYPE],
      ["STRLEN l", WRONG_TYPE],
      ["GETRANGE l 0 1", WRONG_TYPE],
      ["SETRANGE l -1 x", "-ERR offset is out of range\r\n"],
    ]);
    // Writing zero bytes is no change, except for APPEND.
    assertEquals(await client.command("SETRANGE", "none", 5, ""), ":0\r\n");
    assertEquals(await client.command("SETRANGE", "l", 0, ""), WRONG_TYPE);
    assertEquals(await client.run("EXISTS none"), ":0\r\n");
    assertEquals(await client.command("APPEND", "none", ""), ":0\r\n");
    assertEquals(await client.run("EXISTS none"), ":1\r\n");
    let text = "";
    for (let i = 0; i < 200; i++) {
      const piece = String.fromCharCode(65 + i % 26).repeat(i * 10);
      text += piece;
      assertEquals(await client.command("APPEND", "long", piece), `:${text.length}\r\n`);
    }
    assert(await client.run("GET long") === bulk(text));
  }));

Deno.test("no string grows beyond proto-max-bulk-len", () =>
  withServer(async (client) => {
    const tooLong = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";
    const limit = 1 << 20;
    assertEquals(await client.command("SET", "k", "x".repeat(limit - 1)), OK);
    await script(client, [
      ["APPEND k x", `:${limit}\r\n`],
      ["APPEND k x", tooLong],
      [`SETRANGE k ${limit} x`, tooLong],
      [`SETRANGE k ${limit - 1} y`, `:${limit}\r\n`],
      ["SETRANGE none 9223372036854775807 x", tooLong],
      ["EXISTS none", ":0\r\n"],
    ]);
  }, { settings: { "proto-max-bulk-len": "1mb" } }));

Deno.test("LCS gives the same replies as Redis, with all options", () =>
  withServer(async (client) => {
    await client.run("MSET a ohmytext b mynewtext long 0");
    await client.command("SETRANGE", "long", 600_000, "x");
    const first = "*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n", second = "*2\r\n:2\r\n:3\r\n*2\r\n:0\r\n:1\r\n";
    const matches = `${bulk("matches")}*2\r\n*2\r\n${first}*2\r\n${second}${bulk("len")}:6\r\n`;
    await script(client, [
      ["LCS a b", bulk("mytext")],
      ["LCS a b LEN", ":6\r\n"],
      ["LCS a b idx", `*4\r\n${matches}`],
      [
        "LCS a b IDX WITHMATCHLEN MINMATCHLEN 4",
        `*4\r\n${bulk("matches")}*1\r\n*3\r\n${first}:4\r\n${bulk("len")}:6\r\n`,
      ],
      ["LCS a b IDX MINMATCHLEN -1", `*4\r\n${matches}`],
      ["LCS a missing", bulk("")],
      ["LCS missing a IDX", `*4\r\n${bulk("matches")}*0\r\n${bulk("len")}:0\r\n`],
      ["LCS a b LEN IDX", "-ERR If you want both the length and indexes, please just use IDX.\r\n"],
      ["LCS a b MINMATCHLEN", SYNTAX],
      ["LCS a b MINMATCHLEN x", NOT_INTEGER],
      ["LCS a b c", SYNTAX],
      ["LCS long long", "-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len\r\n"],
      ["LPUSH l 1", ":1\r\n"],
      ["LCS a l", "-ERR The specified keys must contain string values\r\n"],
    ]);
    await client.run("HELLO 3");
    assertEquals(await client.run("LCS a b IDX"), `%2\r\n${matches}`);
  }));

Deno.test("the log contains results: absolute times, no additions, no options that only affect the reply", () =>
  withServer(async (client, server) => {
    const at = (ms: number) => TEST_START_MS + ms;
    const steps: [string, string[]][] = [
      ["SET k v", ["SET k v"]],
      ["set k v EX 10", [`SET k v PXAT ${at(10_000)}`]],
      ["SET k v XX px 10 GET", [`SET k v PXAT ${at(10)}`]],
      [`SET k v EXAT ${at(1000) / 1000}`, [`SET k v PXAT ${at(1000)}`]],
      [`SET k v PXAT ${at(7)} XX`, [`SET k v PXAT ${at(7)} XX`]],
      ["SET k v KEEPTTL GET", ["SET k v KEEPTTL"]],
      ["SET k v IFEQ w", []],
      ["SET k v IFEQ v KEEPTTL", ["SET k v KEEPTTL"]],
      ["SET k v IFNE w GET", ["SET k v"]],
      [`SET k v IFNE w PXAT ${at(9)}`, [`SET k v PXAT ${at(9)}`]],
      [`SET k v IFDEQ ${DIGEST_OF_V} EX 10`, [`SET k v PXAT ${at(10_000)}`]],
      [`DELEX k IFDNE ${DIGEST_OF_V}`, []],
      [`DELEX k IFDEQ ${DIGEST_OF_V}`, ["DEL k"]],
      ["DELEX k", []],
      ["SET k v", ["SET k v"]],
      ["DELIFEQ k w", []],
      ["DELIFEQ k v", ["DEL k"]],
      ["SET k v", ["SET k v"]],
      ["MSETEX 1 k v NX", []],
      ["MSETEX 2 m v n w NX", ["MSETEX 2 m v n w"]],
      ["MSETEX 2 m v n w EX 10 XX", [`MSETEX 2 m v n w PXAT ${at(10_000)}`]],
      ["MSETEX 2 m v n w KEEPTTL", ["MSETEX 2 m v n w KEEPTTL"]],
      ["SET k v NX", []],
      ["SET k v GET", ["SET k v"]],
      ["SETEX k 10 v", [`SET k v PXAT ${at(10_000)}`]],
      ["PSETEX k 10 v", [`SET k v PXAT ${at(10)}`]],
      ["SETNX k v", []],
      ["SETNX k2 v", ["SETNX k2 v"]],
      ["GETSET k w", ["SET k w"]],
      ["GETEX k", []],
      ["GETEX k PERSIST", []],
      ["GETEX k EX 10", [`PEXPIREAT k ${at(10_000)}`]],
      ["GETEX k PERSIST", ["PERSIST k"]],
      ["GETEX k PXAT 1", ["DEL k"]],
      ["GETDEL k2", ["DEL k2"]],
      ["GETDEL k2", []],
      ["MSET a 1 b 2", ["MSET a 1 b 2"]],
      ["MSETNX a 1 c 2", []],
      ["MSETNX c 1 d 2", ["MSETNX c 1 d 2"]],
      ["INCR a", ["INCR a"]],
      ["DECRBY a 5", ["DECRBY a 5"]],
      ["INCREX a UBOUND 0", ["SET a -2"]],
      ["INCREX a UBOUND -5", []],
      ["INCREX a EX 10", [`SET a -1 PXAT ${at(10_000)}`]],
      ["INCREX a EX 99 ENX", [`SET a 0 PXAT ${at(10_000)}`]],
      ["INCREX a BYINT -3 PERSIST", ["SET a -3"]],
      ["INCRBYFLOAT a 1.5", ["SET a -1.5 KEEPTTL"]],
      ["INCR a", []],
      ["APPEND a 1", ["APPEND a 1"]],
      ["SETRANGE a 1 1", ["SETRANGE a 1 1"]],
      ["SET far v PXAT 9223372036854775807", ["SET far v PXAT 9223372036854775807"]],
      ["GETEX far PXAT 9223372036854775807", ["PEXPIREAT far 9223372036854775807"]],
    ];
    const logged = recordEffects(server.server.engine);
    for (const [line, expected] of steps) {
      await client.run(line);
      assertEquals(logged.splice(0), expected.map((command) => `0: ${command}`), line);
    }
  }));

Deno.test("changes are announced by the names that Redis gives them", () =>
  withServer(async (client, server) => {
    const steps: [string, string[]][] = [
      ["SET k 1", ["$ set k"]],
      ["SET k 1 EX 10", ["$ set k", "g expire k"]],
      ["SET k 1 KEEPTTL", ["$ set k"]],
      ["SETEX k 10 1", ["$ set k", "g expire k"]],
      ["SETNX k 1", []],
      ["GETSET k 1", ["$ set k"]],
      ["GETEX k EX 5", ["g expire k"]],
      ["GETEX k PERSIST", ["g persist k"]],
      ["INCR k", ["$ incrby k"]],
      ["DECRBY k 2", ["$ incrby k"]],
      ["INCRBYFLOAT k 2", ["$ incrbyfloat k"]],
      ["INCREX k EX 10", ["$ incrby k", "g expire k"]],
      ["INCREX k BYFLOAT 1 PERSIST", ["$ incrbyfloat k", "g persist k"]],
      ["INCREX k UBOUND 0", []],
      ["APPEND k 1", ["$ append k"]],
      ["SETRANGE k 1 1", ["$ setrange k"]],
      ["MSET a 1 b 2", ["$ set a", "$ set b"]],
      ["MSETNX c 1 d 2", ["$ set c", "$ set d"]],
      ["MSETEX 2 e 1 f 2", ["$ set e", "$ set f"]],
      ["MSETEX 2 e 1 f 2 EX 9", ["g expire e", "$ set e", "g expire f", "$ set f"]],
      ["SET e 3 IFEQ 1", ["$ set e"]],
      ["DELEX e IFEQ 3", ["g del e"]],
      ["DELEX f", ["g del f"]],
      ["DELIFEQ d 2", ["g del d"]],
      ["GETDEL a", ["g del a"]],
      ["GETEX b PXAT 1", ["g del b"]],
    ];
    const events = recordEvents(server.server.engine);
    for (const [line, expected] of steps) {
      await client.run(line);
      assertEquals(events.splice(0), expected.map((event) => `0: ${event}`), line);
    }
  }));

Deno.test("SET and DELEX compare the old value or its digest", () =>
  withServer(async (client) => {
    await script(client, [
      ["SET k v IFEQ v", NULL],
      ["SET k v IFNE v", OK],
      ["SET k w IFEQ x GET", bulk("v")],
      ["SET k w IFEQ v GET", bulk("v")],
      ["SET k v IFDEQ 0", "-ERR must be exactly 16 hexadecimal characters\r\n"],
      ["SET missing v IFDEQ 0", NULL],
      [`SET k v IFDEQ ${DIGEST_OF_V}`, NULL],
      [`SET k v IFDNE ${DIGEST_OF_V}`, OK],
      ["DIGEST k", bulk(DIGEST_OF_V)],
      [`SET k v IFDEQ ${DIGEST_OF_V.toUpperCase()} GET`, bulk("v")],
      ["DELEX k IFNE v", ":0\r\n"],
      ["DELEX k IFEQ v IFNE", "-ERR wrong number of arguments for 'delex' command\r\n"],
      ["DELEX k XX v", "-ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE\r\n"],
      ["DELEX k IFEQ v", ":1\r\n"],
      ["RPUSH l a", ":1\r\n"],
      ["DELEX l IFEQ a", "-ERR Key should be of string type if conditions are specified\r\n"],
      ["DELIFEQ l a", WRONG_TYPE],
      ["DELEX l", ":1\r\n"],
      ["DELIFEQ l a", ":0\r\n"],
    ]);
  }));

Deno.test("every command that sets a string with a deadline counts one change for each key", () =>
  withServer(async (client, server) => {
    for (const [line, changes] of [["SET k v EX 9", 1], ["SETEX k 9 v", 1], ["MSETEX 2 a 1 b 2 EX 9", 2]] as const) {
      const before = server.server.engine.stats.changes;
      await client.run(line);
      assertEquals(server.server.engine.stats.changes - before, changes, line);
    }
  }));

Deno.test("INCREX adds within bounds, and sets the deadline, as its documentation says", () =>
  withServer(async (client) => {
    const pair = (a: number, b: number) => `*2\r\n:${a}\r\n:${b}\r\n`,
      floats = (a: string, b: string) => `*2\r\n${bulk(a)}${bulk(b)}`;
    await script(client, [
      ["INCREX a", pair(1, 1)],
      ["INCREX a BYINT -10", pair(-9, -10)],
      ["SET f 1.5", OK],
      ["INCREX f BYFLOAT 0.25", floats("1.75", "0.25")],
      ["INCREX f BYFLOAT 10 UBOUND 5", floats("1.75", "0")],
      ["INCREX f BYFLOAT 10 UBOUND 5.5 SATURATE", floats("5.5", "3.75")],
      ["INCREX f BYFLOAT -10 LBOUND -1.5 SATURATE", floats("-1.5", "-7")],
      ["INCREX f BYFLOAT 1 LBOUND -inf UBOUND inf", floats("-0.5", "1")],
      ["INCREX f", NOT_INTEGER],
      ["INCREX f BYFLOAT inf", "-ERR increment would produce NaN or Infinity\r\n"],
      ["INCREX f BYFLOAT x", NOT_FLOAT],
      ["SET n 99 EX 100", OK],
      ["INCREX n BYINT 5 UBOUND 100 PERSIST", pair(99, 0)],
      ["TTL n", ":100\r\n"],
      ["INCREX n BYINT 5 UBOUND 100 SATURATE PX 5000", pair(100, 1)],
      ["PTTL n", ":5000\r\n"],
      ["INCREX n EX 10 ENX", pair(101, 1)],
      ["PTTL n", ":5000\r\n"],
      ["INCREX n PERSIST", pair(102, 1)],
      ["TTL n", ":-1\r\n"],
      ["INCREX n ENX EX 10", pair(103, 1)],
      ["TTL n", ":10\r\n"],
      ["INCREX n", pair(104, 1)],
      ["TTL n", ":10\r\n"],
      ["INCREX none BYINT 5 UBOUND 3", pair(0, 0)],
      ["EXISTS none", ":0\r\n"],
      ["INCREX none BYINT 5 UBOUND 3 SATURATE", pair(3, 3)],
      ["SET max 9223372036854775807", OK],
      ["INCREX max", "*2\r\n:9223372036854775807\r\n:0\r\n"],
      ["SET min -9223372036854775808", OK],
      ["INCREX min BYINT 1 LBOUND 9223372036854775807 SATURATE", "-ERR increment or decrement would overflow\r\n"],
      ["INCREX n ENX", SYNTAX],
      ["INCREX n ENX PERSIST", SYNTAX],
      ["INCREX n EX 10 PERSIST", SYNTAX],
      ["INCREX n EX 10 PX 10", SYNTAX],
      ["INCREX n BYINT 1 BYFLOAT 1", SYNTAX],
      ["INCREX n BYINT", SYNTAX],
      ["INCREX n EX 0", "-ERR invalid expire time in 'increx' command\r\n"],
      ["INCREX n BYINT 1.5", NOT_INTEGER],
      ["INCREX n LBOUND 2 UBOUND 1", "-ERR LBOUND can't be greater than UBOUND\r\n"],
      ["RPUSH l a", ":1\r\n"],
      ["INCREX l", WRONG_TYPE],
    ]);
    await client.run("HELLO 3");
    await script(client, [
      ["INCREX f BYFLOAT 2", "*2\r\n,1.5\r\n,2\r\n"],
      ["INCREX a", pair(-8, 1)],
    ]);
  }));

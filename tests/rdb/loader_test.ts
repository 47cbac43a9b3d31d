/**
 * Loading RDB files: intact files, and damaged files, which must fail with an RdbError and with no other error.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { latin1, utf8 } from "../../src/core/bytes.ts";
import { SeededRandom } from "../../src/core/random.ts";
import { RdbError } from "../../src/rdb/format.ts";
import { RdbInput } from "../../src/rdb/input.ts";
import { RdbLoader, type RdbLoadOptions, type RdbLoadResult } from "../../src/rdb/loader.ts";
import { snapshotImage } from "../../src/rdb/save.ts";
import { HashValue } from "../../src/store/values/hash_value.ts";
import { Type } from "../../src/store/keyspace.ts";
import { List } from "../../src/store/values/list.ts";
import { MemberSet } from "../../src/store/values/set.ts";
import { SortedSet } from "../../src/store/values/sorted_set.ts";
import { Store } from "../../src/store/store.ts";
import { findKey } from "../helpers/engine.ts";
import { property } from "../helpers/property.ts";
import { imageOf, MODULE_KEY } from "../helpers/rdb_image.ts";
import { TEST_START_MS, TestServer } from "../helpers/server.ts";

/** A snapshot with a small value of each type and format. */
async function smallSnapshot(): Promise<Uint8Array> {
  await using server = await TestServer.start({
    settings: {
      "zset-max-listpack-entries": "3",
      "hash-max-listpack-entries": "3",
      "set-max-listpack-entries": "3",
      "list-max-listpack-size": "2",
    },
  });
  const client = await server.connect();
  const commands = [
    "SET string text",
    "SET integer 70000",
    `SET compressible ${"abc".repeat(30)}`,
    "SET deadline x PX 100000",
    "SET far x PXAT 9007199254740993",
    "RPUSH list 1",
    "RPUSH long a b 3 4 5",
    "SADD integers 1 2 70000",
    "SADD words a b",
    "SADD large a b c d e",
    "ZADD scores 1 a 2.5 b",
    "ZADD large:scores 1 a 2 b 3 c inf d",
    "HSET hash a 1 b 2",
    "HSET large:hash a 1 b 2 c 3 d 4",
    "HSET fields a 1 b 2",
    "HPEXPIRE fields 100000 FIELDS 1 a",
    "HSET large:fields a 1 b 2 c 3 d 4",
    "HPEXPIRE large:fields 100000 FIELDS 1 a",
    "SELECT 1",
    "SET other 1",
  ];
  for (const command of commands) {
    const reply = await client.run(command);
    assert(!reply.startsWith("-"), `${command}: ${reply}`);
  }
  return snapshotImage(server.server.engine).slice();
}

/** An empty store of two databases. */
function createStore(): Store {
  const store = new Store({ databases: 2, random: new SeededRandom(1) });
  store.register(Type.LIST, new List(store.arena));
  store.register(Type.SET, new MemberSet(store.arena));
  store.register(Type.ZSET, new SortedSet(store.arena, store.dict));
  store.register(Type.HASH, new HashValue(store));
  store.setTime(TEST_START_MS);
  return store;
}

/** Loads an image into a new store. */
function load(image: Uint8Array, options: RdbLoadOptions = {}): { store: Store; result: RdbLoadResult } {
  const store = createStore();
  return { store, result: new RdbLoader(store, RdbInput.of(image), options).run() };
}

Deno.test("a snapshot cut anywhere is refused", async () => {
  const image = await smallSnapshot();
  load(image).store.check();
  for (let length = 0; length < image.length; length++) {
    const error = assertThrows(() => load(image.subarray(0, length)), RdbError);
    assert(error.offset <= length, `offset ${error.offset} of ${length} bytes`);
  }
});

Deno.test("a snapshot with any bit changed is refused", async () => {
  const image = await smallSnapshot();
  await property(1, (random) => {
    for (let i = 0; i < image.length; i++) {
      const changed = image.slice();
      changed[i] ^= 1 << random.below(8);
      assertThrows(() => load(changed), RdbError);
    }
  });
});

Deno.test("without the checksum's help a changed byte still does no harm", async () => {
  const image = await smallSnapshot();
  await property(1, (random) => {
    for (let i = 0; i < image.length; i++) {
      const changed = image.slice();
      changed[i] = random.below(3) === 0 ? 255 : random.below(256);
      try {
        const { store } = load(changed, { checksum: false });
        store.check();
        assert(store.arena.usedBytes < 1e6, "memory was taken for what is not there");
      } catch (error) {
        if (!(error instanceof RdbError)) throw new Error(`byte ${i} as ${changed[i]}`, { cause: error });
      }
    }
  });
});

Deno.test("a file is read in pieces of any size", async () => {
  const image = await smallSnapshot();
  await property(5, (random) => {
    let at = 0;
    const read = (into: Uint8Array) => {
      const count = Math.min(1 + random.below(5), into.length, image.length - at);
      into.set(image.subarray(at, at += count));
      return count === 0 ? null : count;
    };
    const store = createStore();
    new RdbLoader(store, new RdbInput(read, image.length, new Uint8Array(16))).run();
    store.check();
    assertEquals(store.databases[0].size, load(image).store.databases[0].size);
  });
});

Deno.test("fields, attributes and opcodes are read, or walked over by name", () => {
  const { store, result } = load(imageOf(
    "\xfa\x09redis-ver\x058.0.2",
    "\xfe\x00\xfb\x03\x01",
    "\xf4\x01\x02\x03",
    "\xf5\x03lib",
    "\xfc\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04gone\x01x",
    "\xfd\xff\xff\xff\x7f\x00\x04kept\x01y",
    "\xf8\x40\x64\x00\x04idle\x01z",
    "\x02\x05empty\x00",
    MODULE_KEY,
    "\xfe\x01\x00\x05other\xc0\x07",
  ));
  assertEquals(result.fields.get("redis-ver"), "8.0.2");
  assertEquals([result.keys, result.expired, result.empty, result.skippedCount], [3, 1, 1, 2]);
  assertEquals(result.skipped, [
    "a library of functions",
    'the key "mod" in database 0: a value of the module type ABCDEFGHI',
  ]);
  assertEquals(store.databases.map((db) => db.size), [2, 1]);
  assertEquals(store.databases[0].deadlineOf(findKey(store.databases[0], "kept")), 0x7fffffff * 1000);
  assertEquals(store.idleSeconds(findKey(store.databases[0], "idle")), 100);
  store.check();
});

const REFUSED: Record<string, Uint8Array> = {
  "it does not begin as an RDB file does": utf8("*1\r\n$4\r\nPING\r\n"),
  "it has a database 2, and the setting databases allows 2": imageOf("\xfe\x02"),
  'the key "k" in database 0 comes a second time': imageOf("\x00\x01k\x01a\x00\x01k\x01b"),
  'the key "k" in database 0 has an element twice': imageOf("\x02\x01k\x02\x01a\x01a"),
  "a value of the unknown type 90": imageOf("\x5a\x01k"),
  "it ends too early": imageOf("\x00\x01k\x80\x7f\xff\xff\xff"),
  "a string of 72057594037927940 bytes is announced": imageOf("\x00\x01k\x81\x01\0\0\0\0\0\0\x00"),
  "1000 elements are announced where fewer have room": imageOf("\x02\x01k\x43\xe8"),
  "5 compressed bytes cannot be 16000": imageOf("\x00\x01k\xc3\x05\x7e\x80abcde"),
  "a listpack does not hold what it should": imageOf("\x10\x01k\x07\x07\0\0\0\x01\0\xff"),
  "a value of a module in the old form, which only the module can read": imageOf("\x06\x01k\x01"),
};

for (const [reason, image] of Object.entries(REFUSED)) {
  Deno.test(`a file is refused: ${reason}`, () => {
    const error = assertThrows(() => load(image), RdbError);
    assert(error.message.endsWith(`: ${reason}`), error.message);
  });
}

Deno.test("a file of a newer server is refused by its version, not as damaged", () => {
  const refusal = (text: string) => assertThrows(() => load(utf8(text)), RdbError).message;
  assertEquals(refusal("REDIS0014\xff"), "in RDB version 14 of Redis, and only versions 1 to 13 are read");
  assertEquals(refusal("REDIS0000\xff"), "in RDB version 0 of Redis, and only versions 1 to 13 are read");
  assertEquals(refusal("VALKEY081\xff"), "in RDB version 81 of Valkey, and only version 80 is read");
});

Deno.test("a file of a server that writes no checksums is read", () => {
  const image = imageOf("\x00\x01k\x01a");
  image.fill(0, image.length - 8);
  assertEquals(load(image).result.keys, 1);
  assertEquals(latin1(image, 0, 5), "REDIS");
});

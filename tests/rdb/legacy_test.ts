/**
 * The value formats of older versions of Redis: a redis-server and MemDB each restore them, and must get the same
 * value.
 */
import { assertEquals } from "@std/assert";
import { fromLatin1, utf8 } from "../../src/core/bytes.ts";
import { RdbType } from "../../src/rdb/format.ts";
import { payloadOf } from "../helpers/payload.ts";
import { differential, type Pair } from "../helpers/redis.ts";
import { concatBytes } from "../helpers/wire.ts";

function little(value: number | bigint, bytes: number): Uint8Array {
  const out = new Uint8Array(bytes);
  let rest = BigInt.asUintN(64, BigInt(value));
  for (let i = 0; i < bytes; i++, rest >>= 8n) out[i] = Number(rest & 255n);
  return out;
}

/** A length of up to 14 bits, or 32. */
function length(value: number): Uint8Array {
  if (value < 64) return Uint8Array.of(value);
  if (value < 16384) return Uint8Array.of(0x40 | value >> 8, value & 255);
  return Uint8Array.of(0x80, value >>> 24, value >> 16 & 255, value >> 8 & 255, value & 255);
}

function string(bytes: Uint8Array | string): Uint8Array {
  const raw = typeof bytes === "string" ? utf8(bytes) : bytes;
  return concatBytes([length(raw.length), raw]);
}

const sizes = new Map([[1, 0xfe], [2, 0xc0], [3, 0xf0], [4, 0xd0], [8, 0xe0]]);

/** An integer of `bytes` bytes; 0 stands for the format that has the integer in its code. */
interface Integer {
  value: number | bigint;
  bytes: number;
}

function ziplistEntry(entry: string | Integer): Uint8Array {
  if (typeof entry === "string") {
    const raw = utf8(entry), n = raw.length;
    if (n < 64) return concatBytes([Uint8Array.of(n), raw]);
    if (n < 16384) return concatBytes([Uint8Array.of(0x40 | n >> 8, n & 255), raw]);
    return concatBytes([Uint8Array.of(0x80, n >>> 24, n >> 16 & 255, n >> 8 & 255, n & 255), raw]);
  }
  const { value, bytes } = entry;
  if (bytes === 0) return Uint8Array.of(0xf1 + Number(value));
  return concatBytes([Uint8Array.of(sizes.get(bytes)!), little(value, bytes)]);
}

function ziplist(entries: readonly (string | Integer)[]): Uint8Array {
  const parts: Uint8Array[] = [];
  let previous = 0, at = 10, last = 10;
  for (const entry of entries) {
    const before = previous < 254 ? Uint8Array.of(previous) : concatBytes([Uint8Array.of(254), little(previous, 4)]);
    const whole = concatBytes([before, ziplistEntry(entry)]);
    parts.push(whole);
    last = at;
    at += whole.length;
    previous = whole.length;
  }
  return concatBytes([little(at + 1, 4), little(last, 4), little(entries.length, 2), ...parts, Uint8Array.of(255)]);
}

function zipmap(pairs: readonly [string, string, number][]): Uint8Array {
  const size = (n: number) => n < 254 ? Uint8Array.of(n) : concatBytes([Uint8Array.of(254), little(n, 4)]);
  const parts = pairs.flatMap(([key, value, unused]) => [
    size(key.length),
    utf8(key),
    size(value.length),
    Uint8Array.of(unused),
    utf8(value),
    new Uint8Array(unused),
  ]);
  return concatBytes([Uint8Array.of(Math.min(pairs.length, 254)), ...parts, Uint8Array.of(255)]);
}

function intset(width: number, values: readonly (number | bigint)[]): Uint8Array {
  return concatBytes([little(width, 4), little(values.length, 4), ...values.map((value) => little(value, width))]);
}

function double(value: number): Uint8Array {
  return new Uint8Array(new Float64Array([value]).buffer);
}

async function restored(pair: Pair, type: number, ...parts: Uint8Array[]): Promise<void> {
  const payload = payloadOf([type, ...concatBytes(parts)], 12);
  assertEquals(await pair.same("RESTORE", "k", "0", payload, "REPLACE"), "+OK\r\n");
  await pair.same("TYPE", "k");
  await pair.same("OBJECT", "ENCODING", "k");
  await pair.same("DEBUG", "DIGEST-VALUE", "k");
}

const INTEGERS: Integer[] = [
  { value: 0, bytes: 0 },
  { value: 12, bytes: 0 },
  { value: -100, bytes: 1 },
  { value: -30000, bytes: 2 },
  { value: -8000000, bytes: 3 },
  { value: 2000000000, bytes: 4 },
  { value: -(2n ** 63n), bytes: 8 },
];
const LONG = "long ".repeat(60), LONGER = "longer ".repeat(3000);

differential("ziplists", async (pair) => {
  const list = ziplist(["a", ...INTEGERS, LONG, "b", LONGER, "c"]);
  await restored(pair, RdbType.LIST_ZIPLIST, string(list));
  await restored(pair, RdbType.LIST_QUICKLIST, length(3), string(list), string(ziplist(["x"])), string(list));
  await restored(pair, RdbType.HASH_ZIPLIST, string(ziplist(["a", "1", "b", INTEGERS[2], "c", "text"])));
  await restored(pair, RdbType.ZSET_ZIPLIST, string(ziplist(["a", { value: 1, bytes: 0 }, "b", "1.5", "c", "inf"])));
});

differential("ziplists whose links are wrong are refused", async (pair) => {
  const sound = ziplist(["a", "1", LONG, "2"]);
  const broken: [at: number, byte: number][] = [[4, 10], [4, 255], [10, 1], [13, 2], [13, 4], [13, 0xfe], [16, 9]];
  for (const [at, byte] of broken) {
    const bytes = sound.slice();
    bytes[at] = byte;
    for (
      const [type, ...parts] of [
        [RdbType.LIST_ZIPLIST, string(bytes)],
        [RdbType.LIST_QUICKLIST, length(1), string(bytes)],
        [RdbType.HASH_ZIPLIST, string(bytes)],
      ] as [number, ...Uint8Array[]][]
    ) {
      const payload = payloadOf([type, ...concatBytes(parts)], 12);
      assertEquals(await pair.same("RESTORE", "k", "0", payload), "-ERR Bad data format\r\n", `byte ${at} is ${byte}`);
    }
  }
});

differential("an empty element of a list has no node of its own", async (pair) => {
  const payload = payloadOf([RdbType.LIST_QUICKLIST_2, ...concatBytes([length(1), length(1), string("")])], 12);
  assertEquals(await pair.same("RESTORE", "k", "0", payload), "-ERR Bad data format\r\n");
});

differential("deadlines of fields beyond 48 bits are refused", async (pair) => {
  const deadline = (ms: bigint) => concatBytes([Uint8Array.of(0x81), little(ms, 8).reverse()]);
  for (const [ms, isTime] of [[2n ** 48n - 1n, true], [2n ** 48n, false]] as const) {
    const parts = concatBytes([length(1), deadline(ms), string("a"), string("1")]);
    const reply = await pair.same(
      "RESTORE",
      "k",
      "0",
      payloadOf([RdbType.HASH_METADATA_PRE_GA, ...parts], 12),
      "REPLACE",
    );
    assertEquals(reply, isTime ? "+OK\r\n" : "-ERR Bad data format\r\n");
  }
});

differential("zipmaps", async (pair) => {
  await restored(pair, RdbType.HASH_ZIPMAP, string(zipmap([["a", "1", 0], ["bb", "22", 3], ["", "", 0]])));
  await restored(pair, RdbType.HASH_ZIPMAP, string(zipmap([["field", LONG, 2]])));
  await restored(
    pair,
    RdbType.HASH_ZIPMAP,
    string(zipmap([[LONG, "value", 0], ["b", LONGER, 255], [LONGER, LONG, 0]])),
  );
  for (const bytes of [252, 253, 254, 255, 256]) {
    await restored(
      pair,
      RdbType.HASH_ZIPMAP,
      string(zipmap([["x".repeat(bytes), "y".repeat(bytes), 0], ["a", "b", 4]])),
    );
  }
  // The count is one byte, in which 254 means "more".
  for (const fields of [253, 254, 300]) {
    const pairs = Array.from({ length: fields }, (_, i) => [`field ${i}`, `value ${i}`, 0] as [string, string, number]);
    await restored(pair, RdbType.HASH_ZIPMAP, string(zipmap(pairs)));
  }
});

differential("intsets", async (pair) => {
  await restored(pair, RdbType.SET_INTSET, string(intset(2, [-3, 1, 300])));
  await restored(pair, RdbType.SET_INTSET, string(intset(4, [-70000, 1])));
  await restored(pair, RdbType.SET_INTSET, string(intset(8, [-(2n ** 63n), 1, 2n ** 60n + 1n])));
  await restored(pair, RdbType.SET_INTSET, string(intset(4, Array.from({ length: 600 }, (_, i) => i))));
});

differential("values element by element", async (pair) => {
  const words = ["a", "7", "-12", LONG];
  await restored(pair, RdbType.LIST, length(4), ...words.map(string));
  await restored(pair, RdbType.SET, length(4), ...words.map(string));
  await restored(pair, RdbType.HASH, length(2), ...words.map(string));
  const scores = ["1", "1.5", "-2.25e+10"].flatMap((
    text,
    i,
  ) => [string(`m${i}`), Uint8Array.of(text.length), utf8(text)]);
  const infinite = [string("low"), Uint8Array.of(255), string("high"), Uint8Array.of(254)];
  await restored(pair, RdbType.ZSET, length(5), ...scores, ...infinite);
  await restored(pair, RdbType.ZSET_2, length(2), string("a"), double(0.1), string("b"), double(-Infinity));
  await restored(pair, RdbType.LIST_QUICKLIST_2, length(2), length(1), string(LONGER), length(1), string("x"));
});

differential("deadlines of fields in the form of previews of Redis 7.4", async (pair) => {
  const later = Date.now() + 1e9;
  const wide = concatBytes([Uint8Array.of(0x81), little(later, 8).reverse()]);
  await restored(
    pair,
    RdbType.HASH_METADATA_PRE_GA,
    length(2),
    wide,
    string("a"),
    string("1"),
    length(0),
    string("b"),
    string("2"),
  );
  await pair.same("HPEXPIRETIME", "k", "FIELDS", "2", "a", "b");
});

differential("compressed strings and integers as strings", async (pair) => {
  await restored(pair, RdbType.STRING, Uint8Array.of(0xc0, 0x85));
  await restored(pair, RdbType.STRING, Uint8Array.of(0xc1, 0x39, 0x30));
  await restored(pair, RdbType.STRING, Uint8Array.of(0xc2, 0xff, 0xff, 0xff, 0x7f));
  await restored(pair, RdbType.STRING, Uint8Array.of(0xc3, 5, 22, 0x00, 0x61, 0xe0, 0x0c, 0x00));
  await restored(pair, RdbType.STRING, Uint8Array.of(0x80, 0, 0, 0, 3), fromLatin1("abc"));
});

import { assertEquals } from "@std/assert";
import { CHUNK_BYTES_MAX } from "../../src/resp/chunks.ts";
import { Reply } from "../../src/resp/reply.ts";
import { latin1 } from "../helpers/client.ts";
import { concatBytes } from "../helpers/wire.ts";

function written(version: number, write: (reply: Reply) => void): string {
  const reply = new Reply();
  reply.version = version;
  write(reply);
  return latin1(reply.copySince(0));
}

const FORMS: readonly (readonly [string, (reply: Reply) => void, string, string])[] = [
  ["ok", (r) => r.ok(), "+OK\r\n", "+OK\r\n"],
  ["error", (r) => r.error("ERR a\r\nb \xff"), "-ERR a  b \xff\r\n", "-ERR a  b \xff\r\n"],
  [
    "integers",
    (r) => [0, 9, 10, -1, -10, 4294967296, -9007199254740991].forEach((n) => r.integer(n)),
    ":0\r\n:9\r\n:10\r\n:-1\r\n:-10\r\n:4294967296\r\n:-9007199254740991\r\n",
    ":0\r\n:9\r\n:10\r\n:-1\r\n:-10\r\n:4294967296\r\n:-9007199254740991\r\n",
  ],
  ["64-bit integer", (r) => r.bigInteger(-(2n ** 63n)), ":-9223372036854775808\r\n", ":-9223372036854775808\r\n"],
  ["bulk", (r) => r.bulk(Uint8Array.of(0, 13, 10, 255)), "$4\r\n\0\r\n\xff\r\n", "$4\r\n\0\r\n\xff\r\n"],
  ["text in UTF-8", (r) => r.bulkText("é"), "$2\r\n\xc3\xa9\r\n", "$2\r\n\xc3\xa9\r\n"],
  ["digits", (r) => r.bulkInteger(-120), "$4\r\n-120\r\n", "$4\r\n-120\r\n"],
  ["null", (r) => r.null(), "$-1\r\n", "_\r\n"],
  ["null array", (r) => r.nullArray(), "*-1\r\n", "_\r\n"],
  ["array", (r) => r.array(2), "*2\r\n", "*2\r\n"],
  ["map", (r) => r.map(2), "*4\r\n", "%2\r\n"],
  ["set", (r) => r.set(2), "*2\r\n", "~2\r\n"],
  ["push", (r) => r.push(2), "*2\r\n", ">2\r\n"],
  ["double", (r) => r.double(1.5), "$3\r\n1.5\r\n", ",1.5\r\n"],
  ["infinity", (r) => r.double(-Infinity), "$4\r\n-inf\r\n", ",-inf\r\n"],
  ["true", (r) => r.boolean(true), ":1\r\n", "#t\r\n"],
  ["false", (r) => r.boolean(false), ":0\r\n", "#f\r\n"],
  ["big number", (r) => r.bigNumber("123"), "$3\r\n123\r\n", "(123\r\n"],
  ["verbatim", (r) => r.verbatim("txt", "abc"), "$3\r\nabc\r\n", "=7\r\ntxt:abc\r\n"],
];

for (const [name, write, resp2, resp3] of FORMS) {
  Deno.test(`the form of ${name} in RESP2 and RESP3`, () => {
    assertEquals(written(2, write), resp2);
    assertEquals(written(3, write), resp3);
  });
}

Deno.test("replies of any size follow each other across chunks", () => {
  const reply = new Reply();
  let expected = "";
  for (let size = 0; size < 40_000; size += 997) {
    reply.bulk(new Uint8Array(size).fill(97));
    reply.integer(size);
    expected += `$${size}\r\n${"a".repeat(size)}\r\n:${size}\r\n`;
  }
  assertEquals(latin1(reply.copySince(0)), expected);
  assertEquals(reply.pendingBytes, expected.length);
  assertEquals(reply.take().map(({ view }) => latin1(view)).join(""), expected);
  assertEquals(reply.pendingBytes, 0);
});

Deno.test("the count of an array is set when its elements are written, also in a chunk that is full", () => {
  for (const elements of [0, 9, 10, 3000]) {
    for (const most of [elements, 10_000, 2 ** 32]) {
      const reply = new Reply();
      reply.version = 3;
      reply.integer(1);
      const outer = reply.beginArray(3);
      const inner = reply.beginMap(most);
      for (let i = 0; i < elements; i++) reply.bulkText("x".repeat(i % 50));
      reply.endArray(inner, most, elements);
      reply.endArray(outer, 3, 1);
      reply.integer(2);
      const values = Array.from({ length: elements }, (_, i) => `$${i % 50}\r\n${"x".repeat(i % 50)}\r\n`).join("");
      const expected = `:1\r\n*1\r\n%${elements}\r\n${values}:2\r\n`;
      assertEquals(latin1(reply.copySince(0)), expected);
      assertEquals(reply.pendingBytes, expected.length);
      assertEquals(reply.take().map(({ view }) => latin1(view)).join(""), expected);
    }
  }
});

Deno.test("rewinding drops what was written since the mark, across chunks", () => {
  const reply = new Reply();
  let kept = "";
  for (let i = 0; i < 50; i++) {
    reply.bulk(new Uint8Array(i * 31).fill(98));
    kept += `$${i * 31}\r\n${"b".repeat(i * 31)}\r\n`;
    const mark = reply.mark();
    for (let k = 0; k < 9; k++) reply.bulk(new Uint8Array(5000));
    reply.rewind(mark);
    assertEquals(latin1(reply.copySince(0)), kept);
  }
});

Deno.test("a long value is spread over chunks of a bounded size", () => {
  const value = new Uint8Array(5_000_000).map((_, i) => i % 251);
  const view = new DataView(value.buffer);
  const ends = Int32Array.of(10, 3_000_000, 70_000), starts = Int32Array.of(0, 100_000, 1);
  const reply = new Reply();
  reply.bulk(value);
  reply.bulkView(view, 7, value.length);
  reply.bulkViews(view, starts, ends, 3);
  reply.bulksOf([view], new Int32Array(3), starts, ends, 3);
  reply.bulkText("é".repeat(200_000));
  reply.simple("x".repeat(200_000));
  const bulk = (start: number, end: number) => `$${end - start}\r\n${latin1(value.subarray(start, end))}\r\n`;
  const some = bulk(0, 10) + bulk(100_000, 3_000_000) + bulk(1, 70_000);
  const text = `$400000\r\n${"Ã©".repeat(200_000)}\r\n+${"x".repeat(200_000)}\r\n`;
  const expected = bulk(0, value.length) + bulk(7, value.length) + some + some + text;
  const parts = reply.take();
  assertEquals(latin1(concatBytes(parts.map(({ view }) => view))) === expected, true);
  assertEquals(parts.filter(({ chunk }) => chunk.length > CHUNK_BYTES_MAX).length, 0);
  assertEquals(parts.length < 30, true, `${parts.length} chunks`);
});

Deno.test("a reply that is cleared or rewound holds no chunk but the first", () => {
  const reply = new Reply();
  for (let i = 0; i < 5; i++) reply.bulk(new Uint8Array(400_000));
  assertEquals(reply.roomBytes >= 2_000_000, true);
  reply.rewind(0);
  assertEquals(reply.roomBytes, 16_384);
  reply.clear();
  assertEquals([reply.roomBytes, reply.pendingBytes], [0, 0]);
  reply.ok();
  assertEquals(latin1(reply.copySince(0)), "+OK\r\n");
});

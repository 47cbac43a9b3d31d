import { assertEquals, assertThrows } from "@std/assert";
import type { SeededRandom } from "../../src/core/random.ts";
import { encodeRequest, type Reply, ReplyDecoder, ReplyProtocolError } from "../../src/resp/decoder.ts";
import { pick, property, randomBytes } from "../helpers/property.ts";
import { concatBytes } from "../helpers/wire.ts";

const bytes = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));
const string = (text: string): Reply => ({ type: "string", bytes: bytes(text) });
const integer = (value: number): Reply => ({ type: "integer", value: BigInt(value) });

/** All decoded values when the chunks are fed one after the other. */
function decode(chunks: readonly Uint8Array[]): Reply[] {
  const decoder = new ReplyDecoder();
  const replies: Reply[] = [];
  for (const chunk of chunks) {
    decoder.push(chunk);
    for (let reply = decoder.next(); reply !== undefined; reply = decoder.next()) replies.push(reply);
  }
  return replies;
}

const samples: readonly (readonly [wire: string, reply: Reply])[] = [
  ["+OK\r\n", { type: "status", bytes: bytes("OK") }],
  ["+\r\n", { type: "status", bytes: bytes("") }],
  ["+a\nb\rc\r\n", { type: "status", bytes: bytes("a\nb\rc") }],
  ["-ERR no\r\n", { type: "error", bytes: bytes("ERR no") }],
  ["!6\r\nERR\r\n!\r\n", { type: "error", bytes: bytes("ERR\r\n!") }],
  [":-9223372036854775808\r\n", { type: "integer", value: -9223372036854775808n }],
  [":+7\r\n", integer(7)],
  ["(12345678901234567890123\r\n", { type: "bignum", value: 12345678901234567890123n }],
  [",1.50\r\n", { type: "double", value: 1.5, text: "1.50" }],
  [",-inf\r\n", { type: "double", value: -Infinity, text: "-inf" }],
  [",nan\r\n", { type: "double", value: NaN, text: "nan" }],
  ["#t\r\n", { type: "boolean", value: true }],
  ["#f\r\n", { type: "boolean", value: false }],
  ["_\r\n", { type: "nil" }],
  ["$-1\r\n", { type: "nil" }],
  ["*-1\r\n", { type: "nil" }],
  ["$0\r\n\r\n", string("")],
  ["$6\r\na\r\nb\x00\xff\r\n", string("a\r\nb\x00\xff")],
  ["=8\r\ntxt:ab\r\n\r\n", { type: "verbatim", format: "txt", bytes: bytes("ab\r\n") }],
  ["*0\r\n", { type: "array", items: [] }],
  ["~2\r\n:1\r\n*1\r\n$1\r\na\r\n", { type: "set", items: [integer(1), { type: "array", items: [string("a")] }] }],
  [">2\r\n$1\r\na\r\n%0\r\n", { type: "push", items: [string("a"), { type: "map", entries: [] }] }],
  ["%2\r\n:1\r\n*2\r\n:2\r\n~0\r\n*0\r\n_\r\n", {
    type: "map",
    entries: [
      [integer(1), { type: "array", items: [integer(2), { type: "set", items: [] }] }],
      [{ type: "array", items: [] }, { type: "nil" }],
    ],
  }],
  ["|1\r\n+ttl\r\n:5\r\n*1\r\n|0\r\n:1\r\n", {
    type: "array",
    items: [{ type: "integer", value: 1n, attributes: [] }],
    attributes: [[{ type: "status", bytes: bytes("ttl") }, integer(5)]],
  }],
];

Deno.test("each type of RESP2 and RESP3 decodes to a value that keeps it", () => {
  for (const [wire, reply] of samples) assertEquals(decode([bytes(wire)]), [reply], JSON.stringify(wire));
});

Deno.test("a reply may be split at any byte, and nothing comes before its last", () => {
  for (const [wire, reply] of samples) {
    for (let at = 1; at < wire.length; at++) {
      const decoder = new ReplyDecoder();
      decoder.push(bytes(wire.slice(0, at)));
      assertEquals(decoder.next(), undefined, `${JSON.stringify(wire)} at ${at}`);
      decoder.push(bytes(wire.slice(at)));
      assertEquals(decoder.next(), reply, `${JSON.stringify(wire)} at ${at}`);
      assertEquals(decoder.next(), undefined);
    }
  }
});

Deno.test("replies that come byte by byte or all at once are the same", () => {
  const stream = bytes(samples.map(([wire]) => wire).join(""));
  const replies = samples.map(([, reply]) => reply);
  assertEquals(decode([stream]), replies);
  assertEquals(decode(Array.from(stream, (byte) => Uint8Array.of(byte))), replies);
});

Deno.test("a decoded value does not change when the caller reuses its buffer", () => {
  const decoder = new ReplyDecoder();
  const buffer = bytes("$3\r\nabc\r\n");
  decoder.push(buffer);
  const reply = decoder.next();
  buffer.fill(0);
  decoder.push(bytes("$3\r\nxyz\r\n"));
  decoder.next();
  assertEquals(reply, string("abc"));
});

Deno.test("an announced length reserves no memory", () => {
  const decoder = new ReplyDecoder();
  decoder.push(bytes("*900000000000\r\n$500000000000\r\nabc"));
  assertEquals(decoder.next(), undefined);
});

Deno.test("bytes that are not RESP are a protocol error that names them", () => {
  const wrong: [string, string][] = [
    ["x\r\n", 'Protocol error, got "x" as reply type byte'],
    ["\x01", 'Protocol error, got "\\x01" as reply type byte'],
    [":12x\r\n", "Bad integer value"],
    [":\r\n", "Bad integer value"],
    ["(1.5\r\n", "Bad bignum value"],
    [",x\r\n", "Bad double value"],
    [",\r\n", "Bad double value"],
    ["#x\r\n", "Bad bool value"],
    ["_x\r\n", "Bad nil value"],
    ["$-2\r\n", "Bad bulk string length"],
    ["$1x\r\n", "Bad bulk string length"],
    ["*x\r\n", "Bad multi-bulk length"],
    ["%-1\r\n", "Bad multi-bulk length"],
    ["$1\r\nabc", "Bad bulk string terminator"],
    ["=3\r\ntxt\r\n", "Verbatim string 4 bytes of content type are missing"],
    ["*1\r\n".repeat(600), "No support for replies nested this deep"],
  ];
  for (const [wire, message] of wrong) assertThrows(() => decode([bytes(wire)]), ReplyProtocolError, message);
});

Deno.test("random replies survive encoding, cut into random chunks", async () => {
  await property(30, (random) => {
    const replies = Array.from({ length: 20 }, () => randomReply(random, 3));
    const stream = concatBytes(replies.map(encodeReply));
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < stream.length;) {
      const size = 1 + random.below(pick(random, [2, 20, 50_000]));
      chunks.push(stream.subarray(at, at + size));
      at += size;
    }
    assertEquals(decode(chunks), replies);
  });
});

function randomReply(random: SeededRandom, depth: number): Reply {
  const content = () => randomBytes(random, pick(random, [0, 1, 30, 30_000]));
  const line = () => bytes("x".repeat(random.below(20)));
  const child = () => randomReply(random, depth - 1);
  switch (random.below(depth > 0 ? 11 : 8)) {
    case 0:
      return { type: "status", bytes: line() };
    case 1:
      return { type: "error", bytes: line() };
    case 2:
      return { type: "string", bytes: content() };
    case 3:
      return { type: "verbatim", format: "txt", bytes: content() };
    case 4:
      return { type: pick(random, ["integer", "bignum"] as const), value: BigInt(random.below(2 ** 31)) - 2n ** 30n };
    case 5:
      return { type: "double", value: 0.25, text: "0.25" };
    case 6:
      return { type: "boolean", value: random.below(2) === 0 };
    case 7:
      return { type: "nil" };
    case 8:
      return { type: "map", entries: Array.from({ length: random.below(4) }, () => [child(), child()] as const) };
    default:
      return {
        type: pick(random, ["array", "set", "push"] as const),
        items: Array.from({ length: random.below(4) }, child),
      };
  }
}

function encodeReply(reply: Reply): Uint8Array {
  const bulk = (mark: string, content: Uint8Array) =>
    concatBytes([bytes(`${mark}${content.length}\r\n`), content, bytes("\r\n")]);
  switch (reply.type) {
    case "status":
      return concatBytes([bytes("+"), reply.bytes, bytes("\r\n")]);
    case "error":
      return concatBytes([bytes("-"), reply.bytes, bytes("\r\n")]);
    case "string":
      return bulk("$", reply.bytes);
    case "verbatim":
      return bulk("=", concatBytes([bytes(reply.format + ":"), reply.bytes]));
    case "integer":
      return bytes(`:${reply.value}\r\n`);
    case "bignum":
      return bytes(`(${reply.value}\r\n`);
    case "double":
      return bytes(`,${reply.text}\r\n`);
    case "boolean":
      return bytes(reply.value ? "#t\r\n" : "#f\r\n");
    case "nil":
      return bytes("_\r\n");
    case "map":
      return concatBytes([bytes(`%${reply.entries.length}\r\n`), ...reply.entries.flat().map(encodeReply)]);
    default: {
      const mark = { array: "*", set: "~", push: ">" }[reply.type];
      return concatBytes([bytes(`${mark}${reply.items.length}\r\n`), ...reply.items.map(encodeReply)]);
    }
  }
}

Deno.test("a request is an array of bulk strings, text as UTF-8", () => {
  assertEquals(
    encodeRequest(["SET", "é", bytes("\x00\xff")]),
    bytes("*3\r\n$3\r\nSET\r\n$2\r\n\xc3\xa9\r\n$2\r\n\x00\xff\r\n"),
  );
});

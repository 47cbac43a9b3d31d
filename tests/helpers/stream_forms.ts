/**
 * Streams in every form that files of Redis have had, written byte by byte from the description of the formats:
 *
 *     15  Redis 5     nodes · length · last id · groups, each a name, a last id, what is pending, and consumers
 *     19  Redis 7.0   adds the first id, the largest deleted id and the entries ever added; to a group, entries read
 *     21  Redis 7.2   adds to a consumer when it was last active
 *     26  Redis 8.6   adds the producers that send messages once
 *
 * All numbers are lengths of RDB but times, which have eight bytes, the lowest first.
 */
import { utf8 } from "../../src/core/bytes.ts";
import { concatBytes } from "./wire.ts";

/** The types, each with the version of the payloads of its servers. */
export const STREAM_FORMS: readonly (readonly [type: number, version: number])[] = [
  [15, 9],
  [19, 10],
  [21, 11],
  [26, 13],
];

function little(value: number | bigint, bytes: number): Uint8Array {
  const out = new Uint8Array(bytes);
  for (let i = 0, rest = BigInt.asUintN(64, BigInt(value)); i < bytes; i++, rest >>= 8n) out[i] = Number(rest & 255n);
  return out;
}

function length(value: number | bigint): Uint8Array {
  if (value < 64) return Uint8Array.of(Number(value));
  if (value < 16384) return Uint8Array.of(0x40 | Number(value) >> 8, Number(value) & 255);
  return concatBytes([Uint8Array.of(0x81), little(value, 8).reverse()]);
}

function string(bytes: Uint8Array | string): Uint8Array {
  const raw = typeof bytes === "string" ? utf8(bytes) : bytes;
  return concatBytes([length(raw.length), raw]);
}

/** An element of a listpack: an integer in the shortest of its codes, or a text. */
function element(value: number | string): Uint8Array {
  const body = typeof value === "string" ? textBody(utf8(value)) : integerBody(value);
  const back = body.length < 128 ? [body.length] : [body.length >> 7, body.length & 127 | 128];
  return concatBytes([body, Uint8Array.from(back)]);
}

function textBody(text: Uint8Array): Uint8Array {
  if (text.length < 64) return concatBytes([Uint8Array.of(0x80 | text.length), text]);
  return concatBytes([Uint8Array.of(0xe0 | text.length >> 8, text.length & 255), text]);
}

function integerBody(value: number): Uint8Array {
  if (value >= 0 && value < 128) return Uint8Array.of(value);
  if (value >= -4096 && value < 4096) return Uint8Array.of(0xc0 | value >> 8 & 31, value & 255);
  for (const [bits, code] of [[16, 0xf1], [24, 0xf2], [32, 0xf3]]) {
    if (value >= -(2 ** (bits - 1)) && value < 2 ** (bits - 1)) {
      return concatBytes([Uint8Array.of(code), little(value, bits / 8)]);
    }
  }
  return concatBytes([Uint8Array.of(0xf4), little(value, 8)]);
}

function listpack(elements: readonly (number | string)[]): Uint8Array {
  const parts = concatBytes(elements.map(element));
  return concatBytes([little(6 + parts.length + 1, 4), little(elements.length, 2), parts, Uint8Array.of(255)]);
}

/** The 16 bytes of an id, the highest first. */
function rawId(ms: bigint, seq: bigint): Uint8Array {
  return concatBytes([little(ms, 8).reverse(), little(seq, 8).reverse()]);
}

const MAX = 2n ** 64n - 1n;
const LONG = "long ".repeat(40), SEEN_MS = 1_700_000_000_000, ACTIVE_MS = 1_690_000_000_000;

// The second entry is deleted, the third has fields of its own, and the fourth values in wider codes.
const FIRST_NODE = [3, 1, 2, "field", "other", 0];
const FIRST_ENTRIES = [
  ...[2, 0, 0, "value", 7, 5],
  ...[3, 0, 1, "gone", -1, 5],
  ...[0, 5, 0, 1, "single", LONG, 6],
  ...[2, 70_000, 300, -70_000, 4_000_000_000, 5],
];
const SECOND_NODE = [1, 0, 1, 12, 0, 2, 0, 0, "last", 4];

/** The value of a stream in the form of a type, without the type itself. */
export function streamForm(type: number): Uint8Array {
  const nodes = [
    length(2),
    string(rawId(1000n, 5n)),
    string(listpack([...FIRST_NODE, ...FIRST_ENTRIES])),
    string(rawId(MAX, MAX - 1n)),
    string(listpack(SECOND_NODE)),
  ];
  const head = [length(4), length(MAX), length(MAX - 1n)];
  if (type >= 19) head.push(...[1000, 5, 1000, 6, 17].map(length));
  const pending = (ms: bigint, seq: bigint, deliveries: number) => [
    rawId(ms, seq),
    little(SEEN_MS - 1000, 8),
    length(deliveries),
  ];
  const group = (name: string, ms: bigint, seq: bigint, read: number | bigint, rest: Uint8Array[]) => [
    string(name),
    length(ms),
    length(seq),
    ...type >= 19 ? [length(read)] : [],
    ...rest,
  ];
  const consumer = (name: string, activeMs: number, owned: Uint8Array[]) => [
    string(name),
    little(SEEN_MS, 8),
    ...type >= 21 ? [little(activeMs, 8)] : [],
    length(owned.length),
    ...owned,
  ];
  const groups = [
    length(2),
    ...group("workers", 71_000n, 305n, 4, [
      length(3),
      ...pending(1000n, 5n, 1),
      // This entry is not in the stream any more.
      ...pending(1000n, 6n, 100),
      ...pending(1005n, 5n, 70_000),
      length(3),
      ...consumer("idle", -1, []),
      ...consumer("one", ACTIVE_MS, [rawId(1000n, 5n), rawId(1005n, 5n)]),
      ...consumer("two", ACTIVE_MS + 1, [rawId(1000n, 6n)]),
    ]),
    ...group("", 0n, 0n, MAX, [length(0), length(0)]),
  ];
  const producers = type < 26 ? [] : [
    ...[length(60), length(50), length(1)],
    ...[string("producer"), length(2), string("m1"), length(1000), length(5), string("m2"), length(1005), length(5)],
    ...[length(9), length(3)],
  ];
  return concatBytes([...nodes, ...head, ...groups, ...producers]);
}

/** Ids of stream entries compared with BigInt. */
import { assertEquals } from "@std/assert";
import { fromLatin1 } from "../../src/core/bytes.ts";
import type { SeededRandom } from "../../src/core/random.ts";
import {
  compareIds,
  decrementId,
  IdForm,
  IdOption,
  idText,
  idTime,
  incrementId,
  newId,
  parseId,
  putWide,
  type StreamId,
  wideAt,
} from "../../src/core/stream_id.ts";
import { pick, property } from "../helpers/property.ts";

const EDGES = [0n, 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n];
const WHOLE = 2n ** 128n;

function randomPart(random: SeededRandom): bigint {
  if (random.below(2) === 0) return pick(random, EDGES);
  return BigInt(random.below(2 ** 31)) << BigInt(random.below(34));
}

function idOf(value: bigint): StreamId {
  const id = newId();
  putWide(id, 0, value >> 64n);
  putWide(id, 2, value);
  return id;
}

function valueOf(id: StreamId): bigint {
  return (wideAt(id, 0) << 64n) | wideAt(id, 2);
}

function parse(text: string, options: number): [number, string] {
  const id = newId(), bytes = fromLatin1(`9${text}9`);
  const form = parseId(bytes, 1, bytes.length - 1, id, options);
  return [form, form === IdForm.INVALID ? "" : idText(id)];
}

Deno.test("ids are compared, counted up and down, and written as integers of 128 bits", () =>
  property(200, (random) => {
    const a = (randomPart(random) << 64n) | randomPart(random), b = (randomPart(random) << 64n) | randomPart(random);
    const id = idOf(a);
    assertEquals(valueOf(id), a);
    assertEquals(Math.sign(compareIds(id, 0, idOf(b), 0)), a < b ? -1 : a > b ? 1 : 0);
    assertEquals(idText(id), `${a >> 64n}-${a & (2n ** 64n - 1n)}`);
    assertEquals(parse(idText(id), IdOption.NONE), [IdForm.WHOLE, idText(id)]);
    assertEquals(idTime(id), Number(a >> 64n));
    assertEquals(incrementId(id), a < WHOLE - 1n);
    assertEquals(valueOf(id), (a + 1n) % WHOLE);
    assertEquals(decrementId(id), a < WHOLE - 1n);
    assertEquals(decrementId(id), a > 0n);
    assertEquals(valueOf(id), (a + WHOLE - 1n) % WHOLE);
  }));

Deno.test("ids are read in all forms that C's conversion takes", () => {
  const { INVALID, WHOLE, AUTO_SEQUENCE } = IdForm;
  const cases: [string, number, number, string][] = [
    ["1-2", 0, WHOLE, "1-2"],
    ["01-002", 0, WHOLE, "1-2"],
    ["7", 0, WHOLE, "7-0"],
    ["7", IdOption.MISSING_MAX, WHOLE, "7-18446744073709551615"],
    ["18446744073709551615-18446744073709551615", 0, WHOLE, "18446744073709551615-18446744073709551615"],
    ["18446744073709551616-0", 0, INVALID, ""],
    ["0-18446744073709551616", 0, INVALID, ""],
    ["", 0, INVALID, ""],
    ["-", 0, INVALID, ""],
    ["-", IdOption.EDGES, WHOLE, "0-0"],
    ["+", IdOption.EDGES, WHOLE, "18446744073709551615-18446744073709551615"],
    ["-5", 0, INVALID, ""],
    ["5-", 0, INVALID, ""],
    ["5-x", 0, INVALID, ""],
    ["x-5", 0, INVALID, ""],
    ["5--5", 0, INVALID, ""],
    ["5--05", 0, WHOLE, "5-18446744073709551611"],
    [" 5-+6", 0, WHOLE, "5-6"],
    ["5 -6", 0, INVALID, ""],
    ["5-6\0x", 0, WHOLE, "5-6"],
    ["5-*", 0, INVALID, ""],
    ["5-*", IdOption.AUTO, AUTO_SEQUENCE, "5-0"],
    ["5-**", IdOption.AUTO, INVALID, ""],
    ["0".repeat(130), 0, INVALID, ""],
  ];
  for (const [text, options, form, id] of cases) assertEquals(parse(text, options), [form, id], text);
});

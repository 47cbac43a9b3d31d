/**
 * The time to find, insert and remove in the dictionary, among a million keys of 16 bytes, in an order that defeats
 * the caches.
 */
import { Arena } from "../../src/store/memory/arena.ts";
import { Dict } from "../../src/store/blocks/dict.ts";
import { hashBytes } from "../../src/core/hash_function.ts";
import { createRecord } from "../../src/store/blocks/record.ts";

const KEYS = 1_000_000;
const KEY_BYTES = 16;
/** A step that visits every key once before it repeats one. */
const STEP = 514_229;

const arena = new Arena();
const dict = new Dict(arena);
const head = dict.create();
const key = new TextEncoder().encode("key:000000000000");

/** Writes the digits of a number into the key. */
function nameKey(n: number): void {
  for (let i = KEY_BYTES - 1; i > 3; i--) {
    key[i] = 48 + n % 10;
    n = Math.floor(n / 10);
  }
}

/** The record of key `n`, or 0; afterwards the dictionary holds its position. */
function find(n: number): number {
  nameKey(n);
  return dict.find(head, key, 0, KEY_BYTES, hashBytes(key, 0, KEY_BYTES));
}

function insert(n: number): void {
  find(n);
  dict.insert(head, hashBytes(key, 0, KEY_BYTES), createRecord(arena, 0, key, 0, KEY_BYTES, 0));
}

for (let n = 0; n < KEYS; n++) insert(n);
let at = 0;
const next = () => at = (at + STEP) % KEYS;

Deno.bench({
  name: "the hash of a key",
  group: "dictionary",
  fn: () => {
    nameKey(next());
    hashBytes(key, 0, KEY_BYTES);
  },
});
Deno.bench({ name: "find a key", group: "dictionary", baseline: true, fn: () => void find(next()) });
Deno.bench({ name: "miss a key", group: "dictionary", fn: () => void find(KEYS + next()) });
Deno.bench({
  name: "remove and insert a key",
  group: "dictionary",
  fn: () => {
    const n = next();
    const ref = find(n);
    dict.remove(head);
    arena.free(ref);
    insert(n);
  },
});
Deno.bench({
  name: "set a key in a JavaScript Map of as many strings, for comparison",
  group: "dictionary",
  fn: (() => {
    const map = new Map<string, string>();
    for (let n = 0; n < KEYS; n++) map.set(`key:${n}`, "");
    return () => void map.set(`key:${next()}`, "");
  })(),
});

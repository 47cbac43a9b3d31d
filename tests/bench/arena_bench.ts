/** The time to allocate and free a thousand blocks among a million others, in an order that defeats the caches. */
import { Arena } from "../../src/store/memory/arena.ts";

const BLOCKS = 1_000_000, LARGE_BLOCKS = 4000, ROUNDS = 1000;
/** A step that visits every block once before it repeats one. */
const STEP = 514_229;

const arena = new Arena();
const small = Int32Array.from({ length: BLOCKS }, (_, i) => arena.alloc(40 + 8 * (i % 8)));
const large = Int32Array.from({ length: LARGE_BLOCKS }, (_, i) => arena.alloc(66_000 + 997 * (i % 64)));
let at = 0, turn = 0;

function exchange(blocks: Int32Array, base: number, step: number, steps: number): void {
  for (let i = 0; i < ROUNDS; i++) {
    at = (at + STEP) % blocks.length;
    arena.free(blocks[at]);
    blocks[at] = arena.alloc(base + step * (++turn & steps));
  }
}

Deno.bench("1,000 blocks of 40 to 96 bytes, each freed for one of another size", () => exchange(small, 40, 8, 7));
Deno.bench("1,000 blocks of 64 to 128 KiB, each freed for one of another size", () => exchange(large, 66_000, 997, 63));
Deno.bench("1,000 blocks of 4 to 66 KiB, each freed at once", () => {
  for (let i = 0; i < ROUNDS; i++) arena.free(arena.alloc(4096 + 997 * (++turn & 63)));
});

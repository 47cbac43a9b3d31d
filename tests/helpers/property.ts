/**
 * Seeded random tests. A property runs for several seeds; the one that fails is named, with the way to run it again.
 * Settings come from the environment where that may be read, else from the arguments after `--`:
 *
 *     MEMDB_TEST_SEED=123       the first seed, and no other unless MEMDB_TEST_RUNS says so
 *     MEMDB_TEST_RUNS=1000      how many seeds
 *     MEMDB_TEST_BASE=1         the first seed of as many as usual: what continuous integration runs, so that a failure
 *                               there comes from the change; other runs begin anywhere and look for new ones
 *     deno test --seed=1 …      fixes the hash function's key too, which the seed of a property does not reach
 */
import { SeededRandom } from "../../src/core/random.ts";

/** A whole number from the environment or the arguments (`NAME=123`), undefined if it is not set. */
function setting(name: string): number | undefined {
  const readable = Deno.permissions.querySync({ name: "env", variable: name }).state === "granted";
  const text = (readable ? Deno.env.get(name) : undefined) ??
    Deno.args.find((arg) => arg.startsWith(`${name}=`))?.slice(name.length + 1);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isInteger(value)) throw new Error(`${name} must be a whole number`);
  return value;
}

/**
 * Runs `body` for `runs` consecutive seeds, starting anywhere. Throws an error that names the seed of the first failure
 * and has that failure as its cause.
 */
export async function property(
  runs: number,
  body: (random: SeededRandom, seed: number) => void | Promise<void>,
): Promise<void> {
  const fixed = setting("MEMDB_TEST_SEED");
  const first = fixed ?? setting("MEMDB_TEST_BASE") ?? Math.floor(Math.random() * 1e9);
  const count = setting("MEMDB_TEST_RUNS") ?? (fixed === undefined ? runs : 1);
  for (let seed = first; seed < first + count; seed++) {
    try {
      await body(new SeededRandom(seed), seed);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`seed ${seed}: ${reason} (again: MEMDB_TEST_SEED=${seed})`, { cause: error });
    }
  }
}

/** A random element. */
export function pick<T>(random: SeededRandom, from: readonly T[]): T {
  return from[random.below(from.length)];
}

/** True once in `n` times on average. */
export function oneIn(random: SeededRandom, n: number): boolean {
  return random.below(n) === 0;
}

/** `length` random bytes. */
export function randomBytes(random: SeededRandom, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = random.below(256);
  return bytes;
}

/**
 * Data for tests: objects of JavaScript, in the shape of seed files (../tools/seed_json.ts), and files.
 */
import { utf8 } from "../core/bytes.ts";
import type { Executor } from "../dispatch/executor.ts";
import type { Engine } from "../engine/engine.ts";
import { RdbInput } from "../rdb/input.ts";
import { isRdb, RdbLoader } from "../rdb/loader.ts";
import { seedBytes } from "../tools/seed.ts";

/** Text of a key, an element or a field. */
export type Scalar = string | number | bigint | boolean;
/** The value of one key. An array is a list, an object a hash. */
export type FixtureValue =
  | Scalar
  | readonly Scalar[]
  | ReadonlySet<Scalar>
  | ReadonlyMap<string, Scalar>
  | { readonly [field: string]: Scalar }
  | {
    readonly $string?: Scalar;
    readonly $list?: readonly Scalar[];
    readonly $hash?: { readonly [field: string]: Scalar };
    readonly $set?: readonly Scalar[];
    /** Members and their scores. */
    readonly $zset?: { readonly [member: string]: number };
    /** Seconds to live. */
    readonly $expire?: number;
  };

/** Keys and their values. */
export type Fixtures = Readonly<Record<string, FixtureValue>>;

/** Creates the keys in database 0. Throws SeedError, and then nothing has changed. Returns the number of commands. */
export function loadFixtures(engine: Engine, executor: Executor, fixtures: Fixtures): number {
  const text = JSON.stringify(fixtures, (_, value) => {
    if (value instanceof Set) return { $set: [...value] };
    if (value instanceof Map) return Object.fromEntries(value);
    return typeof value === "bigint" ? String(value) : value;
  });
  return seedBytes(engine, executor, utf8(text), "the fixtures");
}

/** Loads a seed file or a snapshot of Redis or Valkey. Throws SeedError, RdbError or the runtime's errors. */
export function loadFile(engine: Engine, executor: Executor, path: string | URL): void {
  const bytes = Deno.readFileSync(path);
  if (!isRdb(bytes)) return void seedBytes(engine, executor, bytes, `seed ${path}`);
  const library = (source: Uint8Array) => engine.libraries?.add(source, true);
  new RdbLoader(engine.store, RdbInput.of(bytes), { library }).run();
}

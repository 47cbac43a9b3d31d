/**
 * MemDB as a library: a whole server inside a program, above all inside tests.
 *
 * ```ts
 * await using db = await MemDB.start();
 * db.load({ "user:1": { name: "Ada" } });
 * await db.command("SET", "greeting", "hello"); // or any client of Redis at db.url
 * ```
 */
export { MEMDB_VERSION, REDIS_VERSION } from "./src/core/version.ts";
export type { Duration, ServerClock } from "./src/embedded/clock.ts";
export type { ActiveFault, Fault } from "./src/embedded/faults.ts";
export type { Fixtures, FixtureValue, Scalar } from "./src/embedded/fixtures.ts";
export { MemDB, type MemDBOptions, type Snapshot } from "./src/embedded/memdb.ts";
export type { ClientRecord, CommandRecord, Events } from "./src/embedded/observer.ts";
export { type Argument, ReplyError, type Value } from "./src/embedded/values.ts";

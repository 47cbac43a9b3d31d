/**
 * The public interface of the library: everything that a program may import from MemDB.
 */
export { MEMDB_VERSION, REDIS_VERSION } from "./src/core/version.ts";
export type { Clock } from "./src/core/clock.ts";
export { ManualClock, systemClock } from "./src/core/clock.ts";
export type { Random } from "./src/core/random.ts";
export { SeededRandom, systemRandom } from "./src/core/random.ts";
export { Settings } from "./src/settings/settings.ts";
export { Server, type ServerOptions } from "./src/server/server.ts";

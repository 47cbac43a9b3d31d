/**
 * The versions that the project names: its own, which stands in deno.json alone, and that of the Redis release which it
 * is compared with.
 */
import project from "../../deno.json" with { type: "json" };

export const MEMDB_VERSION: string = project.version;

/** The release of Redis that MemDB is compatible with. Clients look for it to decide which commands to use. */
export const REDIS_VERSION = "8.6.3";
